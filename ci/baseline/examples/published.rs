//! Writes the published distances of a preset as a record, for `ci/gate.sh` to compare a simulation with.
//!
//! `cargo run -p farquorum-baseline --example published -- PRESET OUT.json`
//!
//! The record is marked as published, with its source: each series holds one figure, of which a comparison judges the
//! median alone. The source has a figure for either direction; the preset takes one of them for both, and so does the
//! record. Only the day is known, so the time of day is midnight.

use std::path::Path;
use std::process::ExitCode;

use farquorum_baseline::{Cloud, Dimensions, Record, Series};
use farquorum_config::presets::{Preset, preset};

/// Day of the figures.
const WHEN: &str = "2022-04-16T00:00:00Z";

/// Machines that the source names, by cloud.
const MACHINES: [(&str, &str); 3] =
    [("aws", "m5.large"), ("gcp", "n2-standard-4"), ("azure", "Standard_D2_v3")];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let [name, out] = args else { return Err("expected PRESET OUT.json".to_owned()) };
    let preset = preset(name).map_err(|known| format!("{name}: no such preset; {known}"))?;
    if preset.regions.is_empty() {
        return Err(format!("{name}: its distances are {}, not published", preset.source));
    }
    record(preset).save(Path::new(out)).map_err(|error| error.to_string())
}

fn record(preset: &Preset) -> Record {
    let figure = |from: &str, to: &str, rtt_ms: f64| {
        let mut series = Series::between("rtt", "ms", from, to);
        series.add(rtt_ms);
        series
    };
    let both = |(a, b, rtt_ms): &(&str, &str, f64)| [figure(a, b, *rtt_ms), figure(b, a, *rtt_ms)];
    let cloud = |(label, region): &(&str, &str)| {
        let machine = MACHINES.iter().find(|(cloud, _)| cloud == label).map_or("", |(_, machine)| machine);
        Cloud { label: (*label).into(), region: (*region).into(), instance_type: machine.into() }
    };
    Record {
        dimensions: Dimensions {
            when: WHEN.to_owned(),
            backend: "real network".to_owned(),
            clouds: preset.regions.iter().map(cloud).collect(),
            ..Dimensions::default()
        },
        published: Some(format!("{} (Apache-2.0); one direction stands for both", preset.source)),
        series: preset.rtt_ms.iter().flat_map(both).collect(),
        ..Record::default()
    }
}
