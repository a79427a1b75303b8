//! Runs every file of `tests/bad` and `tests/good` and compares what the loader says with the file beside it. Leading
//! comments give the other sources: `# env: NAME=VALUE`, `# flag: key=value`, `# topology: NAME`, `# preset: NAME`.
//! A new case is a new file; `FARQUORUM_UPDATE=1` writes what the loader says, for a person to read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use farquorum_config::{Loaded, Sources, load_text};

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "no cases");
    files
}

fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
        let pair = |rest: &str| {
            rest.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()
        };
        match line.split_once(": ") {
            Some(("env", rest)) => sources.environment.push(pair(rest)),
            Some(("flag", rest)) => sources.overrides.push(pair(rest)),
            Some(("topology", name)) => sources.topology = Some(name.to_owned()),
            Some(("preset", name)) => sources.preset = Some(name.to_owned()),
            _ => {}
        }
    }
    sources
}

fn run(folder: &str, extension: &str, say: impl Fn(&str, &Path, &Sources) -> String) {
    let mut wrong = String::new();
    for case in cases(folder) {
        let text = std::fs::read_to_string(&case).unwrap();
        let name = PathBuf::from(case.file_name().unwrap());
        let said = say(&text, &name, &sources(&text));
        let beside = case.with_extension(extension);
        if std::env::var_os("FARQUORUM_UPDATE").is_some() {
            std::fs::write(&beside, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if said != expected {
            writeln!(wrong, "{}\n--- expected\n{expected}--- got\n{said}", case.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}(FARQUORUM_UPDATE=1 accepts)");
}

#[test]
fn bad_configurations_are_refused_with_these_words() {
    run("bad", "err", |text, name, sources| match load_text(text, Some(name), sources) {
        Ok(_) => panic!("{} was accepted", name.display()),
        Err(errors) => format!("{errors}\n"),
    });
}

#[test]
fn good_configurations_have_these_values() {
    run("good", "out", |text, name, sources| match load_text(text, Some(name), sources) {
        Ok(loaded) => effective(&loaded),
        Err(errors) => format!("{errors}\n"),
    });
}

/// The warnings, and all values that are not defaults.
fn effective(loaded: &Loaded) -> String {
    let warnings: String = loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    let set: String = loaded
        .to_toml()
        .lines()
        .filter(|line| !line.ends_with("# default"))
        .flat_map(|line| [line, "\n"])
        .collect();
    format!("{warnings}{set}")
}

#[test]
fn what_show_prints_is_the_same_configuration() {
    for case in cases("good") {
        let text = std::fs::read_to_string(&case).unwrap();
        let first = load_text(&text, None, &sources(&text)).unwrap_or_else(|errors| panic!("{errors}"));
        let again = load_text(&first.to_toml(), None, &Sources::default())
            .unwrap_or_else(|errors| panic!("{errors}"));
        let json = |loaded: &Loaded| serde_json::to_value(&loaded.config).unwrap();
        assert_eq!(json(&first), json(&again), "{}", case.display());
    }
}
