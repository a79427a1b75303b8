//! The records in `ci/baselines/`, which `ci/gate.sh` compares simulations with: whole, valid, small, and of what their
//! names say.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use farquorum_baseline::compare::{Options, Verdict, compare};
use farquorum_baseline::{Record, SCHEMA, samples_path};
use farquorum_config::presets::preset;

/// What a clone is made longer by, at most.
const BYTES_MAX: u64 = 300_000;

fn baselines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("baselines")
}

/// Every record in a folder.
fn records(folder: &Path) -> Vec<PathBuf> {
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn every_committed_record_is_whole_and_small() {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("record.json", serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let index = compiler.compile("record.json", &mut schemas).unwrap();
    let all = [records(&baselines()), records(&baselines().join("real"))].concat();
    assert!(!all.is_empty(), "no record is committed");
    for path in all {
        let shown = path.display();
        let document = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        schemas.validate(&document, index).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let record = Record::load(&path).unwrap();
        assert_eq!((record.invalid.as_slice(), &record.incomplete), (&[][..], &None), "{shown}");
        let bytes: u64 =
            [path.clone(), samples_path(&path)].iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(bytes <= BYTES_MAX, "{shown} and its samples: {bytes} bytes");
    }
}

/// Figures that were published say so, and are those of the preset that the gate simulates.
#[test]
fn published_figures_name_their_source_and_are_the_presets() {
    let all = records(&baselines().join("real"));
    assert!(!all.is_empty(), "no published record is committed");
    for path in all {
        let (record, name) = (Record::load(&path).unwrap(), path.file_stem().unwrap().to_str().unwrap());
        let (preset, published) = (preset(name).unwrap(), record.published.clone().unwrap());
        assert!(published.starts_with(preset.source) && published.contains("Apache-2.0"), "{published}");
        let clouds = record.dimensions.clouds.iter();
        let regions: Vec<_> = clouds.map(|cloud| (cloud.label.as_str(), cloud.region.as_str())).collect();
        assert_eq!(regions, preset.regions, "{name}");
        assert_eq!(record.series.len(), 6, "{name}: every directed pair");
        for series in &record.series {
            let (from, to) = (series.from.as_deref().unwrap(), series.to.as_deref().unwrap());
            let figures: Vec<f64> = series.values();
            assert_eq!(figures, [preset.rtt_between(from, to).unwrap()], "{name}: {}", series.title());
        }
    }
}

/// A published distance that is off by 5 % does not pass.
#[test]
fn a_wrong_published_distance_is_noticed() {
    let published = Record::load(&baselines().join("real/world.json")).unwrap();
    for (share, expected) in [(1.0, Verdict::Pass), (1.05, Verdict::Fail)] {
        let mut simulated = Record { published: None, ..published.clone() };
        for series in &mut simulated.series {
            let figure = series.samples[0].value;
            series.samples.clear();
            // 30 us of waiting in a hundred steps.
            (0..600_u32).for_each(|number| series.add(figure * share + f64::from(number % 100) * 3e-4));
        }
        assert_eq!(
            compare(&published, &simulated, &Options::default()).unwrap().verdict,
            expected,
            "{share}"
        );
    }
}
