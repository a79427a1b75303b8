//! Recorded bytes of every version, and the judge of today's code against them. Included by the tests of each crate that
//! has bytes on a disk or on a wire.
//!
//! A recording is a text file, `<folder>/v<major>.<minor>/<name>.txt`: the bytes in hexadecimal, a line `----`, what they
//! mean (`{:#?}`). So a review shows both, and what changed. A recording is never rewritten: `record` adds what this
//! version has anew and refuses when one that is there would change.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

const RULE: &str = "----\n";

/// Something that today's code writes.
pub(crate) struct Sample {
    /// Name of its recording.
    pub(crate) name: String,
    /// As it is written.
    pub(crate) bytes: Vec<u8>,
    /// What it means.
    pub(crate) meaning: String,
}

impl Sample {
    pub(crate) fn new(name: &str, bytes: Vec<u8>, value: &impl Debug) -> Self {
        Self { name: name.to_owned(), bytes, meaning: format!("{value:#?}\n") }
    }
}

/// What today's code makes of recorded bytes: their meaning, and the bytes that it would write for it.
pub(crate) type Read = Result<(String, Vec<u8>), String>;

/// Every recording is read to what it meant when it was recorded, and written as the same bytes; and everything that
/// today's code writes is recorded.
pub(crate) fn compare(folder: &Path, samples: &[Sample], read: impl Fn(&str, &[u8]) -> Read) {
    let recordings = recordings(folder);
    let mut wrong = Vec::new();
    for (path, recorded) in &recordings {
        let shown = path.display();
        match read(&recorded.name, &recorded.bytes) {
            Err(error) => wrong.push(format!("{shown} is not read any more: {error}")),
            Ok((meaning, _)) if !has_all_lines(&meaning, &recorded.meaning) => {
                wrong.push(format!("{shown} means something else now:\n{meaning}"));
            }
            Ok((_, again)) if again != recorded.bytes => {
                wrong.push(format!("{shown} is written differently now:\n{}", hex(&again)));
            }
            Ok(_) => {}
        }
    }
    for sample in samples {
        if !recordings.values().any(|recorded| is_recorded(sample, recorded)) {
            wrong.push(format!(
                "{} has no recording of what is written now (see CONTRIBUTING.md)",
                sample.name
            ));
        }
    }
    assert!(wrong.is_empty(), "formats that other members or older folders rely on:\n{}", wrong.join("\n"));
}

/// Adds recordings of what is not recorded yet to this version's folder.
pub(crate) fn record(folder: &Path, samples: &[Sample]) {
    let known = recordings(folder);
    let version = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")].join(".");
    let folder = folder.join(format!("v{version}"));
    fs::create_dir_all(&folder).unwrap();
    for sample in
        samples.iter().filter(|sample| !known.values().any(|recorded| is_recorded(sample, recorded)))
    {
        let path = folder.join(format!("{}.txt", sample.name));
        assert!(!path.exists(), "{} is recorded with other bytes: that form may not change", path.display());
        fs::write(&path, format!("{}{RULE}{}", hex(&sample.bytes), sample.meaning)).unwrap();
        println!("recorded {}", path.display());
    }
}

fn is_recorded(sample: &Sample, recorded: &Sample) -> bool {
    sample.name == recorded.name && sample.bytes == recorded.bytes
}

/// All recordings of all versions, by path.
pub(crate) fn recordings(folder: &Path) -> BTreeMap<PathBuf, Sample> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    let is_version =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('v'));
    let versions = list(folder).into_iter().filter(|path| path.is_dir() && is_version(path));
    versions.flat_map(|version| list(&version)).map(|path| (path.clone(), open(&path))).collect()
}

fn open(path: &Path) -> Sample {
    let text = fs::read_to_string(path).unwrap();
    let (hex, meaning) = text.split_once(RULE).unwrap_or_else(|| panic!("{}: no rule", path.display()));
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    Sample { name, bytes: unhex(hex), meaning: meaning.to_owned() }
}

/// A field that came later shows as a line that the recording does not have.
fn has_all_lines(meaning: &str, recorded: &str) -> bool {
    let mut lines = meaning.lines();
    recorded.lines().all(|wanted| lines.any(|line| line == wanted))
}

/// 32 bytes a line.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).unwrap();
    digits.chunks(2).map(byte).collect()
}
