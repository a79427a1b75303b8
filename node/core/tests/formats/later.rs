//! What a version to come might write, and what this one does with it: it skips a field that it may skip, and stops in
//! front of everything else.

use farquorum_core::{Command, Level, LogIndex, Millis, Proposal, SnapshotError, State, Unreadable};
use minicbor::{Decoder, Encoder};

use crate::samples;

/// The bytes of a CBOR array with more elements behind those that it has. None of ours has over 23.
fn longer(bytes: &[u8], more: &[&[u8]]) -> Vec<u8> {
    let length = Decoder::new(bytes).array().unwrap().unwrap();
    let mut longer = Vec::new();
    Encoder::new(&mut longer).array(length + u64::try_from(more.len()).unwrap()).unwrap();
    longer.extend_from_slice(&bytes[1..]);
    more.iter().for_each(|element| longer.extend_from_slice(element));
    longer
}

/// CBOR of null, of 2, and of a text.
const NOTHING: &[u8] = &[0xf6];
const TWO: &[u8] = &[2];
const TEXT: &[u8] = b"\x65later";

fn entry(command: &[u8], level: Option<u8>) -> Vec<u8> {
    let level = level.map(|level| vec![level]);
    let mut bytes = vec![0x82, 0x01];
    bytes.extend_from_slice(command);
    level.map_or(bytes.clone(), |level| longer(&bytes, &[&level]))
}

#[test]
fn a_later_field_of_an_entry_is_skipped() {
    for command in samples::commands() {
        let proposal = samples::proposal(command);
        // No level needed, and a field behind it.
        let bytes = longer(&proposal.encode(), &[NOTHING, TEXT]);
        assert_eq!(Proposal::decode(&bytes), Ok(proposal));
    }
}

#[test]
fn a_later_field_of_a_command_is_skipped_as_long_as_no_level_is_asked_for() {
    // Set a key, with a third field.
    let command = b"\x82\x0e\x83\x43key\x45value\x65later";
    let (now, set) = (Millis(1), Command::KvSet { key: b"key".to_vec(), value: b"value".to_vec() });
    assert_eq!(Proposal::decode(&entry(command, None)), Ok(Proposal { now, command: set }));
    let refused = Proposal::decode(&entry(command, Some(2)));
    assert_eq!(
        refused,
        Err(Unreadable::Level { needed: Level(2) }),
        "the field changes what the command does"
    );
}

#[test]
fn a_later_kind_of_command_is_neither_applied_nor_passed_over() {
    let mut state = samples::state();
    let (before, next) = (state.clone(), LogIndex(state.applied().0 + 1));
    let unknown = b"\x82\x18\x63\x81\x43key";
    let refused = state.apply_bytes(next, &entry(unknown, Some(2))).unwrap_err();
    assert_eq!(refused, Unreadable::Level { needed: Level(2) });
    let said = refused.to_string();
    assert!(
        said.contains("needs level 2") && said.contains("has level 1") && said.contains("start a version"),
        "{said}"
    );
    let refused = state.apply_bytes(next, &entry(unknown, None)).unwrap_err();
    assert!(matches!(refused, Unreadable::Unknown { .. }) && refused.to_string().contains("99"), "{refused}");
    assert_eq!(state, before);
    // The next one that it knows finds everything as it was.
    let proposal = samples::proposal(samples::set("after", "it"));
    assert!(state.apply_bytes(next, &proposal.encode()).unwrap().is_ok());
}

#[test]
fn a_later_snapshot_is_read_whole_or_not_at_all() {
    let state = samples::state();
    let bytes: Vec<u8> = state.write_snapshot().flatten().collect();
    let mut decoder = Decoder::new(&bytes);
    decoder.skip().unwrap();
    let (header, rest) = bytes.split_at(decoder.position());

    let more = [&longer(header, &[TEXT]), rest].concat();
    assert_eq!(State::read_snapshot(&more).unwrap(), state, "a field of the header");

    // The version stands behind the array and the name: 1 + 1 + 18 bytes.
    let version = [&header[..20], TWO, &header[21..], rest].concat();
    assert_eq!(State::read_snapshot(&version), Err(SnapshotError::Version { got: 2 }));

    let unknown = [header, b"\x82\x18\x63\x81\x65later", rest].concat();
    let refused = State::read_snapshot(&unknown).unwrap_err();
    assert!(matches!(refused, SnapshotError::Unknown { .. }), "{refused}");
}

/// A record with one more field, and the hash that its writer has over all of it: without the field this state would be
/// another than the writer's.
#[test]
fn a_later_field_of_a_record_is_not_lost_without_notice() {
    let mut state = State::new();
    let (index, set) = (LogIndex(7), samples::proposal(samples::set("key", "value")));
    assert!(state.apply(index, &set).is_ok());
    let bytes: Vec<u8> = state.write_snapshot().flatten().collect();
    // Kind 3, then key and value with the revision; kind 4, then the hash.
    let (record, end) = (b"\x82\x43key\x82\x45value\x07".as_slice(), b"\x82\x04\x81\x58\x20".as_slice());
    let later = b"\x82\x43key\x83\x45value\x07\x65later".as_slice();
    let header = &bytes[..bytes.len() - (2 + record.len() + end.len() + 32)];
    let whole =
        |record: &[u8]| [header, b"\x82\x03", record, end, &hash_of_one(record, &set, index)].concat();
    assert_eq!(whole(record), bytes);
    let refused = State::read_snapshot(&whole(later)).unwrap_err();
    assert!(matches!(refused, SnapshotError::Hash { .. }), "{refused}");
    assert!(refused.to_string().contains("a later version wrote it"), "{refused}");
}

/// The hash of a state whose only record is this key, as `hash.rs` describes it.
fn hash_of_one(record: &[u8], set: &Proposal, index: LogIndex) -> [u8; 32] {
    let sum = blake3::hash(&[b"k", record].concat());
    let mut whole = blake3::Hasher::new();
    whole.update(sum.as_bytes());
    // Index, time, last task, last job.
    [index.0, set.now.0, 0, 0].iter().for_each(|number| {
        whole.update(&number.to_le_bytes());
    });
    whole.finalize().into()
}
