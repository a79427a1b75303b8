//! What every log store must do, run over both of them, and what only the durable one must.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also outside its #[test] function"
)]

mod common;

use std::fs;
use std::sync::Arc;

use common::{append, compaction, config, describe, entries, members, open, snapshot, synced};
use farquorum_config::NodeId;
use farquorum_driver::eraftpb::HardState;
use farquorum_driver::{LogError, LogPosition, LogStore, MemoryLog, Write};
use farquorum_node::storage::{StorageError, check_data_dir, open_store};

/// A change, and what the log must say after it: indexes of the first and last entry.
type Step = (&'static str, fn(&dyn LogStore), (u64, u64));

const STEPS: &[Step] = &[
    (
        "the founding members",
        |log| log.write(&Write { conf_state: Some(members(&[1, 2, 3])), ..synced() }).unwrap(),
        (1, 0),
    ),
    ("five entries", |log| append(log, 1, 5, 1), (1, 5)),
    ("a longer conflicting tail", |log| append(log, 4, 9, 2), (1, 9)),
    ("a shorter conflicting tail", |log| append(log, 3, 4, 3), (1, 4)),
    ("everything replaced", |log| append(log, 1, 20, 4), (1, 20)),
    (
        "without fsync",
        |log| log.write(&Write { entries: entries(21, 22, 4), ..Write::default() }).unwrap(),
        (1, 22),
    ),
    (
        "the commit index alone",
        |log| {
            let hard_state = HardState { term: 4, vote: 1, commit: 20 };
            log.write(&Write { hard_state: Some(hard_state), ..Write::default() }).unwrap();
        },
        (1, 22),
    ),
    (
        "a snapshot of three chunks, ten entries kept",
        |log| log.write(&compaction(20, 10, 4, 2_500_000)).unwrap(),
        (11, 22),
    ),
    ("a tail cut next to the truncation", |log| append(log, 11, 12, 5), (11, 12)),
    (
        "a smaller snapshot, nothing kept",
        |log| {
            append(log, 13, 30, 5);
            log.write(&compaction(30, 30, 5, 10)).unwrap();
        },
        (31, 30),
    ),
    ("entries behind an empty log", |log| append(log, 31, 33, 6), (31, 33)),
    (
        "a leader's snapshot with entries behind it",
        |log| {
            let hard_state = HardState { term: 7, vote: 2, commit: 100 };
            let install = Some(snapshot(100, 7, 1_048_576));
            log.write(&Write {
                install,
                entries: entries(101, 104, 7),
                hard_state: Some(hard_state),
                ..synced()
            })
            .unwrap();
        },
        (101, 104),
    ),
];

#[test]
fn both_stores_do_the_same_and_the_durable_one_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let memory: Arc<dyn LogStore> = Arc::new(MemoryLog::default());
    for (name, change, (first, last)) in STEPS {
        let rocks = open(dir.path()).unwrap();
        for log in [&memory, &rocks] {
            change(log.as_ref());
            let initial = log.initial().unwrap();
            assert_eq!((initial.truncated.index + 1, initial.last_index), (*first, *last), "{name}");
            assert!(matches!(log.entries(first - 1, *first, 1), Err(LogError::Compacted { .. })), "{name}");
            assert!(matches!(log.entries(last + 1, last + 2, 1), Err(LogError::Missing { .. })), "{name}");
            assert!(matches!(log.term(last + 1), Err(LogError::Missing { .. })), "{name}");
        }
        assert_eq!(describe(rocks.as_ref()), describe(memory.as_ref()), "{name}");
        drop(rocks);
        let again = open(dir.path()).unwrap();
        assert_eq!(describe(again.as_ref()), describe(memory.as_ref()), "{name}, opened again");
    }
}

#[test]
fn a_read_is_bounded_but_gives_at_least_one_entry() {
    let dir = tempfile::tempdir().unwrap();
    let memory: Arc<dyn LogStore> = Arc::new(MemoryLog::default());
    for log in [memory, open(dir.path()).unwrap()] {
        append(log.as_ref(), 1, 50, 1);
        assert_eq!(log.entries(7, 51, 0).unwrap().len(), 1);
        let some = log.entries(7, 51, 1000).unwrap();
        assert!((2..40).contains(&some.len()) && some[0].index == 7, "{}", some.len());
        assert_eq!(log.entries(7, 9, u64::MAX).unwrap().len(), 2);
    }
}

#[test]
fn an_older_snapshot_and_a_gap_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    append(log.as_ref(), 1, 10, 1);
    log.write(&compaction(10, 8, 1, 10)).unwrap();
    let before = describe(log.as_ref());
    log.write(&compaction(9, 9, 1, 10)).unwrap();
    assert_eq!(describe(log.as_ref()), before, "older than what is stored: left out");
    for (name, write) in [
        ("a gap", Write { entries: entries(12, 13, 1), ..synced() }),
        ("below the truncation", Write { entries: entries(8, 9, 1), ..synced() }),
    ] {
        assert!(matches!(log.write(&write), Err(LogError::Corrupt { .. })), "{name}");
        assert_eq!(describe(log.as_ref()), before, "{name}");
    }
    let mut beyond = compaction(11, 12, 1, 10);
    beyond.compaction.as_mut().unwrap().truncate = LogPosition { index: 12, term: 1 };
    assert!(log.write(&beyond).is_err(), "cut beyond the snapshot");
}

#[test]
fn a_folder_belongs_to_one_node_of_one_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let ours = config(&[]);
    let (log, first) = open_store(&ours, NodeId(1), Some(dir.path())).unwrap();
    append(log.as_ref(), 1, 3, 1);
    let before = describe(log.as_ref());
    let held = open_store(&ours, NodeId(1), Some(dir.path())).err().unwrap().to_string();
    assert!(held.contains("in use by"), "{held}");
    drop(log);
    let other = config(&[("cluster.name", "other")]);
    for (config, me, expected) in [
        (&ours, 2, "belongs to node 1, this is node 2"),
        (&other, 1, "belongs to cluster farquorum, this is cluster other"),
    ] {
        let message = open_store(config, NodeId(me), Some(dir.path())).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let (log, second) = open_store(&ours, NodeId(1), Some(dir.path())).unwrap();
    assert_eq!(first, second, "the store id stays");
    assert_eq!(describe(log.as_ref()), before);
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(matches!(&error, StorageError::NotOurs { found, .. } if found == "thesis.tex"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // What a crash during the very first start leaves.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("log.new")).unwrap();
    fs::write(dir.path().join("log.new/CURRENT"), "half").unwrap();
    open(dir.path()).unwrap();
}

#[test]
fn memory_is_chosen_by_the_configuration() {
    let config = config(&[("storage.log", "memory")]);
    let (log, _) = open_store(&config, NodeId(1), None).unwrap();
    assert!(log.initial().unwrap().is_empty());
}

/// A write is visible to a reader before the log knows of it: what that takes away must not look like damage.
#[test]
fn a_reader_beside_compactions_sees_no_damage() {
    const ROUNDS: u64 = 1500;
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    append(&*log, 1, 4, 1);
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            for round in 1..=ROUNDS {
                let last = round * 4;
                append(&*log, last + 1, last + 4, 1);
                log.write(&compaction(last, last, 1, 10)).unwrap();
            }
        });
        let (mut whole, mut gone) = (0_u64, 0_u64);
        while !writer.is_finished() {
            let first = log.initial().unwrap().truncated.index + 1;
            match log.entries(first, first + 4, u64::MAX) {
                Ok(entries) => {
                    assert_eq!(entries[0].index, first);
                    whole += 1;
                }
                Err(LogError::Compacted { .. } | LogError::Missing { .. }) => gone += 1,
                Err(error) => panic!("after {whole} whole and {gone} compacted: {error}"),
            }
            if let Some(snapshot) = log.snapshot().unwrap() {
                assert_eq!(snapshot.data.len(), 10);
            }
        }
        assert!(whole > ROUNDS / 10, "only {whole} reads saw the log whole, {gone} not");
    });
}

/// Opens a folder for another test, which runs this one as another process: says so, then waits to be told to end.
#[test]
#[ignore = "runs as the other process of the test below"]
fn holder() {
    let Some(dir) = std::env::var_os("FARQUORUM_TEST_HOLD") else { return };
    let _log = open(dir.as_ref()).unwrap();
    println!("holding");
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_lock_names_its_holder() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "holder", "--nocapture"])
        .env("FARQUORUM_TEST_HOLD", dir.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("holding")), "the other process opened the log");
    let message = check_data_dir(dir.path(), 0).unwrap_err().to_string();
    assert!(message.contains(&format!("process {}", holder.id())), "{message}");
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    check_data_dir(dir.path(), 0).unwrap();
}
