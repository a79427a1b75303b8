//! A node of a version to come. It knows one level more than this version and one kind of command more: a key below
//! `next/` is set by it. And whatever it writes has more in it than this version knows: each log entry and the header
//! of each snapshot a field, each Raft message two.

use std::path::PathBuf;
use std::process::ExitCode;

use farquorum_config::Sources;
use farquorum_core::{Command, Level, Proposal, State, Unreadable};
use farquorum_node::{NodeOptions, Release};
use minicbor::Decoder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What it calls itself.
pub(crate) const VERSION: &str = "0.2.0";

/// Keys that are set by the later kind of command.
pub(crate) const PREFIX: &str = "next/";

/// This version's kind of the command that sets a key, and the later one's, as they stand in CBOR.
const SET: u8 = 14;
const SET_LATER: u8 = 18;

/// A CBOR text, and CBOR's null.
const LATER: &[u8] = b"\x65later";
const NOTHING: u8 = 0xf6;

const NEXT: Release = Release {
    version: VERSION,
    level: Level(2),
    level_of,
    write_entry,
    read_entry,
    write_snapshot,
    extend_message,
};

fn level_of(command: &Command) -> Level {
    match command {
        Command::KvSet { key, .. } if key.starts_with(PREFIX.as_bytes()) => NEXT.level,
        other => other.level(),
    }
}

/// `[now, [kind, fields], level, later]`.
fn write_entry(proposal: &Proposal) -> Vec<u8> {
    let mut bytes = proposal.encode();
    assert_eq!(bytes[0], 0x82, "an array of two");
    bytes[0] = 0x84;
    if level_of(&proposal.command) == NEXT.level {
        let at = kind_at(&bytes).unwrap();
        assert_eq!(std::mem::replace(&mut bytes[at], SET_LATER), SET);
        bytes.push(2);
    } else {
        bytes.push(NOTHING);
    }
    bytes.extend_from_slice(LATER);
    bytes
}

fn read_entry(bytes: &[u8]) -> Result<Proposal, Unreadable> {
    match kind_at(bytes) {
        Ok(at) if bytes[0] == 0x84 && bytes[at] == SET_LATER => {
            let mut known = bytes[..bytes.len() - LATER.len() - 1].to_vec();
            (known[0], known[at]) = (0x82, SET);
            Proposal::decode(&known)
        }
        _ => Proposal::decode(bytes),
    }
}

/// Where an entry says what kind its command is.
fn kind_at(bytes: &[u8]) -> Result<usize, minicbor::decode::Error> {
    let mut entry = Decoder::new(bytes);
    entry.array()?;
    entry.u64()?;
    entry.array()?;
    Ok(entry.position())
}

fn write_snapshot(state: &State) -> Vec<u8> {
    let bytes: Vec<u8> = state.write_snapshot().flatten().collect();
    let mut decoder = Decoder::new(&bytes);
    decoder.skip().unwrap();
    let (header, records) = bytes.split_at(decoder.position());
    // Its elements are counted in the low bits of its first byte.
    [&[header[0] + 1], &header[1..], LATER, records].concat()
}

/// Fields 1000, a number, and 1001, a text.
fn extend_message(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(b"\xc0\x3e\x01\xca\x3e\x05later");
    bytes
}

/// `node run --name NAME --certs FOLDER --data-dir FOLDER --config FILE`, as the simulation starts a node.
pub(crate) fn run(args: &[String]) -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let value = |flag: &str| {
        let place = args.iter().position(|arg| arg == flag).unwrap_or_else(|| panic!("no {flag}"));
        args[place + 1].clone()
    };
    let file = Some(PathBuf::from(value("--config")));
    let config = farquorum_config::load(&Sources { file, ..Sources::default() }).unwrap().config;
    let options = NodeOptions {
        name: value("--name"),
        data_dir: Some(value("--data-dir").into()),
        certs_dir: value("--certs").into(),
        listen: None,
        serving: CancellationToken::new(),
        release: NEXT,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let mut asked = signal(SignalKind::terminate()).unwrap();
        farquorum_node::run(config, options, async move {
            asked.recv().await;
        })
        .await
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
