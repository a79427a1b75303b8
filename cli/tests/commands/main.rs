//! The commands as a person and a script see them: what is printed, in which formats, and with which exit code. One
//! simulation serves the whole file; the parts run one after another on it, and all of them run even when one fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod certs;
mod contexts;
mod doctor;
mod host_keys;
mod jobs;
mod kv;
#[path = "../lab/mod.rs"]
mod lab;
mod shape;
mod shapes;
mod storage;
mod tasks;
mod terminal;

use std::panic::{AssertUnwindSafe, catch_unwind};

use lab::ran::{Ran, run};
use lab::{Sim, ran};

/// What a part shows, and the part.
type Part = (&'static str, fn(&Sim));

/// The parts, in order: `shapes` needs a simulation that has no task and no job yet.
const PARTS: &[Part] = &[
    ("every data command: fields, formats, rows", shapes::all),
    ("kv: reads, writes, absent keys", kv::semantics),
    ("kv: sizes and bytes", kv::sizes_and_bytes),
    ("tasks: what a kind does", tasks::kinds),
    ("tasks: what is refused", tasks::refusals),
    ("tasks: a wait with an end", tasks::bounded_wait),
    ("jobs: the result is the reference", jobs::equals_the_reference),
    ("jobs: detach and follow", jobs::detach_and_follow),
    ("jobs: bad input", jobs::bad_input),
    ("jobs: two with one output", jobs::one_output),
    ("jobs: what is left out of the input", jobs::skipped),
    ("jobs: a store that is down", jobs::store_down),
    ("storage: from every place", storage::from_every_place),
    ("storage: workers that are away", storage::workers_that_are_away),
    ("certificates: init, issue, show", certs::round_trip),
    ("certificates: who is refused", certs::refused),
    ("keys made on a host: request, sign, install, renew", host_keys::round_trip),
    ("keys made on a host: renewed when it is due", host_keys::watched),
    ("keys made on a host: what is refused", host_keys::refused),
    ("doctor: a host that is well, and one with a peer that is not", doctor::on_a_host),
    ("contexts: imported, used", contexts::imported),
    ("colour only for a terminal that wants it", terminal::colour),
    ("a reader that stops early", terminal::closed_pipe),
];

#[test]
fn commands() {
    let Some(sim) = Sim::up(&[]) else { return };
    let fails = |(name, part): &&Part| {
        println!("part: {name}");
        catch_unwind(AssertUnwindSafe(|| part(&sim))).is_err()
    };
    let failed: Vec<&str> = PARTS.iter().filter(fails).map(|(name, _)| *name).collect();
    assert!(failed.is_empty(), "failed parts (messages above): {failed:#?}");
}

/// Runs a command against the simulation.
fn ran(sim: &Sim, args: &[&str]) -> Ran {
    run(sim.command(args))
}
