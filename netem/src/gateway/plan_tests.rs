//! The order of the gateway's steps, and how it finds its interfaces.

use super::*;

fn network(second: u8) -> Ipv4Net {
    Ipv4Net { base: Ipv4Addr::new(10, second, 0, 0), len: 24 }
}

fn two() -> Vec<Side> {
    [(10, "eth1"), (20, "eth0")]
        .map(|(second, interface)| Side { network: network(second), interface: interface.to_owned() })
        .to_vec()
}

#[test]
fn everything_is_dropped_first_and_the_addresses_come_last() {
    let plan = plan(&two(), Way::Device("wan0"), None);
    let rule =
        |priority, interface: &str, table| Step::Rule { priority, interface: interface.to_owned(), table };
    let closed = [
        Step::LastResort { table: 100 },
        Step::LastResort { table: 101 },
        rule(100, "wan0", MAIN),
        rule(200, "eth1", 100),
        rule(200, "eth0", 101),
    ];
    assert_eq!(plan.closed, closed);
    let through = |table| Step::Route { table, network: None, interface: "wan0".to_owned(), metric: 1 };
    assert_eq!(plan.through, [through(100), through(101)]);
    let address = |interface: &str, second| Step::Address {
        interface: interface.to_owned(),
        address: Ipv4Addr::new(10, second, 0, 2),
    };
    assert_eq!(plan.open, [address("eth1", 10), address("eth0", 20)]);
}

#[test]
fn pairs_lead_from_each_cloud_to_each_other_and_nowhere_else() {
    let plan = plan(&two(), Way::Pairs, None);
    let through = |table, second, name: &str| Step::Route {
        table,
        network: Some(network(second)),
        interface: name.to_owned(),
        metric: 1,
    };
    assert_eq!(plan.through, [through(100, 20, "in0-1"), through(101, 10, "in1-0")]);
    let rules: Vec<_> =
        plan.closed.iter().filter(|step| matches!(step, Step::Rule { table: MAIN, .. })).collect();
    assert_eq!(rules.len(), 2, "{rules:?}");
    let longest = pair_names(99, 98);
    assert!(longest.1.len() < 16, "the kernel's names have 15 bytes: {longest:?}");
}

#[test]
fn link_addresses_of_its_own_are_announced_when_all_else_is_there() {
    let mut next = 0xfe_u8;
    let mut own = || {
        next = next.wrapping_add(1);
        [next, 2, 3, 4, 5, 6]
    };
    let kept = plan(&two(), Way::Device("wan0"), None);
    let taken = plan(&two(), Way::Device("wan0"), Some(&mut own));
    assert_eq!((taken.closed, taken.through), (kept.closed, kept.through));
    let (before, last) = taken.open.split_at(2);
    assert_eq!(before, kept.open);
    let link = |interface: &str, first| Step::LinkAddress {
        interface: interface.to_owned(),
        address: [first, 2, 3, 4, 5, 6],
    };
    // 0xff and 0x00, as addresses of one station that nobody gave.
    assert_eq!(last, [link("eth1", 0xfe), link("eth0", 0x02)]);
}

#[test]
fn interfaces_are_found_by_address() {
    let clouds: BTreeMap<_, _> =
        [("aws", 10), ("gcp", 20)].map(|(name, second)| (name.to_owned(), network(second))).into();
    let at = |name: &str, second, last| (name.to_owned(), Ipv4Addr::new(10, second, 0, last));
    let good =
        [at("eth0", 20, 254), at("eth1", 10, 254), at("eth1", 10, 2), ("lo".to_owned(), Ipv4Addr::LOCALHOST)];
    assert_eq!(sides(&clouds, &good), Ok(two()));
    let missing = sides(&clouds, &[at("eth0", 20, 254)]).unwrap_err();
    assert!(
        missing.contains("10.10.0.0/24, the network of cloud aws; there are: eth0 10.20.0.254"),
        "{missing}"
    );
    let twice = sides(&clouds, &[at("eth0", 20, 254), at("eth1", 10, 254), at("eth2", 10, 5)]).unwrap_err();
    assert!(twice.contains("several interfaces"), "{twice}");
}
