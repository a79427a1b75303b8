//! `farquorum sim presets`: the named distances, with regions and source.

use std::process::ExitCode;

use farquorum_config::presets::{PRESETS, Preset};
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show, rows};

/// What `sim presets` prints.
#[derive(Serialize)]
struct Presets {
    presets: &'static [Preset],
}

impl Show for Presets {
    fn table(&self) -> String {
        let row = |preset: &Preset| {
            let rtt = |a: &str, b: &str| {
                preset.rtt_between(a, b).map_or_else(|| "-".to_owned(), |rtt_ms| format!("{rtt_ms:.2}"))
            };
            let regions: Vec<&str> = preset.regions.iter().map(|(_, region)| *region).collect();
            [
                preset.name.to_owned(),
                rtt("aws", "gcp"),
                rtt("aws", "azure"),
                rtt("gcp", "azure"),
                format!("{:.2}", preset.inside_ms),
                if regions.is_empty() { "-".to_owned() } else { regions.join(" / ") },
                preset.meaning.to_owned(),
            ]
        };
        let headings =
            ["NAME", "AWS-GCP", "AWS-AZURE", "GCP-AZURE", "INSIDE", "REGIONS (AWS / GCP / AZURE)", "WHAT"];
        let table = rows(headings, self.presets.iter().map(row));
        format!("{table}\n\nround trips in ms\n{}", self.sources().join("\n"))
    }
}

impl Presets {
    /// Each source with the presets that are from it.
    fn sources(&self) -> Vec<String> {
        let by_source = self.presets.chunk_by(|a, b| a.source == b.source);
        let line = |presets: &[Preset]| {
            let names: Vec<&str> = presets.iter().map(|preset| preset.name).collect();
            let source = presets.first().map_or("", |preset| preset.source);
            format!("{}: {source}", names.join(", "))
        };
        by_source.map(line).collect()
    }
}

/// Prints them.
pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    output::print(global.output, &Presets { presets: PRESETS })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_preset_and_each_source_once() {
        let table = Presets { presets: PRESETS }.table();
        for preset in PRESETS {
            assert!(table.lines().any(|line| line.starts_with(preset.name)), "{table}");
        }
        assert_eq!(table.matches("Skyplane").count(), 1, "{table}");
        assert!(table.contains("us-east-1 / europe-west1 / japaneast"), "{table}");
    }
}
