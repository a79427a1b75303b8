//! From the lab's own terms to what the control socket answers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use farquorum_netem::selftest;
use farquorum_netem::wan::{Counters, LinkReport};

use super::network::Network;
use super::protocol::{Checked, HostStatus, LinkStatus, PairCheck};
use super::watch::doubts;

/// Tries of the self-test: the first on a quiet machine, all of them on one that compiles something.
const SELF_TESTS_MAX: usize = 5;

/// A host as it was planned.
#[derive(Clone, Debug)]
pub(crate) struct HostPlan {
    /// Its name.
    pub(crate) name: String,
    /// node, worker, object-store or operator.
    pub(crate) role: &'static str,
    /// Its cloud.
    pub(crate) cloud: String,
    /// Its address inside.
    pub(crate) address: Ipv4Addr,
    /// Service name -> address on this machine.
    pub(crate) ports: BTreeMap<String, String>,
}

impl HostPlan {
    /// With what its process does at the moment.
    pub(crate) fn status(&self, state: String, starts: u32) -> HostStatus {
        HostStatus {
            name: self.name.clone(),
            role: self.role.to_owned(),
            cloud: self.cloud.clone(),
            address: self.address.to_string(),
            state,
            starts,
            ports: self.ports.clone(),
        }
    }
}

/// All directed links with their counters.
pub(crate) fn links(links: Vec<LinkReport>) -> Vec<LinkStatus> {
    let status = |link: LinkReport| LinkStatus {
        from: link.from,
        to: link.to,
        delay_ms: link.shape.delay_ms,
        jitter_ms: link.shape.jitter_deviation_ms(),
        loss: link.shape.loss.share(),
        rate_mbit: link.shape.rate_mbit,
        cut: link.cut,
        packets: link.counters.offered,
        bytes: link.counters.delivered_bytes,
        dropped: dropped(&link.counters),
    };
    links.into_iter().map(status).collect()
}

fn dropped(counters: &Counters) -> u64 {
    counters.lost
        + counters.queue_full
        + counters.waited
        + counters.cut
        + counters.overload
        + counters.refused
}

/// Measures every directed pair. On a machine that is busy at the moment the emulator itself is late; such a test says
/// nothing about the links, so it is made again, a few times.
pub(crate) fn check(network: &Network, lateness_p99_max: Duration) -> Result<Checked, String> {
    let start = network.control().lateness_mark().map_err(|error| error.to_string())?;
    let mut test = network.test()?;
    for _again in 1..SELF_TESTS_MAX {
        if test.passed() || !test.second_ways.is_empty() {
            break;
        }
        test = network.test()?;
    }
    let problems = test.problems();
    let lateness = network.control().lateness_since(&start).map_err(|error| error.to_string())?;
    Ok(Checked {
        pairs: test.pairs.into_iter().map(pair).collect(),
        problems,
        lateness_p99_us: lateness.known().map(|known| known.p99_us),
        lateness_valid: lateness.valid(lateness_p99_max),
        invalid_reasons: doubts(&lateness, lateness_p99_max),
    })
}

fn pair(pair: selftest::PairResult) -> PairCheck {
    PairCheck {
        from: pair.from,
        to: pair.to,
        configured_ms: pair.configured_ms,
        measured_ms: pair.measured_ms,
        ipv6_ms: pair.ipv6_ms,
        error_ms: pair.error_ms,
        ok: pair.ok,
        note: pair.note,
    }
}
