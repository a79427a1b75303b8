//! `farquorum compare` and `farquorum fit` on files: exit codes, what is printed, and bad input. Starts no simulation.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod bad_input;
mod compare;
mod fit;
#[path = "../lab/ran.rs"]
#[allow(dead_code, reason = "every test binary uses its part")]
mod ran;

use std::path::Path;
use std::process::Command;

use farquorum_baseline::{Cloud, Dimensions, Record, Series};
use ran::Ran;
use tempfile::TempDir;

/// A record of round trips between aws and gcp, both ways: a body of some 2 ms above `base_ms`, and a tail.
fn record(base_ms: f64, count: u32) -> Record {
    let cloud = |label: &str| Cloud { label: label.to_owned(), ..Cloud::default() };
    let series = |from: &str, to: &str, offset: u32| {
        let mut series = Series::between("rtt", "ms", from, to);
        for number in 0..count {
            // Every share once, in an order without a pattern (7919 is prime).
            let place = (number * 7919 + offset) % count;
            let share = (f64::from(place) + 0.5) / f64::from(count);
            series.push(0, f64::from(number) / 10.0, base_ms - 2.0 * (1.0 - share).ln());
        }
        series
    };
    Record {
        dimensions: Dimensions {
            when: "2026-01-31T12:00:00Z".to_owned(),
            kernel: "6.1.0".to_owned(),
            backend: "user-space WAN".to_owned(),
            clouds: vec![cloud("aws"), cloud("gcp")],
            ..Dimensions::default()
        },
        series: vec![series("aws", "gcp", 0), series("gcp", "aws", 77)],
        ..Record::default()
    }
}

/// A folder with the records that the tests name.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let save = |name: &str, record: &Record| record.save(&folder.path().join(name)).unwrap();
    save("a.json", &record(50.0, 3000));
    save("same.json", &record(50.01, 3000));
    save("slower.json", &record(52.8, 3000));
    save("few.json", &record(50.0, 15));
    let mut other = record(50.0, 3000);
    other.dimensions.backend = "kernel netem".to_owned();
    other.dimensions.kernel = "6.2.0".to_owned();
    save("other.json", &other);
    let mut invalid = record(50.0, 3000);
    invalid.invalid.push("lateness p99 4 ms, bound 3 ms".to_owned());
    save("invalid.json", &invalid);
    let mut commits = record(50.0, 3000);
    for series in &mut commits.series {
        series.name = "commit".to_owned();
    }
    save("commits.json", &commits);
    folder
}

fn ran(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farquorum"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FARQUORUM_") {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(folder);
    ran::run(command)
}
