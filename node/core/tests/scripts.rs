//! Golden scripts: each file in `tests/scripts` is a list of cases, apart by a blank line. A case is command lines,
//! `----`, and what they print; the state lives from the first case of a file to the last. The words are explained in
//! `script/parse.rs`. `FARQUORUM_UPDATE=1 cargo test -p farquorum-core --test scripts` writes the output anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests: a failure here is a failed test"
)]

mod script;

use std::fs;
use std::path::Path;

use script::Session;

#[test]
fn scripts_print_what_they_say() {
    let update = std::env::var_os("FARQUORUM_UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 14, "only {} scripts found", files.len());
    for file in files {
        let expected = fs::read_to_string(&file).unwrap();
        let got = run(&expected);
        if update {
            fs::write(&file, got).unwrap();
        } else {
            assert_eq!(got, expected, "{} differs: got left, expected right", file.display());
        }
    }
}

/// The script with the output that its commands have now.
fn run(script: &str) -> String {
    let mut session = Session::default();
    let cases = script.trim_end().split("\n\n").map(|case| {
        let commands: Vec<&str> = case.lines().take_while(|line| *line != "----").collect();
        let printed =
            commands.iter().filter(|line| !line.starts_with('#')).flat_map(|line| session.run(line));
        let output: String = printed.map(|line| format!("\n{line}")).collect();
        format!("{}\n----{output}\n", commands.join("\n"))
    });
    cases.collect::<Vec<_>>().join("\n")
}
