//! Consensus timing: what holds when the file sets none, and what is wrong or doubtful about what it sets.
//!
//! Derived election timeout = 8 x R, at least 600 ms, at most 10 s (but never below 3 x R), where R is the largest RTT
//! of a pair plus twice the jitter of both its directions (or what a measured one stays below as often). Heartbeat = a tenth of it. Why:
//! - A lost heartbeat comes again after TCP's retransmission timeout: about R plus 200 ms, then twice that. From
//!   R = 140 ms on, 8 x R outlasts a heartbeat whose repetition is lost too, so at 300 ms RTT, 50 ms jitter and 5 % loss
//!   (R = 500 ms, timeout 4 s) only three losses in a row reach it. Below, heartbeats follow each other so closely
//!   that TCP's fast retransmission repeats a lost one after three more and a round trip. With check-quorum the leader
//!   then stays unless a majority is silent at once; with pre-vote a single impatient follower disturbs nobody.
//! - raft-rs draws each timeout from one to two times this value. After a leader is killed at 75 ms RTT the first of
//!   the others notices within 1.2 s, and pre-vote and vote cost one RTT each: below 1.4 s, on average near 1 s.
//! - 600 ms rides out a slow fsync or a busy core where the RTT is next to nothing; 10 s bounds how long a cluster is
//!   without a leader.
//! - The driver ticks once a heartbeat, so the timeout is a whole number of heartbeats: ten.

use std::time::Duration;

use super::Derived;
use crate::finding::Report;
use crate::raw::Raw;
use crate::shape::LinkShape;
use crate::types::{Link, Raft};

/// Least derived election timeout, ms.
const ELECTION_FLOOR_MS: f64 = 600.0;
/// Greatest derived election timeout, ms, unless the links are slower than that.
const ELECTION_CEILING_MS: f64 = 10_000.0;
/// Heartbeats in a derived election timeout.
const HEARTBEATS: u64 = 10;

/// The pair of clouds with the largest round trip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rtt {
    /// Round-trip time without jitter, ms.
    rtt_ms: f64,
    /// What the jitter of both directions adds, ms: twice the standard deviation, where it is normal.
    jitter_ms: f64,
    /// The pair, for messages: `aws-azure`, or `inside a cloud`.
    pair: String,
}

impl Rtt {
    /// The round trip with allowance for jitter.
    fn stretched_ms(&self) -> f64 {
        self.rtt_ms + self.jitter_ms
    }
}

/// The largest round trip that is configured, jitter included.
pub(super) fn largest_rtt(links: &[Link], local: &LinkShape) -> Rtt {
    let inside = Rtt {
        rtt_ms: 2.0 * local.delay_ms,
        jitter_ms: 2.0 * local.jitter_allowance_ms(),
        pair: "inside a cloud".to_owned(),
    };
    links
        .iter()
        .filter_map(|there| {
            let back = links.iter().find(|back| back.from == there.to && back.to == there.from)?;
            Some(Rtt {
                rtt_ms: there.shape.delay_ms + back.shape.delay_ms,
                jitter_ms: there.shape.jitter_allowance_ms() + back.shape.jitter_allowance_ms(),
                pair: format!("{}-{}", there.from, there.to),
            })
        })
        .fold(inside, |largest, rtt| if rtt.stretched_ms() > largest.stretched_ms() { rtt } else { largest })
}

/// Heartbeat and election timeout in ms, for the parts that are not set.
fn derive(rtt: &Rtt, heartbeat_ms: Option<u64>, election_ms: Option<u64>) -> (u64, u64) {
    let stretched = rtt.stretched_ms();
    let wanted = (8.0 * stretched).clamp(ELECTION_FLOOR_MS, ELECTION_CEILING_MS).max(3.0 * stretched);
    let tenth = whole_ms(wanted / 10.0);
    match (heartbeat_ms, election_ms) {
        (Some(heartbeat), Some(election)) => (heartbeat, election),
        (None, Some(election)) => ((election / HEARTBEATS).max(1), election),
        (Some(heartbeat), None) => {
            let beats = (tenth * HEARTBEATS).div_ceil(heartbeat.max(1)).max(HEARTBEATS);
            (heartbeat, heartbeat.saturating_mul(beats))
        }
        (None, None) => (tenth, tenth * HEARTBEATS),
    }
}

/// Milliseconds rounded up. Through [`Duration`], because it converts without a cast and refuses what does not fit.
fn whole_ms(ms: f64) -> u64 {
    let duration = Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(Duration::from_secs(600));
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Consensus settings with derived timing.
pub(super) fn raft(raw: &Raw, rtt: &Rtt, report: &mut Report, derived: &mut Derived) -> Raft {
    let raft = &raw.raft;
    let (heartbeat_ms, election_ms) = derive(rtt, raft.heartbeat_ms, raft.election_timeout_ms);
    let links = format!("the largest RTT, {} ms ({})", rtt.rtt_ms, rtt.pair);
    let election_from = match (raft.heartbeat_ms, rtt.jitter_ms > 0.0) {
        (Some(_), _) => format!("raft.heartbeat_ms and {links}"),
        (None, true) => format!("{links}, and its jitter"),
        (None, false) => links,
    };
    derived.or(
        raft.heartbeat_ms,
        "raft.heartbeat_ms",
        heartbeat_ms,
        "raft.election_timeout_ms: a tenth of it",
    );
    derived.or(raft.election_timeout_ms, "raft.election_timeout_ms", election_ms, &election_from);
    check(raw, heartbeat_ms, election_ms, rtt, report);
    Raft {
        heartbeat: Duration::from_millis(heartbeat_ms),
        election_timeout: Duration::from_millis(election_ms),
        bootstrap: raft.bootstrap.unwrap_or_default(),
        log_keep_entries: raft.log_keep_entries.unwrap_or_default(),
        snapshot_every_entries: raft.snapshot_every_entries.unwrap_or_default(),
        data_dir: raft.data_dir.clone(),
    }
}

fn check(raw: &Raw, heartbeat_ms: u64, election_ms: u64, rtt: &Rtt, report: &mut Report) {
    // A derived timeout keeps the rules by construction.
    if raw.raft.election_timeout_ms.is_none() {
        return;
    }
    let path = "raft.election_timeout_ms";
    let value = || Some(election_ms.to_string());
    if election_ms < heartbeat_ms.saturating_mul(2) {
        let origin = report.origins.of("raft.heartbeat_ms");
        let message = format!(
            "must be at least 2 x raft.heartbeat_ms, which is {heartbeat_ms} ms ({origin}): at least {}",
            heartbeat_ms.saturating_mul(2)
        );
        report.error(path, value(), message);
    } else if election_ms < heartbeat_ms.saturating_mul(5) {
        let late = match election_ms.div_ceil(heartbeat_ms.max(1)).saturating_sub(1) {
            1 => "one late heartbeat starts an election".to_owned(),
            several => format!("{several} late heartbeats in a row start an election"),
        };
        let message = format!(
            "is less than 5 x raft.heartbeat_ms ({heartbeat_ms} ms): {late}, so packet loss or a slow disk can cost the leader its place; {} or more is steadier",
            heartbeat_ms.saturating_mul(10)
        );
        report.warn(path, value(), message);
    }
    let least = whole_ms(3.0 * rtt.rtt_ms);
    if election_ms < least {
        let message = format!(
            "is less than 3 x the largest RTT, {} ms ({}): votes may not be back before the next election starts, \
             so no leader may be found; use {least} or more, or leave both timings unset",
            rtt.rtt_ms, rtt.pair
        );
        report.warn(path, value(), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Jitter;

    fn rtt(rtt_ms: f64, jitter_ms: f64) -> Rtt {
        Rtt { rtt_ms, jitter_ms: 2.0 * jitter_ms, pair: "a-b".to_owned() }
    }

    #[test]
    fn derived_timing() {
        // RTT, standard deviation of both directions together, set heartbeat, set election -> heartbeat, election.
        let cases = [
            (0.0, 0.0, None, None, (60, 600)),
            (0.2, 0.0, None, None, (60, 600)),
            (75.0, 0.0, None, None, (60, 600)),
            (76.0, 0.0, None, None, (61, 610)),
            (243.0, 0.0, None, None, (195, 1_950)),
            (300.0, 100.0, None, None, (400, 4_000)),
            (1_250.0, 0.0, None, None, (1_000, 10_000)),
            (3_000.0, 0.0, None, None, (1_000, 10_000)),
            (4_000.0, 0.0, None, None, (1_200, 12_000)),
            (120_000.0, 0.0, None, None, (36_000, 360_000)),
            (75.0, 0.0, Some(100), None, (100, 1_000)),
            (75.0, 0.0, Some(500), None, (500, 5_000)),
            (243.0, 0.0, Some(100), None, (100, 2_000)),
            (75.0, 0.0, None, Some(1_000), (100, 1_000)),
            (75.0, 0.0, None, Some(5), (1, 5)),
            (75.0, 0.0, Some(500), Some(1_000), (500, 1_000)),
        ];
        for (rtt_ms, jitter_ms, heartbeat, election, expected) in cases {
            let got = derive(&rtt(rtt_ms, jitter_ms), heartbeat, election);
            assert_eq!(
                got, expected,
                "{rtt_ms} ms RTT, {jitter_ms} ms jitter, set {heartbeat:?} {election:?}"
            );
        }
    }

    #[test]
    fn largest_rtt_counts_both_directions_and_jitter() {
        let link = |from: &str, to: &str, delay_ms: f64, jitter_ms: f64| Link {
            from: from.to_owned(),
            to: to.to_owned(),
            shape: LinkShape { delay_ms, jitter: Some(Jitter::normal(jitter_ms)), ..LinkShape::default() },
        };
        let links = [
            link("a", "b", 10.0, 0.0),
            link("b", "a", 40.0, 0.0),
            link("a", "c", 20.0, 5.0),
            link("c", "a", 20.0, 5.0),
        ];
        let local = LinkShape { delay_ms: 0.1, ..LinkShape::default() };
        let largest = largest_rtt(&links, &local);
        assert_eq!(largest, Rtt { rtt_ms: 40.0, jitter_ms: 20.0, pair: "a-c".to_owned() });
        assert_eq!(largest_rtt(&[], &local).rtt_ms, 0.2);
    }
}
