//! `farquorum fit --verify`: closes the loop. A simulation with the fitted links, its round trips measured, and compared
//! with the record that they were fitted to.

use std::collections::BTreeSet;
use std::path::Path;

use farquorum_baseline::compare::{Options, Tolerances, compare};
use farquorum_baseline::fit::FittedPair;
use farquorum_baseline::{Record, report};
use farquorum_config::BUILT_IN;
use toml::{Table, Value};

use crate::args::Global;
use crate::commands::compare::{Shown, load};
use crate::commands::measure::{self, MeasureArgs};
use crate::failure::{Failure, Kind};
use crate::output::say_aside;
use crate::runtime;
use crate::sim::{self, Folder, Lock, UpArgs};

/// Name of the simulation: it does not disturb another one.
const NAME: &str = "fit";

/// How far a simulated quantile may be from the recorded one, percent.
const TOLERANCES: [&str; 3] = ["rtt.p50=2", "rtt.p90=5", "rtt.p99=10"];

/// Simulates, measures, compares. The simulation is taken down whatever comes of it.
pub(super) fn run(
    global: &Global,
    (path, real): (&Path, &Record),
    (pairs, links): (&[FittedPair], &str),
    samples: u32,
) -> Result<Shown, Failure> {
    let work = tempfile::tempdir()?;
    let config = work.path().join("farquorum.toml");
    std::fs::write(&config, configuration(global, pairs, links)?)?;
    let global = Global { config: Some(config), ..global.clone() };
    say_aside("starting a simulation with these links");
    let up = sim::up(&global, NAME, &UpArgs { fresh: true, ..UpArgs::default() }).map_err(interrupted)?;
    let out = work.path().join("simulated.json");
    let measured = measured(&global, &up.folder, &out, samples);
    sim::take_down(&up.folder, true)?;
    measured?;
    let simulated = load(&out)?;
    let across = real.dimensions.differences(&simulated.dimensions).into_iter().map(|found| found.name);
    let options = Options {
        tolerances: Tolerances::default().with(TOLERANCES).map_err(Failure::failed)?,
        across: across.collect(),
        only: BTreeSet::from(["rtt".to_owned()]),
        seed: 1,
    };
    let comparison = compare(real, &simulated, &options).map_err(Failure::failed)?;
    let (a, b) = (path.display().to_string(), "the simulation".to_owned());
    Ok(Shown { words: report::verdict(&comparison), a, b, comparison })
}

fn measured(global: &Global, folder: &Folder, out: &Path, samples: u32) -> Result<(), Failure> {
    let global = Global { context: Some(folder.context()), ..global.clone() };
    let args = MeasureArgs::round_trips(samples, out);
    let (_, ended) = runtime::block_on_until(|stop| measure::measure(&global, &args, stop))?;
    ended
}

/// An interrupted start leaves no folder; one that failed leaves its logs.
fn interrupted(failure: Failure) -> Failure {
    if failure.kind() == Kind::Interrupted {
        let _undeleted = Folder::named(NAME).and_then(|folder| Lock::take(&folder)?.purge());
    }
    failure
}

/// The user's configuration with the fitted links in place of its own; pairs of clouds that were not recorded keep
/// theirs.
fn configuration(global: &Global, pairs: &[FittedPair], links: &str) -> Result<String, Failure> {
    let file = global.sources().file;
    let text = match &file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?,
        None => BUILT_IN.to_owned(),
    };
    let mut table: Table = text.parse().map_err(Failure::usage)?;
    if let Some(Value::Array(kept)) = table.get_mut("links") {
        kept.retain(|link| !pairs.iter().any(|pair| is_between(link, &pair.from, &pair.to)));
    }
    let fitted: Table = links.parse().map_err(Failure::failed)?;
    let fitted = fitted.get("links").and_then(Value::as_array).cloned().unwrap_or_default();
    // Something else than a list of links: the loader says what is wrong with it.
    if let Value::Array(all) = table.entry("links").or_insert_with(|| Value::Array(Vec::new())) {
        all.extend(fitted);
    }
    toml::to_string(&table).map_err(Failure::failed)
}

fn is_between(link: &Value, one: &str, other: &str) -> bool {
    let of = |name: &str| link.get(name).and_then(Value::as_str);
    let ends: Vec<&str> = match link.get("between").and_then(Value::as_array) {
        Some(both) => both.iter().filter_map(Value::as_str).collect(),
        None => of("from").into_iter().chain(of("to")).collect(),
    };
    ends == [one, other] || ends == [other, one]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_links_of_the_pair_are_replaced() {
        let link = |text: &str| text.parse::<Table>().map(Value::Table).unwrap();
        for text in
            ["between = [\"aws\", \"gcp\"]", "between = [\"gcp\", \"aws\"]", "from = \"gcp\"\nto = \"aws\""]
        {
            assert!(is_between(&link(text), "aws", "gcp"), "{text}");
        }
        for text in
            ["between = [\"aws\", \"azure\"]", "from = \"aws\"", "between = [\"aws\"]", "within = \"aws\""]
        {
            assert!(!is_between(&link(text), "aws", "gcp"), "{text}");
        }
    }
}
