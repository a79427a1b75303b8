//! Presets: how far apart the clouds are, by name, for trying the same configuration at other distances. A preset
//! replaces all links after the environment has been read, and names the regions where its figures are from.
//!
//! Limits: a published figure is one ping of ten packets on one day. It says how far two regions are apart, not how
//! this varies; for that, record a real network.

use figment::value::{Dict, Value};
use serde::Serialize;

use crate::finding::{Origin, Report};
use crate::layers::Layers;
use crate::links::between;
use crate::names;

/// Source of the published figures. Single figures are quoted; the file is not part of the product.
const PUBLISHED: &str = "published reference: Skyplane project, profiles/latency.csv at commit \
                         945dca27681f406e16d88623d1a31995f02546fd: average of ping between public IPs, 2022-04-16";

/// RTT inside a cloud where the source has none, ms: two hosts of one zone.
const INSIDE_MS: f64 = 0.2;

/// A named set of links.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Preset {
    /// Name, for `--preset`.
    pub name: &'static str,
    /// Region by cloud; empty: the file's regions stay.
    pub regions: &'static [(&'static str, &'static str)],
    /// RTT in ms by pair of clouds; empty: `across_ms` between all clouds of the file.
    pub rtt_ms: &'static [(&'static str, &'static str, f64)],
    /// RTT in ms between clouds that `rtt_ms` does not name.
    pub across_ms: Option<f64>,
    /// RTT in ms between two hosts of one cloud.
    pub inside_ms: f64,
    /// What it is for.
    pub meaning: &'static str,
    /// Where the figures are from.
    pub source: &'static str,
}

/// A triple of regions of AWS, GCP and Azure, with the RTTs of AWS-GCP, AWS-Azure and GCP-Azure.
macro_rules! published {
    ($name:literal, $meaning:literal, [$aws:literal, $gcp:literal, $azure:literal], [$ag:literal, $az:literal, $gz:literal]) => {
        Preset {
            name: $name,
            regions: &[("aws", $aws), ("gcp", $gcp), ("azure", $azure)],
            rtt_ms: &[("aws", "gcp", $ag), ("aws", "azure", $az), ("gcp", "azure", $gz)],
            across_ms: None,
            inside_ms: INSIDE_MS,
            meaning: $meaning,
            source: PUBLISHED,
        }
    };
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "seed",
        regions: &[],
        rtt_ms: &[("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)],
        across_ms: None,
        inside_ms: INSIDE_MS,
        meaning: "the default distances",
        source: "chosen",
    },
    Preset {
        name: "observed",
        regions: &[],
        rtt_ms: &[],
        across_ms: Some(243.0),
        inside_ms: 25.0,
        meaning: "slow links everywhere",
        source: "chosen",
    },
    published!("us-east", "one metropolitan area", ["us-east-1", "us-east4", "eastus"], [2.76, 1.90, 2.62]),
    published!(
        "us",
        "across the United States",
        ["us-west-2", "us-central1", "eastus"],
        [64.71, 79.71, 35.71]
    ),
    published!(
        "us-europe",
        "two clouds in the United States, one in Europe",
        ["us-east-1", "us-central1", "westeurope"],
        [28.54, 80.43, 107.66]
    ),
    published!(
        "world",
        "three continents",
        ["us-east-1", "europe-west1", "japaneast"],
        [81.92, 157.93, 225.38]
    ),
    published!(
        "europe",
        "Ireland, Belgium, the Netherlands",
        ["eu-west-1", "europe-west1", "westeurope"],
        [19.15, 20.15, 11.30]
    ),
    published!(
        "japan",
        "one metropolitan area in Asia",
        ["ap-northeast-1", "asia-northeast1", "japaneast"],
        [4.70, 4.17, 4.36]
    ),
];

/// The preset of this name.
///
/// # Errors
/// The names that exist, with the nearest first.
pub fn preset(name: &str) -> Result<&'static Preset, String> {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| names::known(name, &names))
}

impl Preset {
    /// RTT between two different clouds, ms; none when the preset says nothing about them.
    pub fn rtt_between(&self, a: &str, b: &str) -> Option<f64> {
        let named = self.rtt_ms.iter().find(|(x, y, _)| (*x, *y) == (a, b) || (*y, *x) == (a, b));
        named.map(|(.., rtt_ms)| *rtt_ms).or(self.across_ms)
    }
}

/// Replaces all links, also the one inside a cloud, by those of a named preset, and the regions that it names.
pub(crate) fn apply(name: &str, layers: &mut Layers, report: &mut Report) {
    let origin = Origin::CommandLine(Some(format!("--preset {name}")));
    let found = match preset(name) {
        Ok(found) => found,
        Err(known) => return report.error_at(origin, "", None, format!("no such preset; {known}")),
    };
    let labels: Vec<String> = layers.clouds().into_iter().map(|(label, _)| label).collect();
    let mut links: Vec<Value> = Vec::new();
    for (index, a) in labels.iter().enumerate() {
        for b in labels.iter().skip(index + 1) {
            match found.rtt_between(a, b) {
                Some(rtt_ms) => links.push(between(a, b, rtt_ms.into())),
                None => report.error_at(origin.clone(), "", None, format!("says nothing about {a} and {b}")),
            }
        }
    }
    layers.replace_list("links", links);
    report.origins.keep_elements("links", &[]);
    report.origins.set("links", origin.clone());
    let inside = Dict::from([("delay_ms".to_owned(), (found.inside_ms / 2.0).into())]);
    layers.replace_table("local_link", inside);
    report.origins.forget_below("local_link");
    report.origins.set("local_link", origin.clone());
    for (label, region) in found.regions.iter().filter(|(label, _)| labels.iter().any(|known| known == label))
    {
        layers.set(&format!("clouds.{label}.region"), (*region).into(), origin.clone(), report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_says_where_its_figures_are_from_and_how_far_each_pair_is() {
        for preset in PRESETS {
            let pairs = [("aws", "gcp"), ("azure", "aws"), ("gcp", "azure")];
            let known = pairs.map(|(a, b)| preset.rtt_between(a, b).is_some_and(|rtt_ms| rtt_ms > 0.0));
            assert_eq!(known, [true; 3], "{}", preset.name);
            assert!(preset.inside_ms > 0.0 && !preset.source.is_empty(), "{}", preset.name);
            let published = preset.source.starts_with("published reference");
            assert_eq!(
                published,
                preset.regions.len() == 3,
                "{}: regions are those of a source",
                preset.name
            );
            let same = PRESETS.iter().filter(|other| other.name == preset.name).count();
            assert_eq!(same, 1, "{}: a name twice", preset.name);
        }
    }
}
