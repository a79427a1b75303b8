//! Records on disk: what is written can be read and obeys the schema, and what was cut, edited or has no room is
//! refused with its place.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod disk;
mod edited;
mod schema;

use std::path::PathBuf;

use farquorum_baseline::{Cloud, Dimensions, Record, Series};
use tempfile::TempDir;

/// A record with every kind of field filled.
fn record() -> Record {
    let cloud = |label: &str, region: &str| Cloud {
        label: label.to_owned(),
        region: region.to_owned(),
        instance_type: "m5.large".to_owned(),
    };
    let mut rtt = Series::between("rtt", "ms", "aws", "gcp");
    rtt.lost = Some(2);
    for (block, at_s, value) in
        [(0, 0.1, 50.123_456_789), (0, 0.2, 51.0), (1, 60.1, 0.1 + 0.2), (1, 60.2, 75.5)]
    {
        rtt.push(block, at_s, value);
    }
    let mut commit = Series::new("commit", "ms");
    commit.push(0, 1.5, 101.0);
    Record {
        dimensions: Dimensions {
            when: "2026-01-31T12:00:00Z".to_owned(),
            version: "0.1.0".to_owned(),
            kernel: "6.1.0".to_owned(),
            processors: 4,
            backend: "user-space WAN".to_owned(),
            preset: "seed".to_owned(),
            config_sha256: "ab".repeat(32),
            clouds: vec![cloud("aws", "us-east-1"), cloud("gcp", "us-east4")],
            more: [("outstanding".to_owned(), "64".to_owned())].into(),
        },
        series: vec![rtt, commit, Series::new("election", "ms")],
        ..Record::default()
    }
}

/// A folder with a record in it.
fn saved(record: &Record) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("good.json");
    record.save(&path).unwrap();
    (folder, path)
}

#[test]
fn what_is_written_is_read_again() {
    let mut record = record();
    for change in [
        |_: &mut Record| {},
        |record: &mut Record| record.invalid.push("lateness p99 4 ms, bound 3 ms".to_owned()),
        |record: &mut Record| record.incomplete = Some("interrupted".to_owned()),
        |record: &mut Record| record.series.clear(),
    ] {
        change(&mut record);
        let (folder, path) = saved(&record);
        assert_eq!(Record::load(&path).unwrap(), record);
        // Over what is there, and nothing else beside it.
        record.save(&path).unwrap();
        assert_eq!(Record::load(&path).unwrap(), record);
        let mut names: Vec<_> =
            folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["good.json", "good.samples.csv.gz"]);
    }
}
