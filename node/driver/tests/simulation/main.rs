//! Thousands of seeded clusters over the driver: crashes, power losses, torn logs, cut links, stuck disks.
//!
//! `FARQUORUM_SEEDS=n` sets how many seeds run, `FARQUORUM_SEED=n` replays one. What must hold is in `checks.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a simulation that goes on after a surprise hides it"
)]

mod checks;
mod dice;
mod disk;
mod events;
mod faults;
mod machine;
mod network;
mod node;
mod trace;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use world::World;

/// Seeds of one run of the tests: under a minute on one core.
const SEEDS: u64 = 2_000;

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) {
        eprintln!("the last events (node, boot, numbers):");
        world.trace.print();
        eprintln!("seed {seed} failed; FARQUORUM_SEED={seed} replays it");
        resume_unwind(panic);
    }
    world
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number of seeds, or a seed"))
}

#[test]
fn nothing_is_lost_whatever_fails() {
    if let Some(seed) = variable("FARQUORUM_SEED") {
        run(seed);
        return;
    }
    let (seeds, started) = (variable("FARQUORUM_SEEDS").unwrap_or(SEEDS), Instant::now());
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut count = |what, number| *counts.entry(what).or_default() += number;
    for seed in 0..seeds {
        let world = run(seed);
        world.trace.counts.iter().for_each(|(what, number)| count(what, *number));
        count("entries", world.checks.last_index());
        count("reads", world.checks.reads_done);
        count("torn logs", world.tears);
    }
    let rate = u128::from(seeds) * 60_000 / started.elapsed().as_millis().max(1);
    println!("{seeds} seeds, {rate} a minute: {counts:?}");
    // A simulation in which nothing happens proves nothing.
    for (what, least) in [("entries", 20), ("reads", 5), ("crash", 1)] {
        assert!(counts.get(what).is_some_and(|number| *number >= seeds * least), "{what}: {counts:?}");
    }
    for what in ["snapshot", "fetch", "compact", "torn logs", "handed over"] {
        assert!(counts.contains_key(what) || seeds < 100, "no {what}: {counts:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let (one, two) = (run(seed), run(seed));
        assert_eq!((one.trace.hash(), one.trace.events), (two.trace.hash(), two.trace.events), "seed {seed}");
    }
}
