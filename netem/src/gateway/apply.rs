//! The gateway's steps as requests to the kernel (linux/rtnetlink.h, linux/fib_rules.h, linux/if_addr.h), each over a
//! socket of its own network. A step that is in force already is done: a gateway that starts again in the same network
//! finds its rules there.

use std::io;
use std::net::Ipv4Addr;

use farquorum_config::Ipv4Net;

use super::plan::{Step, last_resort_metric};
use crate::lab::netlink::{self, parts};
use crate::netlink::{Attributes, CREATE_EXCL, Message, Socket, c_string};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWRULE: u16 = 32;
const AF_INET: u8 = 2;
const IFA_LOCAL: u16 = 2;
const IFA_ADDRESS: u16 = 1;
const IFA_LABEL: u16 = 3;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const ACTION_TO_TABLE: u8 = 1;
const PROTOCOL_STATIC: u8 = 4;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const TYPE_UNICAST: u8 = 1;
const TYPE_BLACKHOLE: u8 = 6;
/// Size of `struct ifaddrmsg`.
const IFADDRMSG_BYTES: usize = 8;

/// Puts steps into force, in their order.
///
/// # Errors
/// The first step that the kernel refused.
pub(super) fn apply(socket: &mut Socket, steps: &[Step]) -> Result<(), (String, io::Error)> {
    for step in steps {
        let done = message(step).and_then(|message| socket.change(&message));
        match done {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err((format!("{step:?}"), error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn message(step: &Step) -> io::Result<Message> {
    Ok(match step {
        Step::LastResort { table } => last_resort(*table),
        Step::Rule { priority, interface, table } => rule(*priority, interface, *table),
        Step::Route { table, network, interface, metric } => {
            route(*table, *network, netlink::index(interface)?, *metric)
        }
        Step::Address { interface, address } => address_message(netlink::index(interface)?, *address),
        Step::LinkAddress { interface, address } => {
            netlink::link_address(netlink::index(interface)?, *address)
        }
    })
}

/// `struct rtmsg`: family, prefix lengths, type of service, table, protocol, scope, type, flags.
fn rtmsg(bits: u8, table: u8, scope: u8, kind: u8) -> [u8; 12] {
    [AF_INET, bits, 0, 0, table, PROTOCOL_STATIC, scope, kind, 0, 0, 0, 0]
}

fn last_resort(table: u8) -> Message {
    let mut message =
        Message::new(RTM_NEWROUTE, CREATE_EXCL, &rtmsg(0, table, SCOPE_UNIVERSE, TYPE_BLACKHOLE));
    message.attribute(RTA_PRIORITY, &last_resort_metric().to_ne_bytes());
    message
}

fn route(table: u8, network: Option<Ipv4Net>, interface: u32, metric: u32) -> Message {
    let bits = network.map_or(0, |network| network.len);
    let mut message = Message::new(RTM_NEWROUTE, CREATE_EXCL, &rtmsg(bits, table, SCOPE_LINK, TYPE_UNICAST));
    if let Some(network) = network {
        message.attribute(RTA_DST, &network.base.octets());
    }
    message.attribute(RTA_OIF, &interface.to_ne_bytes());
    message.attribute(RTA_PRIORITY, &metric.to_ne_bytes());
    message
}

/// `struct fib_rule_hdr`: family, prefix lengths, type of service, table, padding, action, flags.
fn rule(priority: u32, interface: &str, table: u8) -> Message {
    let header = [AF_INET, 0, 0, 0, table, 0, 0, ACTION_TO_TABLE, 0, 0, 0, 0];
    let mut message = Message::new(RTM_NEWRULE, CREATE_EXCL, &header);
    message.attribute(FRA_IIFNAME, &c_string(interface));
    message.attribute(FRA_PRIORITY, &priority.to_ne_bytes());
    message
}

fn address_message(interface: u32, address: Ipv4Addr) -> Message {
    let (family, bits, bytes) = parts(address.into());
    let mut body = vec![family, bits, 0, 0];
    body.extend_from_slice(&interface.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, CREATE_EXCL, &body);
    message.attribute(IFA_LOCAL, &bytes);
    message.attribute(IFA_ADDRESS, &bytes);
    message
}

/// The IPv4 addresses of this network, each with the name of its interface.
///
/// # Errors
/// When the kernel does not list them.
pub(super) fn addresses(socket: &mut Socket) -> io::Result<Vec<(String, Ipv4Addr)>> {
    let answers = socket.ask(&Message::dump(RTM_GETADDR, &[AF_INET, 0, 0, 0, 0, 0, 0, 0]))?;
    Ok(answers.iter().filter_map(|answer| read_address(answer)).collect())
}

fn read_address(answer: &[u8]) -> Option<(String, Ipv4Addr)> {
    let attributes = Attributes::of(answer.get(IFADDRMSG_BYTES..)?);
    let address = attributes.find(IFA_LOCAL).or_else(|| attributes.find(IFA_ADDRESS))?.first_chunk::<4>()?;
    // The label of an address is its interface's name, and for an alias that name with a suffix.
    let label = attributes.find(IFA_LABEL)?.split(|byte| *byte == 0 || *byte == b':').next()?;
    Some((String::from_utf8(label.to_vec()).ok()?, Ipv4Addr::from(*address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_resort_is_a_blackhole_that_every_other_route_precedes() {
        #[rustfmt::skip]
        let body = [
            2, 0, 0, 0, 100, 4, 0, 6, 0, 0, 0, 0, // header
            8, 0, 6, 0, 0xe8, 3, 0, 0,
        ];
        assert_eq!(last_resort(100).body(), body);
    }

    #[test]
    fn a_rule_names_the_interface_and_the_table() {
        #[rustfmt::skip]
        let body = [
            2, 0, 0, 0, 101, 0, 0, 1, 0, 0, 0, 0, // header
            9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0,
            8, 0, 6, 0, 200, 0, 0, 0,
        ];
        assert_eq!(rule(200, "eth0", 101).body(), body);
    }

    #[test]
    fn a_route_to_a_network_says_how_long_its_prefix_is() {
        let network = Ipv4Net { base: Ipv4Addr::new(10, 20, 0, 0), len: 24 };
        #[rustfmt::skip]
        let body = [
            2, 24, 0, 0, 100, 4, 253, 1, 0, 0, 0, 0, // header
            8, 0, 1, 0, 10, 20, 0, 0,
            8, 0, 4, 0, 7, 0, 0, 0,
            8, 0, 6, 0, 1, 0, 0, 0,
        ];
        assert_eq!(route(100, Some(network), 7, 1).body(), body);
    }

    #[test]
    fn addresses_are_read_and_what_is_cut_short_is_not() {
        let mut message = Message::new(0, 0, &[2, 24, 0, 0, 5, 0, 0, 0]);
        message.attribute(IFA_ADDRESS, &[10, 10, 0, 254]);
        message.attribute(IFA_LOCAL, &[10, 10, 0, 254]);
        message.attribute(IFA_LABEL, b"eth1\0");
        let body = message.body();
        assert_eq!(read_address(body), Some(("eth1".to_owned(), Ipv4Addr::new(10, 10, 0, 254))));
        assert_eq!(read_address(&body[..20]), None);
        assert_eq!(read_address(&[]), None);
    }
}
