//! MEAS-1, MEAS-2: the nodes measure what the links are set to; `measure` records it with everything that a comparison
//! needs, keeps what is whole, and says what it cannot do.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use farquorum_baseline::{Dimensions, Record, Series, rfc3339};
use nix::sys::signal::Signal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::lab::machine::{interruptible, signal, supervisor};
use crate::lab::ran::run;
use crate::lab::terminal::Terminal;
use crate::lab::{BINARY, Sim, file, late, text};

/// Pairs of clouds of preset `seed`, and their round trips, ms.
const SEED: [(&str, &str, f64); 3] = [("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)];

/// What the slowest round trips of links without jitter may be above the median. A probe that waits in its sender for an
/// acknowledgement waits for the next probe at least, 57 ms on the slowest link of preset `world`.
const PROBES_WAIT_MS: f64 = 40.0;

/// Share by which a quantile of the fitted network may differ from the recorded one (MEAS-4).
const FITTED: [(&str, f64); 2] = [("p50", 0.02), ("p90", 0.05)];
const FITTED_P99: f64 = 0.1;

/// Every directed pair.
fn directed() -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    SEED.into_iter().flat_map(|(one, other, ms)| [(one, other, ms), (other, one, ms)])
}

/// Application probes carry the wake-ups of two processes, which a busy machine delays: more is allowed than for the links
/// themselves, and far less than what a wrong link would be off by.
fn within_tolerance(what: &str, measured: f64, configured: f64) {
    println!(
        "{what}: p50 {measured:.2} ms, configured {configured} ms, error {:+.2} ms",
        measured - configured
    );
    let tolerance = (configured * 0.04).max(2.0);
    assert!(
        (measured - configured).abs() <= tolerance,
        "{what}: {measured} ms, {configured} ms are configured"
    );
}

/// Looks at `farquorum status` until every node knows so many probes to every other.
fn status_with_probes(sim: &Sim, probes: u64) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let status = sim.json(&["status"]);
        let nodes = status["nodes"].as_array().unwrap();
        let knows = |node: &Value| {
            let rtts = node["rtt_ms"].as_array().unwrap();
            rtts.len() == 2 && rtts.iter().all(|rtt| rtt["probes"].as_u64().unwrap() >= probes)
        };
        if nodes.iter().all(knows) {
            return status;
        }
        assert!(Instant::now() < until, "not within 120 s: {probes} probes on every link: {status}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn cloud_of<'a>(status: &'a Value, node: &Value) -> &'a str {
    let nodes = status["nodes"].as_array().unwrap();
    nodes.iter().find(|known| known["name"] == *node).unwrap()["cloud"].as_str().unwrap()
}

#[test]
fn the_nodes_know_how_far_apart_they_are() {
    let Some(sim) = Sim::up(&["--preset", "seed"]) else { return };
    let status = status_with_probes(&sim, 100);
    let mut seen = 0;
    for node in status["nodes"].as_array().unwrap() {
        for rtt in node["rtt_ms"].as_array().unwrap() {
            let (from, to) = (node["cloud"].as_str().unwrap(), cloud_of(&status, &rtt["to"]));
            let (_, _, configured) = directed().find(|pair| (pair.0, pair.1) == (from, to)).unwrap();
            within_tolerance(&format!("status, {from} -> {to}"), rtt["p50_ms"].as_f64().unwrap(), configured);
            seen += 1;
        }
    }
    assert_eq!(seen, 6, "every directed pair");
    matrix_is_printed(&sim);
    a_record_holds_what_was_asked_for(&sim);
    links_changed_live_are_a_dimension(&sim);
    a_cluster_without_a_simulation_is_a_real_network(&sim);
}

/// The last table of `farquorum status`: a row and a column for each node, `-` where there is no link.
fn matrix_is_printed(sim: &Sim) {
    let printed = sim.ok(&["status"]);
    let matrix: Vec<Vec<&str>> = printed
        .lines()
        .skip_while(|line| !line.starts_with("FROM \\ TO"))
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(matrix.len(), 4, "{printed}");
    for (row, cells) in matrix.iter().enumerate() {
        assert_eq!(cells.len(), 4, "{printed}");
        assert_eq!(cells[0] == "FROM \\ TO", row == 0);
        assert!(row == 0 || cells[row] == "-", "no round trip to itself: {printed}");
        assert_eq!(cells.iter().filter(|cell| cell.contains(" / ")).count(), if row == 0 { 0 } else { 2 });
    }
}

fn load(path: &Path) -> Record {
    Record::load(path).unwrap()
}

fn series<'a>(record: &'a Record, name: &str) -> &'a Series {
    record.find(name, None, None).unwrap_or_else(|| panic!("no series {name}"))
}

fn a_record_holds_what_was_asked_for(sim: &Sim) {
    let out = sim.lab.state.path().join("quick.json");
    let asked = ["measure", "--quick", "--blocks", "2", "--samples", "101", "--elections", "3"];
    let printed = sim.json(&[&asked[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!(sim.ok(&["kv", "list", "measure/"]), "no keys\n", "keys were left in the store");
    let record = load(&out);
    obeys_the_schema(&out);
    assert_eq!((record.incomplete.as_deref(), printed["complete"].as_bool()), (None, Some(true)));
    assert_eq!(printed["valid"].as_bool(), Some(record.invalid.is_empty()));
    says_under_what_it_was_made(sim, &record.dimensions);

    let titles: Vec<String> = record.series.iter().map(Series::title).collect();
    assert_eq!(titles.len(), 6 + 7, "{titles:?}");
    for (from, to, configured) in directed() {
        let rtt = record.find("rtt", Some(from), Some(to)).unwrap();
        assert_eq!((rtt.samples.len(), rtt.lost), (101, Some(0)), "{from} -> {to}");
        within_tolerance(&format!("measure, {from} -> {to}"), rtt.quantiles().unwrap().p50, configured);
    }
    for (name, count) in [
        ("commit", 101),
        ("read", 101),
        ("read-stale", 101),
        ("throughput", 4),
        ("transfer", 3),
        ("election", 3),
        ("election-write", 3),
    ] {
        assert_eq!(series(&record, name).samples.len(), count, "{name}");
    }
    for series in &record.series {
        let blocks: BTreeSet<u32> = series.samples.iter().map(|sample| sample.block).collect();
        assert_eq!(blocks, BTreeSet::from([0, 1]), "{}", series.title());
        assert!(series.samples.is_sorted_by_key(|sample| sample.at_s), "{}", series.title());
    }
    let p50 = |name| series(&record, name).quantiles().unwrap().p50;
    assert!(p50("commit") >= 50.0, "a commit at aws crosses to gcp and back: {}", p50("commit"));
    assert!(p50("read") >= 50.0 && p50("read-stale") < 50.0, "{} {}", p50("read"), p50("read-stale"));
    assert!(p50("election") > p50("transfer"), "an election waits for a timeout first");
}

/// When, by which program, where, with which configuration.
fn says_under_what_it_was_made(sim: &Sim, dimensions: &Dimensions) {
    let now = SystemTime::now();
    assert!(dimensions.when <= rfc3339(now), "{}", dimensions.when);
    assert!(dimensions.when >= rfc3339(now - Duration::from_secs(900)), "{}", dimensions.when);
    assert_eq!(dimensions.version, env!("CARGO_PKG_VERSION"));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!((dimensions.kernel.as_str(), dimensions.preset.as_str()), (kernel.trim(), "seed"));
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(dimensions.processors, processors);
    assert_eq!(dimensions.backend, sim.json(&["sim", "status"])["backend"].as_str().unwrap());
    let clouds = dimensions.clouds.iter().map(|cloud| (cloud.label.as_str(), cloud.region.as_str()));
    let clouds: BTreeSet<(&str, &str)> = clouds.collect();
    assert_eq!(clouds, BTreeSet::from([("aws", "us-east-1"), ("gcp", "us-east4"), ("azure", "eastus")]));
    assert_eq!(dimensions.more["leader"], "aws", "beside the operator");
    // Of the effective values, without where each came from.
    let file = sim.folder().join("farquorum.toml");
    let shown = sim.ok(&["config", "show", "--config", file.to_str().unwrap()]);
    let mut digest = Sha256::new();
    for line in shown.lines() {
        digest.update(line.split_once("  # ").map_or(line, |(value, _)| value));
        digest.update("\n");
    }
    assert_eq!(dimensions.config_sha256, hex::encode(digest.finalize()));
}

/// Without a simulation behind it: what it would do to a real deployment it does not, or only when it is told to.
fn a_cluster_without_a_simulation_is_a_real_network(sim: &Sim) {
    let context = std::fs::read_to_string(sim.context_file()).unwrap();
    let (nodes, rest) = context.split_once("[sim]").unwrap();
    assert!(!rest.contains("\n["), "the simulation is the context's last table: {context}");
    let context = file(&sim.lab, "real.toml", nodes);
    let out = sim.lab.state.path().join("deployment.json");
    let real = |args: &[&str]| {
        let mut command = sim.lab.command();
        command.args([
            "measure",
            "--context",
            &context,
            "--blocks",
            "1",
            "--samples",
            "10",
            "--force",
            "--out",
        ]);
        command.arg(&out).args(args);
        run(command)
    };
    real(&[]).code(0);
    let record = load(&out);
    obeys_the_schema(&out);
    let names: BTreeSet<&str> = record.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(
        names,
        BTreeSet::from(["rtt", "commit", "read", "read-stale"]),
        "nothing that its users notice"
    );
    let dimensions = &record.dimensions;
    assert_eq!((dimensions.backend.as_str(), dimensions.preset.as_str()), ("real network", ""));
    assert!(!dimensions.more.contains_key("lateness"), "{dimensions:?}");
    // The configuration is not known unless it is named.
    assert_eq!(dimensions.config_sha256, "");
    let config = sim.folder().join("farquorum.toml");
    real(&["--only", "rtt", "--config", config.to_str().unwrap()]).code(0);
    assert_eq!(load(&out).dimensions.config_sha256.len(), 64);
    real(&["--only", "transfer"]).code(2).says(&["--disruptive"]);
    real(&["--only", "transfer", "--disruptive", "--elections", "1"]).code(0);
    assert_eq!(series(&load(&out), "transfer").samples.len(), 1);
    real(&["--only", "election", "--disruptive"]).code(2).says(&["election"]);
}

/// The JSON on disk is what the published schema describes.
fn obeys_the_schema(path: &Path) {
    let mut published = std::process::Command::new(BINARY);
    published.args(["measure", "--schema"]);
    let published = run(published).code(0).json();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("record.json", published).unwrap();
    let index = compiler.compile("record.json", &mut schemas).unwrap();
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    schemas.validate(&document, index).unwrap_or_else(|error| panic!("{error}\n{document:#}"));
}

/// A preset whose links were changed is not that preset, and a comparison says so first.
fn links_changed_live_are_a_dimension(sim: &Sim) {
    let (before, after) = ("quick.json", "changed.json");
    let folder = sim.lab.state.path();
    sim.verb(&["link", "aws", "gcp", "--delay-ms", "30"]);
    let out = folder.join(after);
    let asked = ["measure", "--only", "rtt", "--blocks", "1", "--samples", "10", "--out"];
    sim.ok(&[&asked[..], &[out.to_str().unwrap()]].concat());
    assert_eq!(load(&out).dimensions.more["links_changed"], "aws->gcp delay_ms 25.0 -> 30.0");
    assert!(sim.ok(&["sim", "status"]).contains("\nchanged: aws->gcp delay_ms 25.0 -> 30.0"));
    let paths = [before, after].map(|name| folder.join(name).display().to_string());
    let compare = ["compare", &paths[0], &paths[1], "--only", "rtt"];
    let refused = sim.run(&compare);
    let says = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{says}");
    assert!(says.contains("links_changed") && says.contains("--across links_changed"), "{says}");
    sim.verb(&["link", "aws", "gcp", "--delay-ms", "25"]);
    sim.ok(&[&asked[..], &[out.to_str().unwrap(), "--force"]].concat());
    assert_eq!(load(&out).dimensions.more.get("links_changed"), None, "changed back is not changed");
}

#[test]
fn what_cannot_be_measured_or_written_is_said() {
    let Some(sim) = Sim::up(&[]) else { return };
    a_person_sees_how_far_it_is(&sim);
    bad_input_is_refused(&sim);
    an_interrupt_keeps_whole_blocks(&sim);
    a_full_disk_leaves_no_half_record(&sim);
    a_late_emulator_makes_a_record_invalid(&sim);
}

fn bad_input_is_refused(sim: &Sim) {
    let there = file(&sim.lab, "there.json", "{}");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--blocks", "0"], 2, "--blocks 0: must be from 1 to 1000"),
        (&["--samples", "5", "--blocks", "6"], 2, "--samples 5: must be from 6"),
        (&["--samples", "-1"], 2, "'-1'"),
        (&["--only", "rtt,ping"], 2, "possible values: rtt, commit, read, throughput, transfer, election"),
        (&["--leader", "mars"], 2, "no node is in cloud \"mars\"; nodes are in: aws, gcp, azure"),
        (&["--out", "figures.txt"], 2, "must end in .json"),
        (&["--out", "/nowhere/a.json"], 2, "there is no folder /nowhere"),
        (&["--out", "/proc/a.json"], 1, "nothing can be written in /proc"),
        (&["--out", &there], 4, "is there already"),
    ];
    for (args, code, says) in cases {
        let output = sim.run(&[&["measure", "--quick"], args].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?} does not say {says:?}: {error}");
    }
    assert_eq!(std::fs::read_to_string(there).unwrap(), "{}");
}

/// On a terminal: which block and quantity, what share is done, and how long it still takes; the bar is gone at the end.
fn a_person_sees_how_far_it_is(sim: &Sim) {
    let mut command =
        sim.command(&["measure", "--only", "rtt", "--blocks", "2", "--samples", "200", "--out"]);
    command.arg(sim.lab.state.path().join("bar.json")).env("TERM", "xterm").env_remove("NO_COLOR");
    let mut terminal = Terminal::run(command);
    terminal.await_text("block 1/2: rtt");
    let second = terminal.await_text("block 2/2: rtt");
    let left =
        |word: &str| second.split(word).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    assert!(second.contains(" %  ") && left("(left "), "{second}");
    terminal.await_text("written: ");
    let until = Instant::now() + Duration::from_secs(10);
    while terminal.ended().is_none() {
        assert!(Instant::now() < until, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(terminal.ended().unwrap().success());
}

/// Interrupted when the first block is whole, and before it is.
fn an_interrupt_keeps_whole_blocks(sim: &Sim) {
    let out = sim.lab.state.path().join("cut.json");
    let mut command = sim.command(&["measure", "--only", "rtt", "--blocks", "100", "--samples", "2000"]);
    command.arg("--out").arg(&out).stdout(Stdio::piped()).stderr(Stdio::piped());
    interruptible(&mut command);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "block 2 of 100 is whole"));
    signal(i32::try_from(child.id()).unwrap(), Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let (record, printed) = (load(&out), text(&output.stdout));
    let reason = record.incomplete.clone().unwrap();
    assert!(printed.contains(&format!("NOT COMPLETE: {reason}")), "{printed}");
    for series in &record.series {
        let last = series.samples.last().unwrap().block;
        assert!((1..99).contains(&last), "{}", series.title());
        assert_eq!(series.samples.len(), 20 * (usize::try_from(last).unwrap() + 1), "{}", series.title());
        assert_eq!(reason, format!("interrupted: {} of 100 blocks are whole", last + 1));
    }

    let early = sim.lab.state.path().join("early.json");
    let mut command = sim.command(&["measure", "--only", "election", "--blocks", "1", "--elections", "50"]);
    command.arg("--out").arg(&early).stdout(Stdio::piped()).stderr(Stdio::piped());
    interruptible(&mut command);
    let child = command.spawn().unwrap();
    let starts = || -> u64 {
        let status = sim.json(&["sim", "status"]);
        status["hosts"].as_array().unwrap().iter().map(|host| host["starts"].as_u64().unwrap()).sum()
    };
    let before = starts();
    let until = Instant::now() + Duration::from_secs(60);
    while starts() == before {
        assert!(Instant::now() < until, "no leader was killed and started again within 60 s");
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(i32::try_from(child.id()).unwrap(), Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("before the first block was whole: nothing was written"), "{error}");
    assert!(!early.exists());
    let status = sim.json(&["sim", "status"]);
    let dead = |host: &&Value| host["role"] == "node" && host["state"] != "running";
    assert_eq!(status["hosts"].as_array().unwrap().iter().find(dead), None, "a killed node was left dead");
}

fn a_full_disk_leaves_no_half_record(sim: &Sim) {
    let folder = sim.lab.state.path().join("full");
    std::fs::create_dir(&folder).unwrap();
    let measure = sim.command(&["measure", "--only", "rtt", "--blocks", "2", "--samples", "200"]);
    // One page of a tmpfs of its own: the samples do not fit. What is left is listed before the mount goes away.
    let script = "mount -t tmpfs -o size=4k none full && { \"$@\" --out full/a.json; code=$?; ls -A full; exit $code; }";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(measure.get_program()).args(measure.get_args()).current_dir(sim.lab.state.path());
    for (name, value) in measure.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("the disk is full"), "{error}");
    assert_eq!(text(&output.stdout), "", "files were left behind");
}

/// The emulator is stopped again and again while round trips are measured: what came through it was late.
fn a_late_emulator_makes_a_record_invalid(sim: &Sim) {
    let out = sim.lab.state.path().join("late.json");
    let mut command = sim.command(&["measure", "--only", "rtt", "--blocks", "1", "--samples", "100"]);
    command.arg("--out").arg(&out).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let emulator = supervisor(sim.lab.state.path()).unwrap();
    late::until_it_ends(&mut child, emulator);
    let output = child.wait_with_output().unwrap();
    let (record, printed) = (load(&out), text(&output.stdout));
    assert!(output.status.success(), "the record is written all the same: {}", output.status);
    assert!(record.invalid[0].starts_with(late::SAYS), "{:?}", record.invalid);
    assert!(printed.contains(&format!("NOT VALID: {}", record.invalid[0])), "{printed}");
}

/// MEAS-4 in one command: what was recorded, fitted, simulated and recorded again is the same network. Long links, so that
/// what a busy machine adds is little of them, and so that probes would wait for each other in TCP if they were too many. A
/// minute that is busier than the one before shows another network, so what fails gets a second recording; a wrong fit fails
/// twice.
#[test]
fn a_fit_reproduces_what_was_recorded() {
    let Some(problem) = fitted_wrong() else { return };
    println!("failed once: {problem}");
    if let Some(problem) = fitted_wrong() {
        panic!("failed twice: {problem}");
    }
}

/// Records a network, fits it, records the fit; what is wrong with it.
fn fitted_wrong() -> Option<String> {
    let sim = Sim::up(&["--preset", "world"])?;
    let out = sim.lab.state.path().join("real.json");
    let real = out.to_str().unwrap();
    // A link whose tail is the network's own, and four whose tail is none.
    sim.verb(&["link", "aws", "gcp", "--jitter-ms", "3", "--both"]);
    sim.ok(&["measure", "--only", "rtt", "--blocks", "2", "--samples", "500", "--out", real]);
    sim.down(false);
    let mut command = sim.lab.command();
    command.args(["-o", "json", "fit", real, "--verify", "--samples", "300"]);
    let output = command.output().unwrap();
    let mut status = sim.lab.command();
    let left = status.args(["sim", "status", "--name", "fit"]).output().unwrap();
    assert_eq!(left.status.code(), Some(3), "the simulation of the fit is gone: {}", text(&left.stderr));
    let printed = text(&output.stdout);
    match output.status.code() {
        // A busy machine may leave p99 undecided.
        Some(0 | 5) => {}
        Some(1) => return Some(printed),
        code => panic!("{code:?}: {}{printed}", text(&output.stderr)),
    }
    let comparison: Value = serde_json::from_slice(&output.stdout).unwrap();
    let quantities = comparison["comparison"]["quantities"].as_array().unwrap();
    assert_eq!(quantities.len(), 6, "{printed}");
    let quantile = |quantity: &Value, name: &str| {
        let quantiles = quantity["quantiles"].as_array().unwrap();
        quantiles.iter().find(|judged| judged["quantile"] == name).unwrap().clone()
    };
    let ms = |quantity: &Value, name, side| quantile(quantity, name)[side].as_f64().unwrap();
    let off = |quantity: &Value, name| (ms(quantity, name, "b") / ms(quantity, name, "a") - 1.0).abs();
    let wrong = |quantity: &&Value| {
        FITTED.iter().any(|(name, share)| off(quantity, name) > *share)
            || ms(quantity, "p99", "a") > ms(quantity, "p50", "a") + PROBES_WAIT_MS
    };
    // The three slowest of 300 are the machine's where a link has no jitter. Where it has, one busy moment spoils one way.
    let jittered =
        quantities.iter().filter(|quantity| quantity["from"] != "azure" && quantity["to"] != "azure");
    let tails: Vec<&Value> = jittered.filter(|quantity| off(quantity, "p99") <= FITTED_P99).collect();
    let tail = tails.is_empty().then(|| format!("p99 of neither way between aws and gcp: {printed}"));
    quantities.iter().find(wrong).map(|quantity| format!("{quantity:#}")).or(tail)
}
