//! SIM-4 where no namespaces can be made: the same commands over TCP relays, and what these cannot do.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::lab::machine::{Traces, processes_with, signal};
use crate::lab::terminal::{Stop, Terminal, was_interrupted};
use crate::lab::{BINARY, Lab, Sim, file, text};

/// Longest time that a change of a link may take, microseconds.
const CHANGE_MAX_US: u64 = 10_000;

const RELAY: [&str; 2] = ["--backend", "relay"];

fn pair<'a>(checked: &'a Value, from: &str, to: &str) -> &'a Value {
    let pairs = checked["pairs"].as_array().unwrap();
    pairs.iter().find(|pair| pair["from"] == from && pair["to"] == to).unwrap()
}

fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
    parent.unwrap_or(0)
}

/// The guard, which is nobody's child among the simulation's processes, and the supervisor, its only child.
fn guard_and_supervisor(lab: &Lab) -> (i32, i32) {
    let all = processes_with(lab.state.path());
    let guard = all.iter().find(|pid| !all.contains(&parent(**pid))).unwrap();
    let children: Vec<&i32> = all.iter().filter(|pid| parent(**pid) == *guard).collect();
    assert_eq!(children.len(), 1, "children of the guard {guard} among {all:?}");
    (*guard, *children[0])
}

/// Looks until it is as wanted, or for 20 seconds; gives the last look.
fn settled<T>(look: impl Fn() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = look();
        if wanted(&found) || Instant::now() > until {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Addresses on this machine that lead into the simulation, and those where its services listen.
fn ports(sim: &Sim) -> Vec<String> {
    let status = sim.json(&["sim", "status"]);
    let hosts = status["hosts"].as_array().unwrap();
    let ways_in = hosts.iter().flat_map(|host| host["ports"].as_object().unwrap().values());
    let mut all: BTreeSet<String> = ways_in.map(|port| port.as_str().unwrap().to_owned()).collect();
    for host in hosts {
        all.extend(detours(sim, host["name"].as_str().unwrap()).into_iter().map(|(_, to)| to));
    }
    all.into_iter().collect()
}

/// Whom a host's process reaches, and where.
fn detours(sim: &Sim, host: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(sim.folder().join("hosts").join(format!("{host}.toml"))).unwrap();
    let file: toml::Table = toml::from_str(&text).unwrap();
    let detours = file["detours"].as_array().unwrap().iter();
    let value = |detour: &toml::Value, key: &str| detour[key].as_str().unwrap().to_owned();
    detours.map(|detour| (value(detour, "address"), value(detour, "to"))).collect()
}

#[test]
fn the_cluster_works_and_its_links_are_as_configured_and_change() {
    let Some(sim) = Sim::up(&RELAY) else { return };
    let status = sim.json(&["sim", "status"]);
    let backend = status["backend"].as_str().unwrap();
    assert!(backend.starts_with("WAN by relay, TCP on loopback: asked for; "), "{backend}");
    assert!(backend.ends_with("lower fidelity: bytes, no packets, so no loss"), "{backend}");

    assert!(sim.ok(&["status"]).contains("leader"));
    sim.ok(&["kv", "set", "greeting", "hello"]);
    assert_eq!(sim.ok(&["kv", "get", "greeting"]).trim(), "hello");
    let said = sim.ok(&["task", "submit", "command", r#"{"argv": ["echo", "by a worker"]}"#, "--wait"]);
    assert!(said.contains("by a worker"), "{said}");
    sim.ok(&["storage", "check"]);

    let checked = sim.json(&["sim", "check"]);
    for (from, to, ms) in [("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)] {
        for (from, to) in [(from, to), (to, from)] {
            let pair = pair(&checked, from, to);
            println!("{from} {to}: {}", pair["measured_ms"]);
            assert_eq!(pair["configured_ms"], ms);
            assert!((pair["measured_ms"].as_f64().unwrap() - ms).abs() <= 1.0, "{pair}");
            assert_eq!(pair["ipv6_ms"], Value::Null);
        }
    }
    let printed = sim.verb(&["link", "aws", "gcp", "--delay-ms", "60", "--both"]);
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[words.len() - 2].parse::<u64>().unwrap() <= CHANGE_MAX_US, "{line}");
    }
    let checked = sim.json(&["sim", "check"]);
    let measured = pair(&checked, "aws", "gcp")["measured_ms"].as_f64().unwrap();
    assert!((measured - 120.0).abs() <= 1.2, "{measured}");
    // The nodes' own probes go the same way: the two clouds' nodes are as far apart, and nobody is nearer.
    let sees = settled(|| node_rtt(&sim, "cp-aws-1", "cp-gcp-1"), |ms| *ms > 119.0);
    assert!((119.0..160.0).contains(&sees), "{sees} ms between the nodes");
}

/// The last round trip that a node has measured to another, ms.
fn node_rtt(sim: &Sim, from: &str, to: &str) -> f64 {
    let status = sim.json(&["status"]);
    let nodes = status["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["name"] == from).unwrap();
    let rtts = node["rtt_ms"].as_array().unwrap();
    let rtt = rtts.iter().find(|rtt| rtt["to"] == to);
    rtt.unwrap_or_else(|| panic!("{from} to {to}: {node}"))["ms"].as_f64().unwrap()
}

#[test]
fn cuts_hold_and_heal_and_processes_are_killed_and_come_back() {
    let Some(sim) = Sim::up(&RELAY) else { return };
    let leader = sim.verb(&["kill", "leader"]);
    let others_lead = || sim.run(&["kv", "set", "k", "1"]).status.success();
    assert!(settled(others_lead, |done| *done), "nobody leads without {leader}");
    sim.verb(&["restart", &leader]);
    sim.verb(&["pause", "worker-gcp-1"]);
    sim.verb(&["resume", "worker-gcp-1"]);

    // The operator is in aws: behind the cut nobody answers, and what was sent arrives later.
    sim.verb(&["isolate", "gcp"]);
    let status = sim.json(&["sim", "status"]);
    let cut = status["links"].as_array().unwrap().iter().filter(|link| link["cut"] == true).count();
    assert_eq!(cut, 4);
    // While nobody leads, since the leader was the one that was cut off, its exit code says so.
    let answers = || {
        let asked: Value = serde_json::from_slice(&sim.run(&["-o", "json", "status"]).stdout).unwrap();
        let nodes = asked["nodes"].as_array().unwrap().clone();
        nodes.iter().filter(|node| node["error"].is_null() && !node["role"].is_null()).count()
    };
    assert_eq!(settled(answers, |count| *count == 2), 2, "{}", sim.ok(&["status"]));
    let checked = sim.json(&["sim", "check"]);
    assert_eq!(pair(&checked, "aws", "gcp")["note"], "cut");
    assert_eq!(pair(&checked, "aws", "azure")["note"], Value::Null);
    sim.verb(&["heal", "gcp"]);
    assert_eq!(settled(answers, |count| *count == 3), 3, "{}", sim.ok(&["status"]));
    let checked = sim.json(&["sim", "check"]);
    assert_eq!(pair(&checked, "aws", "gcp")["note"], Value::Null);
}

#[test]
fn what_needs_packets_or_a_network_of_ones_own_is_refused_with_a_way_out() {
    let Some(sim) = Sim::up(&[&RELAY[..], &["--no-cluster"]].concat()) else { return };
    let cases: [(&[&str], &str); 6] = [
        (&["link", "aws", "gcp", "--loss-gilbert", "0.01,0.5"], "cannot do loss_gilbert"),
        (&["link", "aws", "gcp", "--loss", "0.1"], "cannot do loss = 0.1"),
        (&["link", "aws", "gcp", "--reorder", "0.1"], "cannot do reorder = 0.1"),
        (&["link", "aws", "gcp", "--duplicate", "0.1"], "cannot do duplicate = 0.1"),
        (&["link", "aws", "gcp", "--rate-mbit", "10", "--queue", "codel"], "cannot do queue = \"codel\""),
        (&["exec", "operator", "--", "true"], "sim exec is not possible over relays"),
    ];
    for (verb, expected) in cases {
        let output = sim.run(&[&["sim"], verb].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {said}");
        assert!(said.contains(expected), "{verb:?}: {said}");
        assert!(said.contains("lab.backend = \"user\"") || said.contains("--backend user"), "{said}");
    }
    sim.verb(&["link", "aws", "gcp", "--jitter-ms", "2", "--rate-mbit", "50"]);
    let trace = file(&sim.lab, "trace.csv", "seconds,rtt_ms\n0,50\n0.1,80\n");
    assert_eq!(sim.verb(&["trace", "gcp", "azure", &trace]), "gcp - azure: 2 values, 0.2 s");
    assert_eq!(pair(&sim.json(&["sim", "check"]), "gcp", "azure")["configured_ms"], 80.0);
    let lossy = [&["sim", "up"], &RELAY[..], &["--preset", "seed", "--no-cluster"]].concat();
    let mut command = sim.lab.adopt(&sim.lab.name()).command(&lossy);
    command.args(["--set", "local_link.loss=0.1"]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("cannot do loss = 0.1"), "{}", text(&output.stderr));
}

#[test]
fn a_connection_past_a_relay_is_found() {
    let Some(sim) = Sim::up(&RELAY) else { return };
    sim.ok(&["sim", "check"]);
    let service = detours(&sim, "cp-gcp-1").into_iter().find(|(known, _)| known == "10.20.0.11:50051");
    let (known, target) = service.unwrap();
    let past = TcpStream::connect(&target).unwrap();
    let output = sim.run(&["sim", "check"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{known} at {target}: {said}");
    assert!(said.contains("a connection goes to cp-gcp-1:50051 past its relay"), "{said}");
    drop(past);
    sim.ok(&["sim", "check"]);
}

/// How a simulation ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Down,
    KillSupervisor,
    KillGuard,
}

#[test]
fn nothing_is_left_however_it_ends() {
    let Some(lab) = Lab::enter() else { return };
    let before = Traces::of(lab.state.path(), &[]);
    assert!(before.is_clean(), "{before:?}");
    for end in [End::Down, End::KillSupervisor, End::KillGuard] {
        let sim = lab.up(&RELAY);
        let ports = ports(&sim);
        let daemon = "setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > pid; while :; do sleep 1000; done' \
                      </dev/null >/dev/null 2>&1 & until [ -s pid ]; do sleep 0.1; done";
        let place = sim.folder().join("data");
        let payload = serde_json::json!({"argv": ["sh", "-c", format!("cd {}; {daemon}", place.display())]});
        sim.ok(&["task", "submit", "command", &payload.to_string(), "--wait"]);
        let daemon = std::fs::read_to_string(place.join("pid")).unwrap().trim().to_owned();
        let runs = || std::path::Path::new("/proc").join(&daemon).exists();
        assert!(runs(), "the daemon that a task has started");
        let (guard, supervisor) = guard_and_supervisor(&lab);
        let there = Traces::of(lab.state.path(), &ports);
        assert!(there.processes.len() >= 10 && there.ports.len() > 30, "{there:?}");
        assert_eq!(there.namespaces, BTreeSet::new());
        match end {
            End::Down => sim.down(false),
            End::KillSupervisor => signal(supervisor, Signal::SIGKILL),
            End::KillGuard => signal(guard, Signal::SIGKILL),
        }
        let alive = || {
            let traces = Traces::of(lab.state.path(), &ports);
            (traces.processes, traces.ports, runs())
        };
        let nothing = (BTreeSet::new(), BTreeSet::new(), false);
        // `down` returns when everything has ended: no waiting.
        let after = if let End::Down = end { alive() } else { settled(alive, |alive| *alive == nothing) };
        assert_eq!(after, nothing, "{end:?}");
        if let End::KillSupervisor = end {
            assert!(sim.run(&["sim", "up"]).status.success(), "starts again, with its data, in namespaces");
        }
        sim.down(true);
        assert_eq!(Traces::of(lab.state.path(), &ports), before, "{end:?}");
    }
}

/// What stops a start, and as soon as how many processes of it run.
const STOPS: [(Stop, usize); 6] = [
    (Stop::CtrlC, 1),
    (Stop::HangUp, 2),
    (Stop::CtrlC, 3),
    (Stop::Kill, 3),
    (Stop::HangUp, 6),
    (Stop::CtrlC, 9),
];

#[test]
fn an_interrupted_start_takes_everything_down() {
    let Some(lab) = Lab::enter() else { return };
    for (stop, processes) in STOPS {
        let sim = lab.adopt(&lab.name());
        let up = Terminal::run(sim.command(&[&["sim", "up"], &RELAY[..]].concat()));
        let running = || processes_with(lab.state.path()).len();
        assert!(settled(running, |count| *count >= processes) >= processes, "{processes} processes");
        let status = up.stop(stop);
        assert!(was_interrupted(status), "{stop:?} at {processes} processes: {status}");
        assert_eq!(settled(running, |count| *count == 0), 0, "{stop:?} at {processes} processes");
        sim.down(true);
        let left = Traces::of(lab.state.path(), &[]);
        assert!(left.is_clean(), "{stop:?} at {processes} processes: {left:?}");
    }
}

#[test]
fn without_namespaces_auto_takes_relays_and_says_so_and_the_others_are_refused() {
    let Some(lab) = Lab::enter() else { return };
    let sim = lab.adopt(&lab.name());
    let refused = without_namespaces(&sim, &["--backend", "user"]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused.stderr));
    let said = text(&refused.stderr);
    assert!(said.contains("no permission to make the lab") && said.contains("--backend relay"), "{said}");

    let up = without_namespaces(&sim, &[]);
    let said = text(&up.stderr);
    assert!(up.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("WAN by relay")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].contains("no namespaces here (") && lines[0].contains("make a user namespace: "),
        "{said}"
    );
    assert!(lines[0].contains("--backend user"), "how to get the better one: {said}");
    sim.ok(&["kv", "set", "greeting", "hello"]);
    sim.ok(&["sim", "check"]);
}

/// `sim up` where no namespace can be made: inside a user namespace that allows none below it.
fn without_namespaces(sim: &Sim, args: &[&str]) -> std::process::Output {
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && echo 0 > /proc/sys/user/max_net_namespaces && \
                  exec \"$@\"";
    let up = sim.command(&[&["sim", "up"], args].concat());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh", BINARY]).args(up.get_args());
    for (name, value) in up.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(sim.lab.state.path()).stdin(std::process::Stdio::null());
    command.output().unwrap()
}

#[test]
fn a_recording_names_the_backend() {
    let Some(sim) = Sim::up(&RELAY) else { return };
    let out = sim.folder().join("record.json");
    sim.ok(&["measure", "--only", "rtt", "--quick", "--out", out.to_str().unwrap()]);
    let record: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let backend = record["dimensions"]["backend"].as_str().unwrap();
    assert!(backend.starts_with("WAN by relay"), "{backend}");
}
