//! Files that were cut or edited by hand: the message names the file, the place and what is expected.

use std::io::Write as _;
use std::path::Path;

use farquorum_baseline::{Record, samples_path};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::{record, saved};

#[test]
fn an_edited_json_is_refused_with_its_place() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "\"kernel\"",
            "\"kernl\"",
            &["good.json:6:", "unknown field `kernl`", "expected one of", "record.schema.json"],
        ),
        (
            "\"processors\": 4",
            "\"processors\": \"four\"",
            &["good.json:7:", "invalid type: string \"four\", expected"],
        ),
        ("\"format\": 1", "\"format\": 7", &["good.json: format: is 7; this version reads 1"]),
        (
            "2026-01-31T12",
            "2026-01-31 12",
            &["good.json: dimensions.when: is \"2026-01-31 12", "2026-01-31T12:00:00Z"],
        ),
        ("\"valid\": true", "\"valid\": false", &["good.json: valid: is false; expected true without"]),
        ("\"complete\": true", "\"complete\": false", &["good.json: complete: is false"]),
        (
            "\"p50\": 50.1",
            "\"p50\": 49.1",
            &["series[0].quantiles.p50: is 49.1", "but the samples give 50.1"],
        ),
        ("\"count\": 4", "\"count\": 5", &["series[0].quantiles.count: is 5, but the samples give 4"]),
        ("\"block\": 1", "\"block\": 2", &["series[0].blocks: is 2 blocks with 4 samples"]),
        (
            "\"rows\": 5",
            "\"rows\": 6",
            &["good.samples.csv.gz:7: the samples end after 5; the record counts 6"],
        ),
        ("\"rows\": 5", "\"rows\": 4", &["good.samples.csv.gz:6: more samples than the 4"]),
        (
            "\"name\": \"commit\"",
            "\"name\": \"comit\"",
            &["good.samples.csv.gz:6: \"commit,,,0,1.5,101\" belongs to no"],
        ),
        ("\"name\": \"election\"", "\"name\": \"commit\"", &["series[2]: is there twice"]),
        (
            "\"name\": \"rtt\"",
            "\"name\": \"r,tt\"",
            &["series[0].name: is \"r,tt\"; expected 1 to 64 of a-z"],
        ),
        ("good.samples.csv.gz", "../x.gz", &["samples.file: is \"../x.gz\"; expected the name of a file"]),
        ("good.samples.csv.gz", "none.gz", &["none.gz: cannot be read: No such file"]),
        (
            "\"sha256\": \"",
            "\"sha256\": \"0",
            &["good.json: samples.sha256: is 0", "good.samples.csv.gz has"],
        ),
    ];
    for (from, to, messages) in cases {
        let (_folder, path) = saved(&record());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        says(&path, messages);
    }
}

#[test]
fn a_cut_json_is_refused_wherever_it_is_cut() {
    let (_folder, path) = saved(&record());
    let text = std::fs::read_to_string(&path).unwrap();
    for end in (0..text.trim_end().len()).step_by(97) {
        std::fs::write(&path, &text[..end]).unwrap();
        says(&path, &["good.json:", "not a record: EOF while parsing"]);
    }
    std::fs::write(&path, b"\xff\xfe").unwrap();
    says(&path, &["good.json:1:", "not a record"]);
}

#[test]
fn cut_samples_are_refused_wherever_they_are_cut() {
    let (_folder, path) = saved(&record());
    let samples = std::fs::read(samples_path(&path)).unwrap();
    for end in 0..samples.len() {
        std::fs::write(samples_path(&path), &samples[..end]).unwrap();
        says(&path, &["samples.sha256", "it was cut, edited or belongs to another record"]);
        // Even when someone made the digest fit.
        digest_of(&path, &samples[..end]);
        says(&path, &["good.samples.csv.gz:"]);
        digest_of(&path, &samples);
    }
}

#[test]
fn edited_samples_are_refused_by_line() {
    const GOOD: &str = "rtt,aws,gcp,0,0.1,50";
    let cases = [
        ("rtt,aws,gcp,0,0.1", ":2: 5 fields; expected the six of series,from,to,block,at_s,value"),
        ("rtt,aws,gcp,0,0.1,NaN", ":2: value is \"NaN\"; expected a number of at least 0"),
        ("rtt,aws,gcp,0,0.1,-1", ":2: value is \"-1\""),
        ("rtt,aws,gcp,0,later,1", ":2: at_s is \"later\""),
        ("rtt,aws,gcp,-1,0.1,1", ":2: block is \"-1\"; expected a whole number from 0"),
        ("ping,aws,gcp,0,0.1,1", ":2: \"ping,aws,gcp,0,0.1,1\" belongs to no series"),
        (&GOOD.repeat(100), ":2: the line has no end"),
    ];
    let header = "series,from,to,block,at_s,value";
    for (line, message) in cases {
        edited(&format!("{header}\n{line}\n"), message);
    }
    edited("a,b\n", ":1: the header is \"a,b\"; expected series,from,to,block,at_s,value");
    edited(&format!("{header}\n{GOOD}"), ":2: the line has no end");
}

fn edited(csv: &str, message: &str) {
    let (_folder, path) = saved(&record());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(csv.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    std::fs::write(samples_path(&path), &bytes).unwrap();
    digest_of(&path, &bytes);
    says(&path, &["good.samples.csv.gz", message]);
}

/// Writes the digest of these bytes into the JSON.
fn digest_of(path: &Path, bytes: &[u8]) {
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    document["samples"]["sha256"] = hex::encode(Sha256::digest(bytes)).into();
    std::fs::write(path, document.to_string()).unwrap();
}

#[track_caller]
fn says(path: &Path, messages: &[&str]) {
    let error = Record::load(path).unwrap_err().to_string();
    for message in messages {
        assert!(error.contains(message), "no {message:?} in: {error}");
    }
}
