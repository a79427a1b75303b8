//! What nodes send to each other inside a batch: every kind of raft-rs's messages, against recordings of every version.
//! A newer raft-rs must read and write them the same.
//!
//! `cargo test -p farquorum-driver --test wire -- --ignored record` records what is new in this version.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure here is a failed test")]

#[path = "../../core/tests/formats/recorded.rs"]
mod recorded;

use std::path::PathBuf;

use farquorum_driver::eraftpb::{
    ConfState, Entry, EntryType, Message, MessageType, Snapshot, SnapshotMetadata,
};
use farquorum_driver::{decode, encode};
use recorded::{Read, Sample};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

/// A kind that a newer raft-rs brings is among them by itself.
fn samples() -> Vec<Sample> {
    let kinds = (0..).map_while(MessageType::from_i32);
    let all: Vec<_> =
        kinds.map(|kind| Sample::new(&format!("{kind:?}"), encode(&message(kind)), &message(kind))).collect();
    assert!(all.len() >= 19, "{} kinds", all.len());
    all
}

/// Every number that a message has is set in each kind, what belongs to one kind only in that.
fn message(kind: MessageType) -> Message {
    let mut message = Message {
        msg_type: kind.into(),
        to: 2,
        from: 1,
        term: 7,
        log_term: 6,
        index: 300,
        commit: 299,
        commit_term: 5,
        request_snapshot: 4,
        reject: true,
        reject_hint: 298,
        context: b"context".to_vec(),
        deprecated_priority: 3,
        priority: -3,
        ..Message::default()
    };
    match kind {
        MessageType::MsgAppend => {
            let context = b"id".to_vec();
            let entry = Entry { term: 7, index: 301, data: b"command".to_vec(), context, ..Entry::default() };
            let mut members = Entry { index: 302, ..entry.clone() };
            members.set_entry_type(EntryType::EntryConfChangeV2);
            message.entries = vec![entry, members];
        }
        MessageType::MsgSnapshot => {
            let conf_state = Some(ConfState {
                voters: vec![1, 2],
                learners: vec![3],
                voters_outgoing: vec![1, 4],
                learners_next: vec![4],
                auto_leave: true,
            });
            let metadata = Some(SnapshotMetadata { conf_state, index: 300, term: 6 });
            message.snapshot = Some(Snapshot { data: b"state".to_vec(), metadata });
        }
        _ => {}
    }
    message
}

fn read(_: &str, bytes: &[u8]) -> Read {
    let message: Message = decode(bytes).map_err(|error| error.to_string())?;
    Ok((format!("{message:#?}\n"), encode(&message)))
}

#[test]
fn what_any_version_sent_is_read_and_sent_the_same() {
    recorded::compare(&folder(), &samples(), read);
}

#[test]
fn a_later_field_is_skipped() {
    for sample in samples() {
        let longer = [&sample.bytes, b"\xc0\x3e\x01\xca\x3e\x05later".as_slice()].concat();
        assert_eq!(read(&sample.name, &longer), Ok((sample.meaning, sample.bytes)), "{}", sample.name);
    }
}

#[test]
#[ignore = "records what is new in this version"]
fn record() {
    recorded::record(&folder(), &samples());
}
