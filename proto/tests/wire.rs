//! The wire against recordings of every version: what nodes say to each other and what workers and nodes say, as bytes;
//! everything else by its schema. And what comes from versions to come.
//!
//! `cargo test -p farquorum-proto --test wire -- --ignored record` records what is new in this version.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure here is a failed test"
)]

#[path = "../../node/core/tests/formats/recorded.rs"]
mod recorded;
#[path = "wire/samples.rs"]
mod samples;
#[path = "wire/schema.rs"]
mod schema;

use std::path::PathBuf;

use farquorum_proto::v1;
use prost::Message as _;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

#[test]
fn what_any_version_sent_is_read_and_sent_the_same() {
    recorded::compare(&folder(), &samples::all(), samples::read);
}

/// Between nodes of two versions, and between a node and a worker: no message is left out.
#[test]
fn every_message_of_nodes_and_workers_has_a_recording() {
    let samples = samples::all();
    for message in schema::messages_of(&["RaftService", "WorkerService"]) {
        let recorded = samples.iter().any(|sample| sample.name.split('-').next() == Some(message.as_str()));
        assert!(recorded, "{message} has no sample");
    }
}

/// No field loses its number, type or meaning; a new one is recorded.
#[test]
fn the_schema_only_grows() {
    let (now, recorded) = (schema::lines(), schema::recorded(&folder()));
    let gone: Vec<_> = recorded.difference(&now).collect();
    assert!(gone.is_empty(), "other versions rely on these, and they are gone or different: {gone:#?}");
    let new: Vec<_> = now.difference(&recorded).collect();
    assert!(new.is_empty(), "not recorded (see CONTRIBUTING.md): {new:#?}");
}

#[test]
fn a_later_field_is_skipped() {
    for sample in samples::all() {
        // Fields 1000, a number, and 1001, a text.
        let bytes = [&sample.bytes, b"\xc0\x3e\x01\xca\x3e\x05later".as_slice()].concat();
        let (meaning, again) = samples::read(&sample.name, &bytes).unwrap();
        assert_eq!((meaning, again), (sample.meaning, sample.bytes), "{}", sample.name);
    }
}

/// Field 15 of a frame: the receiver sees a frame without content, and closes the stream (`transport/server.rs`).
#[test]
fn a_later_kind_of_frame_is_seen_as_none() {
    let frame = v1::PeerFrame::decode(b"\x7a\x05later".as_slice()).unwrap();
    assert_eq!(frame.frame, None);
    let reply = v1::PeerReply::decode(b"\x7a\x05later".as_slice()).unwrap();
    assert_eq!(reply.reply, None);
}

/// A version that does not know the field says nothing.
#[test]
fn a_hello_without_a_level_is_read() {
    let hello = v1::Hello { level: 0, ..samples::hello() };
    let bytes = hello.encode_to_vec();
    assert_eq!(bytes.len(), samples::hello().encoded_len() - 2);
    assert_eq!(v1::Hello::decode(bytes.as_slice()), Ok(hello));
}

#[test]
#[ignore = "records what is new in this version"]
fn record() {
    recorded::record(&folder(), &samples::all());
    schema::record(&folder());
}
