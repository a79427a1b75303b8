//! Entries and snapshots that earlier versions wrote: they are read, and written again as the same bytes. So a field that
//! came later is absent in them, takes no byte while it is not set, and the state hash of an old log stays what it was.
//!
//! One file each in `tests/records`, hexadecimal; its name says which field its writer did not have, and what it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure here is a failed test")]

use std::fs;
use std::path::Path;

use farquorum_core::{Command, Proposal, State, TaskFilter, TaskId};

#[test]
fn records_of_earlier_versions_are_read_and_stay_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "only {} records found", files.len());
    for file in files {
        let (name, bytes) = (file.display().to_string(), bytes(&fs::read_to_string(&file).unwrap()));
        let again = if name.ends_with(".entry.hex") { entry(&bytes) } else { snapshot(&bytes) };
        assert_eq!(again, bytes, "{name} is written differently now");
    }
}

fn entry(bytes: &[u8]) -> Vec<u8> {
    let proposal = Proposal::decode(bytes).unwrap();
    let Command::SubmitTasks { specs } = &proposal.command else { panic!("{proposal:?}") };
    assert!(!specs.is_empty() && specs.iter().all(|spec| spec.worker.is_none()), "{specs:?}");
    proposal.encode()
}

/// Reading compares with the hash that the writer had.
fn snapshot(bytes: &[u8]) -> Vec<u8> {
    let state = State::read_snapshot(bytes).unwrap();
    let tasks = state.tasks(&TaskFilter::default(), TaskId(0), usize::MAX).items;
    assert!(!tasks.is_empty() && tasks.iter().all(|task| task.spec.worker.is_none()), "{tasks:?}");
    state.write_snapshot().flatten().collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).unwrap())
        .collect()
}
