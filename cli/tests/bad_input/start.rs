//! A simulation that cannot start: it says why and how to go on, changes no data, and leaves nothing running.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::lab::machine::Traces;
use crate::lab::{Lab, Sim};
use crate::ran::{Ran, run};

/// The node whose data is damaged.
const VICTIM: &str = "cp-gcp-1";

fn up(sim: &Sim, extra: &[&str]) -> Ran {
    run(sim.command(&[&["sim", "up"], extra].concat()))
}

#[test]
fn a_second_start_of_the_same_name_shows_the_running_one() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let before = sim.json(&["sim", "status"])["hosts"].clone();
    up(&sim, &["--no-cluster"]).code(4).prints(&["HOST", "cp-aws-1", "operator"]).says(&[
        &format!("a simulation named {:?} already runs", sim.name),
        "sim down",
        "another --name",
    ]);
    assert_eq!(sim.json(&["sim", "status"])["hosts"], before, "the running one was touched");

    let beside = sim.lab.up(&["--no-cluster"]);
    let listed = sim.json(&["sim", "list"])["simulations"].clone();
    assert_eq!(listed, serde_json::json!([sim.name, beside.name]));
    sim.verb(&["exec", "operator", "--", "true"]);
    a_bad_request_is_answered_once(&sim);
}

/// What comes after it has no beginning that could be found: the connection is closed, and others are served.
fn a_bad_request_is_answered_once(sim: &Sim) {
    for (sent, said) in [
        (b"no request\n".to_vec(), "not a request: "),
        (vec![b'x'; (1 << 20) + (64 << 10)], "not a request: a line longer than 1 MiB"),
    ] {
        let mut stream = UnixStream::connect(sim.folder().join("control.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // It may be closed before all of it is sent.
        let _unsent = stream.write_all(&sent);
        let (mut bytes, mut part) = (Vec::new(), [0; 1024]);
        while let Ok(count) = stream.read(&mut part)
            && count > 0
        {
            bytes.extend_from_slice(&part[..count]);
            assert!(bytes.len() < 10_000, "answered again and again: {}", String::from_utf8_lossy(&bytes));
        }
        let answer = String::from_utf8(bytes).unwrap();
        assert!(answer.contains(said) && answer.lines().count() == 1, "{answer}");
    }
    sim.verb(&["status"]);
}

/// Both see that nothing runs; `--fresh` would delete the folder under the other one.
#[test]
fn of_two_starts_at_once_one_wins() {
    let Some(lab) = Lab::enter() else { return };
    for fresh in [&[][..], &["--fresh"]] {
        let sim = lab.adopt(&lab.name());
        let start = |extra: &[&str]| {
            let mut command = sim.command(&[&["sim", "up", "--no-cluster"], extra].concat());
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (command, child)
        };
        let ran =
            [start(&[]), start(fresh)].map(|(command, child)| (command, child.wait_with_output().unwrap()));
        let (won, lost): (Vec<_>, Vec<_>) = ran.iter().partition(|(_, output)| output.status.success());
        assert_eq!((won.len(), lost.len()), (1, 1), "{ran:?}");
        for (command, output) in lost {
            let lost = Ran::new(command, output.clone()).code(4);
            lost.says(&[&format!("a simulation named {:?}", sim.name), "sim"]);
        }
        sim.verb(&["exec", "operator", "--", "true"]);
        sim.down(true);
        assert!(Traces::of(lab.state.path(), &[]).is_clean(), "something is left");
        assert!(!sim.folder().exists());
    }
}

/// What holds the name and does not answer is named.
#[test]
fn a_name_that_is_held_is_refused() {
    let Some(lab) = Lab::enter() else { return };
    let sim = lab.adopt(&lab.name());
    std::fs::create_dir_all(sim.folder()).unwrap();
    let lock = std::fs::File::create(sim.folder().join("lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(sim.folder().join("lock"), format!("{}\n", std::process::id())).unwrap();
    let said = format!(
        "a simulation named {:?} is just being started or stopped by process {}",
        sim.name,
        std::process::id()
    );
    up(&sim, &["--no-cluster"]).code(4).says(&[&said, "wait until it is done; kill"]);
    run(sim.command(&["sim", "down", "--purge"])).code(4).says(&[&said]);
    drop(lock);
    sim.down(true);
    assert!(!sim.folder().exists());
}

/// Bytes flipped in a table of a stopped node's RocksDB. (Flipped bytes in the write-ahead log are another thing: the
/// node starts, does not vote, and is healed by the others.)
#[test]
fn a_corrupt_data_folder_is_named_and_left_alone() {
    let Some(sim) = Sim::up(&[]) else { return };
    sim.ok(&["kv", "set", "kept", "value"]);
    sim.down(false);
    // A start makes tables of what the last run logged.
    up(&sim, &[]).ok();
    sim.down(false);
    let data = sim.folder().join("data").join(VICTIM);
    let tables: Vec<PathBuf> =
        files(&data).into_keys().filter(|path| path.extension().is_some_and(|kind| kind == "sst")).collect();
    assert!(!tables.is_empty(), "no tables in {}", data.display());
    let intact = files(&data);
    tables.iter().for_each(|table| flip(table));
    let damaged = files(&data);

    up(&sim, &[]).code(1).says(&[
        &format!("{VICTIM} stopped"),
        &format!("{} is damaged", data.join("log").display()),
        "Nothing was deleted",
        "--fresh deletes this simulation's data and starts anew",
    ]);
    let kept = files(&data);
    for (path, bytes) in damaged.iter().filter(|(path, _)| tables.contains(path)) {
        assert!(kept.get(path) == Some(bytes), "{} was changed or deleted", path.display());
    }
    assert!(Traces::of(sim.lab.state.path(), &[]).is_clean(), "a failed start left something running");
    run(sim.command(&["sim", "status"])).code(3).says(&["make sim-up"]);

    for table in &tables {
        std::fs::write(table, &intact[table]).unwrap();
    }
    up(&sim, &[]).ok();
    assert_eq!(sim.ok(&["kv", "get", "kept"]), "value");
    sim.down(false);
    tables.iter().filter(|table| table.exists()).for_each(|table| flip(table));
    up(&sim, &["--fresh"]).ok();
    run(sim.command(&["kv", "get", "kept"])).code(1).says(&["there is no key"]);
}

#[test]
fn too_little_free_space_names_the_folder() {
    let Some(lab) = Lab::enter() else { return };
    let mut command = lab.command();
    command.args(["sim", "up", "--name", "full", "--set", "limits.free_bytes_min=1000000000000000"]);
    run(command).code(4).says(&[
        &lab.state.path().join("sim/full").display().to_string(),
        "bytes are free, at least 1000000000000000 are needed (limits.free_bytes_min)",
        "FARQUORUM_STATE_DIR=FOLDER",
    ]);
    assert!(Traces::of(lab.state.path(), &[]).is_clean());
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// Inverts 200 bytes in the middle.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    for byte in bytes.iter_mut().skip(middle.saturating_sub(100)).take(200) {
        *byte ^= 0xff;
    }
    std::fs::write(path, bytes).unwrap();
}
