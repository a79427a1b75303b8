//! What is measured, how often, in how many stretches of time. Pure: from the flags to numbers.

use clap::ValueEnum;

use crate::failure::Failure;

/// A quantity that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Quantity {
    /// Round trips between all pairs of nodes.
    Rtt,
    /// One client, one write after another.
    Commit,
    /// The same with reads: linearizable, and stale.
    Read,
    /// Writes per second with a bounded number under way.
    Throughput,
    /// The leader hands over: until the next leads.
    Transfer,
    /// The leader is killed (simulation only): until the next leads, until a write is acknowledged.
    Election,
}

impl Quantity {
    /// In the order in which a block measures them: what disturbs comes last.
    pub(crate) const ALL: [Self; 6] =
        [Self::Rtt, Self::Commit, Self::Read, Self::Throughput, Self::Transfer, Self::Election];

    /// Whether it writes to the key-value store.
    pub(super) fn writes(self) -> bool {
        !matches!(self, Self::Rtt)
    }

    /// Whether users of a real deployment notice it.
    fn disturbs(self) -> bool {
        matches!(self, Self::Throughput | Self::Transfer | Self::Election)
    }

    /// As `--only` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rtt => "rtt",
            Self::Commit => "commit",
            Self::Read => "read",
            Self::Throughput => "throughput",
            Self::Transfer => "transfer",
            Self::Election => "election",
        }
    }
}

/// Least milliseconds between two probes to a peer. Twice what the node allows at least: the answer of one is then never
/// at work while the next one leaves, on links below this and without loss.
const PROBE_EVERY_MS: u32 = 20;

/// Probes on their way at once. TCP lets ten segments go before the first is acknowledged (RFC 6928), and again after each
/// silence; heartbeats need their share. More probes would wait in the sender and measure that: on a link of 226 ms one
/// in thirty came back 40 to 180 ms late.
const PROBES_UNDER_WAY: u32 = 4;

/// And never rarer than this, whatever a node says of a link.
const PROBE_EVERY_MAX_MS: u32 = 1000;

/// Most blocks.
const BLOCKS_MAX: u32 = 1000;

/// Most samples of one quantity: a day of commits at 75 ms.
const SAMPLES_MAX: u32 = 1_000_000;

/// What the flags ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) quick: bool,
    pub(super) blocks: Option<u32>,
    pub(super) samples: Option<u32>,
    pub(super) elections: Option<u32>,
    pub(super) only: Vec<Quantity>,
    pub(super) disruptive: bool,
}

/// What is going to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Stretches of time; every quantity is measured in each.
    pub(super) blocks: u32,
    /// In the order of measuring.
    pub(super) quantities: Vec<Quantity>,
    /// Over all blocks: samples of each pair's round trip, of commits, of each kind of read.
    samples: u32,
    /// Over all blocks: elections, and transfers.
    elections: u32,
    /// Of throughput, in each block.
    seconds: u32,
    /// Milliseconds between two probes to a peer.
    probe_every_ms: u32,
}

impl Plan {
    /// What was asked for, as far as this cluster may be asked.
    pub(super) fn of(wish: &Wish, simulation: bool) -> Result<Self, Failure> {
        let (blocks, samples, elections, seconds) =
            if wish.quick { (3, 300, 3, 2) } else { (10, 3000, 30, 5) };
        let blocks = within("--blocks", wish.blocks.unwrap_or(blocks), 1, BLOCKS_MAX)?;
        let samples = within("--samples", wish.samples.unwrap_or(samples), blocks, SAMPLES_MAX)?;
        let elections = within("--elections", wish.elections.unwrap_or(elections), 0, SAMPLES_MAX)?;
        let asked = |quantity: &Quantity| wish.only.is_empty() || wish.only.contains(quantity);
        let may = |quantity: &Quantity| {
            simulation || !quantity.disturbs() || (wish.disruptive && *quantity != Quantity::Election)
        };
        if let Some(refused) = wish.only.iter().find(|quantity| !may(quantity)) {
            return Err(refusal(*refused));
        }
        let quantities = Quantity::ALL.into_iter().filter(|quantity| asked(quantity) && may(quantity));
        let quantities = quantities.collect();
        Ok(Self { blocks, quantities, samples, elections, seconds, probe_every_ms: PROBE_EVERY_MS })
    }

    /// With probes as far from each other as the slowest link between two nodes needs it.
    pub(super) fn paced(self, slowest_ms: u32) -> Self {
        let probe_every_ms = slowest_ms.div_ceil(PROBES_UNDER_WAY).clamp(PROBE_EVERY_MS, PROBE_EVERY_MAX_MS);
        Self { probe_every_ms, ..self }
    }

    /// Milliseconds between two probes to a peer.
    pub(super) fn probe_every_ms(&self) -> u32 {
        self.probe_every_ms
    }

    /// How many measurements of a quantity a block makes; of throughput, seconds.
    pub(super) fn count(&self, quantity: Quantity, block: u32) -> u32 {
        let spread = |total: u32| total / self.blocks + u32::from(block < total % self.blocks);
        match quantity {
            Quantity::Rtt | Quantity::Commit | Quantity::Read => spread(self.samples),
            Quantity::Throughput => self.seconds,
            Quantity::Transfer | Quantity::Election => spread(self.elections),
        }
    }

    /// Roughly how long a block spends on a quantity, in milliseconds, when a commit takes `commit_ms`: what the
    /// progress bar counts. An election is the timeout, a restart and catching up.
    pub(super) fn expected_ms(&self, quantity: Quantity, block: u32, commit_ms: u64) -> u64 {
        let count = u64::from(self.count(quantity, block));
        match quantity {
            Quantity::Rtt => count * u64::from(self.probe_every_ms),
            Quantity::Commit => count * commit_ms,
            Quantity::Read => count * (commit_ms + 2),
            Quantity::Throughput => count * 1000 + 2000,
            Quantity::Transfer => count * commit_ms * 4,
            Quantity::Election => count * 5000,
        }
    }

    /// The whole recording.
    pub(super) fn total_ms(&self, commit_ms: u64) -> u64 {
        let of_block = |block| -> u64 {
            self.quantities.iter().map(|quantity| self.expected_ms(*quantity, block, commit_ms)).sum()
        };
        (0..self.blocks).map(of_block).sum()
    }
}

fn within(flag: &str, value: u32, least: u32, most: u32) -> Result<u32, Failure> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let why = if flag == "--samples" { " (at least one for each block)" } else { "" };
    Err(Failure::usage(format!("{flag} {value}: must be from {least} to {most}{why}")))
}

fn refusal(quantity: Quantity) -> Failure {
    let name = quantity.name();
    if quantity == Quantity::Election {
        return Failure::usage(
            "election: it is measured by killing the leader, which is done in a simulation only",
        )
        .hint("--only transfer --disruptive measures how a real leader hands over");
    }
    Failure::usage(format!("{name}: users of this deployment would notice it"))
        .hint(format!("--only {name} --disruptive measures it all the same"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(wish: &Wish, simulation: bool) -> Plan {
        Plan::of(wish, simulation).unwrap()
    }

    #[test]
    fn samples_are_spread_over_the_blocks() {
        let wish = Wish { blocks: Some(3), samples: Some(100), elections: Some(2), ..Wish::default() };
        let plan = plan(&wish, true);
        let counts = |quantity| (0..3).map(|block| plan.count(quantity, block)).collect::<Vec<_>>();
        assert_eq!(counts(Quantity::Rtt), [34, 33, 33]);
        assert_eq!(counts(Quantity::Election), [1, 1, 0]);
        assert!(plan.total_ms(50) > 100 * (20 + 50 + 50) + 2 * 5000);
    }

    #[test]
    fn few_probes_are_under_way_on_a_slow_link() {
        let every = |slowest_ms| plan(&Wish::default(), true).paced(slowest_ms).probe_every_ms();
        assert_eq!([0, 75, 226, 300, u32::MAX].map(every), [20, 20, 57, 75, 1000]);
        assert_eq!(plan(&Wish::default(), true).paced(226).expected_ms(Quantity::Rtt, 0, 0), 300 * 57);
    }

    #[test]
    fn a_full_recording_has_three_thousand_samples_in_several_blocks() {
        let full = plan(&Wish::default(), true);
        let total: u32 = (0..full.blocks).map(|block| full.count(Quantity::Rtt, block)).sum();
        assert_eq!((full.blocks, total, full.quantities.as_slice()), (10, 3000, Quantity::ALL.as_slice()));
        let quick = plan(&Wish { quick: true, ..Wish::default() }, true);
        assert!(quick.total_ms(50) < full.total_ms(50) / 5);
    }

    #[test]
    fn a_real_deployment_is_not_disturbed_unless_asked() {
        use Quantity::{Commit, Read, Rtt, Throughput, Transfer};
        assert_eq!(plan(&Wish::default(), false).quantities, [Rtt, Commit, Read]);
        let disruptive = Wish { disruptive: true, ..Wish::default() };
        assert_eq!(plan(&disruptive, false).quantities, [Rtt, Commit, Read, Throughput, Transfer]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let only = |quantity| Wish { only: vec![quantity], ..Wish::default() };
        for (wish, simulation) in [
            (Wish { blocks: Some(0), ..Wish::default() }, true),
            (Wish { blocks: Some(1001), ..Wish::default() }, true),
            (Wish { samples: Some(9), ..Wish::default() }, true),
            (only(Quantity::Election), false),
            (only(Quantity::Transfer), false),
            (Wish { disruptive: true, ..only(Quantity::Election) }, false),
        ] {
            let kind = Plan::of(&wish, simulation).map_err(|failure| failure.kind());
            assert_eq!(kind, Err(crate::failure::Kind::Usage), "{wish:?}");
        }
    }
}
