//! What the gateway changes in its network, as a list of steps in their order. Pure.
//!
//! Invariant: what a cloud sends is looked up in a table of its own, whose last resort drops it, from before the first
//! packet can come; a way through the shaper is added only when the shaper runs; and the address that the hosts send to
//! is taken last. So a packet that passes has passed the shaper, at every moment and also when the shaper has ended.
//!
//! In a network that is made anew for each gateway, and forwards before this one has put its first rule there (a container
//! that is started again), one thing more is needed: hosts must not find it. They remember the link address of the earlier
//! one, which an engine gives again. So each gateway there takes link addresses of its own, and announces them last.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use farquorum_config::Ipv4Net;

/// The main table: addresses of the gateway's own interfaces.
pub(super) const MAIN: u8 = 254;
/// Table of the first cloud's packets; each further cloud has the next.
const FIRST_TABLE: u8 = 100;
/// Clouds at most: tables from 100 to 199.
const CLOUDS_MAX: usize = 100;
/// Rules with a lower number decide first.
const PASSED_FIRST: u32 = 100;
const ARRIVED_SECOND: u32 = 200;
/// Routes with a lower metric are taken first.
const SHAPER_METRIC: u32 = 1;
const LAST_RESORT_METRIC: u32 = 1000;
/// Last part of the address that a cloud's hosts send to for other clouds.
const ROUTER: u32 = 2;
/// Last part of the address of the operator's host, which is there only when somebody is.
const OPERATOR: u32 = 3;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Drops, in this table, what no other route takes.
    LastResort { table: u8 },
    /// Looks packets that came in through an interface up in a table.
    Rule { priority: u32, interface: String, table: u8 },
    /// Sends packets to a network (none: to anywhere) out of an interface.
    Route { table: u8, network: Option<Ipv4Net>, interface: String, metric: u32 },
    /// Takes an address.
    Address { interface: String, address: Ipv4Addr },
    /// Takes a link address; the kernel announces it to the network with the interface's addresses (arp_notify).
    LinkAddress { interface: String, address: LinkAddress },
}

/// Of an Ethernet interface.
pub(super) type LinkAddress = [u8; 6];

/// A cloud as the gateway sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) network: Ipv4Net,
    /// The interface whose address lies in the network.
    pub(super) interface: String,
}

/// How packets go through the shaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// All into one device, and out of it again.
    Device(&'a str),
    /// From cloud to cloud through a pair of devices of their own ([`pair_names`]).
    Pairs,
}

/// The steps before the shaper starts, those that lead through it, and the last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) closed: Vec<Step>,
    pub(super) through: Vec<Step>,
    pub(super) open: Vec<Step>,
}

/// The interface of each cloud, found by its address.
///
/// # Errors
/// A cloud with none or several, or too many clouds; says which addresses there are.
pub(super) fn sides(
    clouds: &BTreeMap<String, Ipv4Net>,
    addresses: &[(String, Ipv4Addr)],
) -> Result<Vec<Side>, String> {
    if clouds.len() > CLOUDS_MAX {
        return Err(format!("{} clouds are more than a gateway joins: at most {CLOUDS_MAX}", clouds.len()));
    }
    let side = |(name, network): (&String, &Ipv4Net)| {
        let mut found: Vec<&String> = addresses
            .iter()
            .filter(|(_, address)| network.contains(*address))
            .map(|(interface, _)| interface)
            .collect();
        found.dedup();
        match found.as_slice() {
            [interface] => Ok(Side { network: *network, interface: (*interface).clone() }),
            [] => Err(format!(
                "no interface has an address in {network}, the network of cloud {name}; {}",
                known(addresses)
            )),
            _ => Err(format!(
                "several interfaces have an address in {network}, the network of cloud {name}; {}",
                known(addresses)
            )),
        }
    };
    clouds.iter().map(side).collect()
}

fn known(addresses: &[(String, Ipv4Addr)]) -> String {
    let all: Vec<_> = addresses.iter().map(|(interface, address)| format!("{interface} {address}")).collect();
    format!("there are: {}", if all.is_empty() { "none".to_owned() } else { all.join(", ") })
}

/// Everything that the gateway changes. `own`: where link addresses of its own come from; none: they stay.
pub(super) fn plan(sides: &[Side], way: Way<'_>, own: Option<&mut dyn FnMut() -> LinkAddress>) -> Plan {
    let tables = || (FIRST_TABLE..).zip(sides);
    let mut closed: Vec<_> = tables().map(|(table, _)| Step::LastResort { table }).collect();
    let rule =
        |priority, interface: &str, table| Step::Rule { priority, interface: interface.to_owned(), table };
    closed.extend(passed(sides, way).iter().map(|interface| rule(PASSED_FIRST, interface, MAIN)));
    closed.extend(tables().map(|(table, side)| rule(ARRIVED_SECOND, &side.interface, table)));
    let through = match way {
        Way::Device(device) => tables().map(|(table, _)| through(table, None, device)).collect(),
        Way::Pairs => pairs(sides.len())
            .filter_map(|(from, to)| {
                let table = FIRST_TABLE.checked_add(u8::try_from(from).ok()?)?;
                Some(through(table, Some(sides.get(to)?.network), &pair_names(from, to).0))
            })
            .collect(),
    };
    let router =
        |side: &Side| Step::Address { interface: side.interface.clone(), address: router(side.network) };
    let mut open: Vec<_> = sides.iter().map(router).collect();
    if let Some(own) = own {
        let link =
            |side: &Side| Step::LinkAddress { interface: side.interface.clone(), address: local(own()) };
        open.extend(sides.iter().map(link));
    }
    Plan { closed, through, open }
}

/// Of one station, and given by nobody (IEEE 802: the two lowest bits of the first byte).
fn local(address: LinkAddress) -> LinkAddress {
    let [first, rest @ ..] = address;
    let [b, c, d, e, f] = rest;
    [first & 0xfc | 0x02, b, c, d, e, f]
}

fn through(table: u8, network: Option<Ipv4Net>, interface: &str) -> Step {
    Step::Route { table, network, interface: interface.to_owned(), metric: SHAPER_METRIC }
}

/// The devices out of which packets come when they have passed the shaper.
fn passed(sides: &[Side], way: Way<'_>) -> Vec<String> {
    match way {
        Way::Device(device) => vec![device.to_owned()],
        Way::Pairs => pairs(sides.len()).map(|(from, to)| pair_names(from, to).1).collect(),
    }
}

/// All ordered pairs of different clouds.
pub(super) fn pairs(clouds: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..clouds).flat_map(move |from| (0..clouds).map(move |to| (from, to))).filter(|(from, to)| from != to)
}

/// The two ends of the pair of devices of a link: where packets go in, and where they come out.
pub(super) fn pair_names(from: usize, to: usize) -> (String, String) {
    (format!("in{from}-{to}"), format!("out{from}-{to}"))
}

/// The metric of [`Step::LastResort`].
pub(super) fn last_resort_metric() -> u32 {
    LAST_RESORT_METRIC
}

/// The address that a cloud's hosts send to for other clouds.
pub(super) fn router(network: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network.base).saturating_add(ROUTER))
}

/// The operator's address: in the lab it is [`router`]'s, which is taken here.
pub(super) fn operator(network: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network.base).saturating_add(OPERATOR))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
