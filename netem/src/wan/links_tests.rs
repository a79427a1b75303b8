//! The tables of links against a plain model of cuts, and conservation of packets.

use std::collections::BTreeSet;

use farquorum_config::{LinkShape, Loss};
use proptest::prelude::*;

use super::*;

/// Two hosts in each of three clouds; host `h` is in cloud `h / 2`.
fn links(loss: f64) -> Links {
    let clouds = [("a", 0), ("b", 1), ("c", 2)];
    let mut spec = LabSpec::sample(&clouds, 2, &[("a", "b", 20.0), ("a", "c", 20.0), ("b", "c", 20.0)]);
    for link in &mut spec.links {
        let loss = Loss::Independent(loss);
        link.shape = LinkShape { loss, rate_mbit: Some(1.0), queue_bytes: Some(3_000), ..link.shape.clone() };
    }
    spec.seed = 3;
    Links::of(&spec)
}

fn sites() -> impl Strategy<Value = Site> {
    prop_oneof![(0_usize..3).prop_map(Site::Cloud), (0_usize..6).prop_map(Site::Host)]
}

fn hosts(site: Site) -> Vec<usize> {
    match site {
        Site::Host(host) => vec![host],
        Site::Cloud(cloud) => vec![cloud * 2, cloud * 2 + 1],
    }
}

proptest! {
    /// A pair of hosts is cut when their clouds are, or when they are by themselves, and never otherwise.
    #[test]
    fn cuts_agree_with_a_plain_model(steps in prop::collection::vec((sites(), sites(), any::<bool>()), 0..20)) {
        let mut links = links(0.0);
        let (mut clouds, mut pairs) = (BTreeSet::new(), BTreeSet::new());
        for (from, to, cut) in steps {
            links.set_cut(from, to, cut);
            let both = hosts(from).into_iter().flat_map(|a| hosts(to).into_iter().map(move |b| (a, b)));
            match (from, to, cut) {
                (Site::Cloud(a), Site::Cloud(b), true) => drop(clouds.insert((a, b))),
                (_, _, true) => pairs.extend(both.filter(|(a, b)| a != b)),
                (_, _, false) => {
                    let healed: BTreeSet<_> = both.collect();
                    pairs.retain(|pair| !healed.contains(pair));
                    if let (Site::Cloud(a), Site::Cloud(b)) = (from, to) {
                        clouds.remove(&(a, b));
                    }
                }
            }
        }
        for a in 0..6 {
            for b in (0..6).filter(|b| *b != a) {
                let path = links.path(a, b).unwrap();
                let cut = clouds.contains(&(a / 2, b / 2)) || pairs.contains(&(a, b));
                prop_assert_eq!(links.offer(path, 0, 40).is_none(), cut, "{} -> {}", a, b);
            }
        }
    }

    /// Offered plus copied is what goes on its way plus every kind of drop.
    #[test]
    fn packets_are_conserved(train in prop::collection::vec((0_usize..6, 0_usize..6, 0_u64..2_000_000), 0..300)) {
        let mut links = links(0.3);
        let doubled = LinkShape { duplicate: 0.5, ..links.report()[1].shape.clone() };
        links.set_shape(0, 1, doubled);
        links.set_cut(Site::Host(0), Site::Cloud(2), true);
        let (mut now_ns, mut accepted, mut offered) = (0, 0, 0);
        for (from, to, gap_ns) in train {
            now_ns += gap_ns;
            let path = links.path(from, to).unwrap();
            offered += 1;
            if let Some(delivery) = links.offer(path, now_ns, 1_000) {
                accepted += 1 + u64::from(delivery.copy_at_ns.is_some());
            }
        }
        let counters: Vec<_> = links.report().into_iter().map(|link| link.counters).collect();
        let dropped: u64 = counters.iter().map(|one| one.lost + one.queue_full + one.waited + one.cut).sum();
        let copies: u64 = counters.iter().map(|one| one.duplicated).sum();
        prop_assert_eq!(counters.iter().map(|one| one.offered).sum::<u64>(), offered);
        prop_assert_eq!(accepted + dropped, offered + copies);
    }
}

#[test]
fn isolation_of_a_cloud_leaves_its_inside_alone_and_rejoining_undoes_it() {
    let mut links = links(0.0);
    let open = |links: &mut Links, a: usize, b: usize| {
        let path = links.path(a, b).unwrap();
        links.offer(path, 0, 40).is_some()
    };
    links.set_isolated(Site::Cloud(0), true);
    let seen = [(0, 1), (0, 2), (4, 1), (2, 4)].map(|(a, b)| open(&mut links, a, b));
    assert_eq!(seen, [true, false, false, true]);
    links.set_isolated(Site::Cloud(0), false);
    assert!(open(&mut links, 0, 2) && open(&mut links, 4, 1));
    links.set_isolated(Site::Host(0), true);
    assert!(!open(&mut links, 0, 1) && open(&mut links, 1, 2));
    links.set_isolated(Site::Cloud(0), false);
    assert!(open(&mut links, 0, 1), "rejoining a cloud heals its hosts");
}
