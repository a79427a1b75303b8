//! The bytes in the log and in snapshots, against recordings of every version, and what comes from versions to come.
//!
//! `cargo test -p farquorum-core --test formats -- --ignored record` records what is new in this version.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure here is a failed test"
)]

#[path = "formats/later.rs"]
mod later;
#[path = "formats/recorded.rs"]
mod recorded;
#[path = "formats/samples.rs"]
mod samples;

use std::path::PathBuf;

use farquorum_core::{Proposal, State, Unreadable};
use minicbor::Encoder;
use recorded::{Read, Sample, compare, record as add};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

fn samples() -> Vec<Sample> {
    let entries = samples::commands().into_iter().map(|command| {
        let (name, proposal) = (samples::name(&command), samples::proposal(command));
        Sample::new(name, proposal.encode(), &proposal)
    });
    let state = samples::state();
    let bytes = state.write_snapshot().flatten().collect();
    entries.chain([Sample::new("snapshot", bytes, &samples::show(&state))]).collect()
}

fn read(name: &str, bytes: &[u8]) -> Read {
    if name == "snapshot" {
        let state = State::read_snapshot(bytes).map_err(|error| error.to_string())?;
        let again = state.write_snapshot().flatten().collect();
        return Ok((format!("{:#?}\n", samples::show(&state)), again));
    }
    let proposal = Proposal::decode(bytes).map_err(|error| error.to_string())?;
    if samples::name(&proposal.command) != name {
        return Err(format!("it is {:?}", proposal.command));
    }
    Ok((format!("{proposal:#?}\n"), proposal.encode()))
}

#[test]
fn what_any_version_wrote_is_read_and_written_the_same() {
    compare(&folder(), &samples(), read);
}

/// Asks the decoder which numbers it knows: a kind that is missing among the samples is found.
#[test]
fn every_kind_of_command_has_a_recording() {
    let known = (0..1000).take_while(|number| {
        let mut bytes = Vec::new();
        let mut entry = Encoder::new(&mut bytes);
        entry.array(2).unwrap().u64(1).unwrap().array(2).unwrap().u32(*number).unwrap().array(0).unwrap();
        !matches!(Proposal::decode(&bytes), Err(Unreadable::Unknown { .. }))
    });
    let known = known.count();
    let names: std::collections::BTreeSet<_> = samples::commands().iter().map(samples::name).collect();
    assert_eq!(names.len(), known, "the samples have {names:?}");
}

#[test]
#[ignore = "records what is new in this version"]
fn record() {
    add(&folder(), &samples());
}
