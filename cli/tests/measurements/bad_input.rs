//! What cannot be compared or fitted: exit code 2 for what was given wrongly, 4 for what does not go together.

use std::path::Path;

use crate::{folder, ran};

#[test]
fn bad_input_is_refused_with_what_is_expected() {
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["compare", "a.json"], 2, &["required arguments", "<B.json>"]),
        (&["compare", "a.json", "none.json"], 2, &["none.json: cannot be read", "try: farquorum measure"]),
        (&["compare", "a.json", "."], 2, &[".: cannot be read"]),
        (
            &["compare", "cut.json", "a.json"],
            2,
            &["cut.json:", "not a record: EOF while parsing", "record.schema.json"],
        ),
        (&["compare", "a.json", "text.json"], 2, &["text.json:1:", "not a record"]),
        (
            &["compare", "a.json", "edited.json"],
            2,
            &["edited.json: series[0].quantiles.p50: is 12.5, but the samples"],
        ),
        (
            &["compare", "a.json", "misspelt.json"],
            2,
            &["misspelt.json:", "unknown field `kernl`, expected one of"],
        ),
        (
            &["compare", "a.json", "lonely.json"],
            2,
            &["lonely.samples.csv.gz: cannot be read", "both are needed"],
        ),
        (
            &["compare", "a.json", "damaged.json"],
            2,
            &["samples.sha256: is ", "it was cut, edited or belongs"],
        ),
        (
            &["compare", "a.json", "other.json"],
            4,
            &["differ in backend: \"user-space WAN\" and \"kernel netem\"", "try: --across backend"],
        ),
        (
            &["compare", "a.json", "other.json", "--across", "backend"],
            4,
            &["differ in kernel: \"6.1.0\" and \"6.2.0\""],
        ),
        (
            &["compare", "a.json", "a.json", "--across", "kernl"],
            2,
            &["--across kernl: not a dimension", "kernel"],
        ),
        (
            &["compare", "a.json", "a.json", "--tolerance", "p95=3"],
            2,
            &["--tolerance \"p95=3\"", "rtt.p99=15"],
        ),
        (
            &["compare", "a.json", "a.json", "--tolerance", "p50=-3"],
            2,
            &["not a percentage above 0 and up to 100"],
        ),
        (&["compare", "a.json", "commits.json"], 4, &["no quantity in common", "try: --only"]),
        (
            &["compare", "a.json", "a.json", "--only", "rtt,foo"],
            2,
            &["--only foo: there is no such quantity"],
        ),
        (&["compare", "a.json", "a.json", "--only", "commit"], 4, &["no quantity in common: none and none"]),
        (
            &["compare", "a.json", "a.json", "--html", "none/r.html"],
            1,
            &["none/r.html: cannot be written: No such"],
        ),
        (&["compare", "a.json", "a.json", "--seed", "x"], 2, &["invalid value 'x'"]),
        (&["fit", "none.json"], 2, &["none.json: cannot be read"]),
        (&["fit", "cut.json"], 2, &["cut.json:", "not a record"]),
        (
            &["fit", "few.json"],
            4,
            &["few.json: rtt aws -> gcp: 30 samples are too few; a fit of p99 needs 1000"],
        ),
        (
            &["fit", "commits.json"],
            4,
            &["no series rtt between two clouds; it has commit aws -> gcp", "try: farquorum"],
        ),
        (&["fit", "invalid.json"], 4, &["the record is marked invalid: lateness p99 4 ms"]),
        (&["fit", "a.json", "--out", "none/links.toml"], 1, &["none/links.toml: cannot be written"]),
    ];
    let folder = folder();
    spoil(folder.path());
    let before = names(folder.path());
    for (args, code, words) in cases {
        let ran = ran(folder.path(), args).code(*code).says(words);
        assert_eq!(ran.text(), "", "{ran}");
        assert_eq!(names(folder.path()), before, "something was left: {ran}");
    }
}

/// Records with something wrong.
fn spoil(folder: &Path) {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let good = read("a.json");
    write("cut.json", &good[..good.len() / 2]);
    write("text.json", "rtt 50 ms\n");
    write("misspelt.json", &good.replace("\"kernel\"", "\"kernl\""));
    let median = good.lines().find(|line| line.contains("\"p50\"")).unwrap();
    write("edited.json", &good.replacen(median, "\"p50\": 12.5,", 1));
    write("lonely.json", &good.replace("a.samples.csv.gz", "lonely.samples.csv.gz"));
    write("damaged.json", &good.replace("a.samples.csv.gz", "damaged.samples.csv.gz"));
    let samples = std::fs::read(folder.join("a.samples.csv.gz")).unwrap();
    std::fs::write(folder.join("damaged.samples.csv.gz"), &samples[..samples.len() - 1]).unwrap();
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
