//! What the command line and the supervisor say to each other: one JSON line each way on a Unix socket in the
//! simulation's folder. `Exec` also carries the caller's three standard streams as file descriptors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use farquorum_config::ShapeKeys;
use serde::{Deserialize, Serialize};

/// Longest line, in bytes: an environment of ordinary size fits many times.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// State of a host on which nothing was started: the operator's, and every one of a bare network.
pub(crate) const NOTHING_RUNS: &str = "-";

/// What a person may say in place of a host: the node that leads. The verbs put its name in before they ask.
pub(crate) const LEADER: &str = "leader";

/// What is asked of the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Everything that it knows.
    Status,
    /// Change a directed link.
    Link {
        /// Cloud that sends.
        from: String,
        /// Cloud that receives.
        to: String,
        /// New values for some of its keys; the others stay.
        change: Box<ShapeKeys>,
    },
    /// Drop everything from one cloud or host to another.
    Cut {
        /// Who sends.
        from: String,
        /// Who receives.
        to: String,
    },
    /// Undo a cut; with neither name, every cut and isolation.
    Heal {
        /// Who sends.
        from: Option<String>,
        /// Who receives.
        to: Option<String>,
    },
    /// Cut every pair of a cloud or host, both ways.
    Isolate {
        /// Which.
        name: String,
    },
    /// SIGKILL.
    Kill {
        /// Host.
        host: String,
    },
    /// SIGSTOP.
    Pause {
        /// Host.
        host: String,
    },
    /// SIGCONT.
    Resume {
        /// Host.
        host: String,
    },
    /// SIGTERM, wait, start again; starts it when it does not run.
    Restart {
        /// Host.
        host: String,
    },
    /// Run a program inside a host of the emulated WAN.
    Exec(Exec),
    /// Deliver a signal to the program of an earlier `Exec` on the same connection.
    Signal(i32),
    /// Measure every directed pair against its configuration.
    Check,
    /// How the emulator did in the period that an earlier answer began; without one, since the start. Each answer
    /// begins a new period.
    Period {
        /// Number of the earlier answer.
        since: Option<u64>,
    },
    /// Stop everything.
    Down,
}

/// A program to run inside a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exec {
    /// Host.
    pub(crate) host: String,
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// Working folder.
    pub(crate) cwd: PathBuf,
    /// Its whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Caller's user id: the program sees itself under it.
    pub(crate) uid: u32,
    /// Caller's group id.
    pub(crate) gid: u32,
}

/// What the supervisor answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Response {
    /// Done; how long the change took to hold, in microseconds, where there is such a thing.
    Done {
        /// Microseconds.
        took_us: Option<u64>,
    },
    /// Answer to `Status`.
    Status(Box<SimStatus>),
    /// The program ended: its exit code, or 128 + signal.
    Exited(i32),
    /// Answer to `Check`.
    Checked(Checked),
    /// Answer to `Period`.
    Period {
        /// Number of this answer, to ask for the period from here on.
        mark: u64,
        /// False when the backend sees no packet.
        lateness_known: bool,
        /// Why what was measured in the period does not count, in words.
        invalid_reasons: Vec<String>,
    },
    /// A program was not started.
    NotStarted {
        /// Exit code: 127 there is no such program, 126 it cannot be run.
        code: u8,
        /// What, where, why.
        message: String,
    },
    /// It could not be done.
    Error {
        /// Whether the request itself is wrong (exit code 2) or could not be carried out (1).
        usage: bool,
        /// What, where, what is allowed.
        message: String,
    },
}

/// A self-test of the emulated WAN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// One for each directed pair.
    pub(crate) pairs: Vec<PairCheck>,
    /// What is wrong, in words; empty when the test is passed.
    pub(crate) problems: Vec<String>,
    /// How late the emulator delivered packets meanwhile, 99th percentile, microseconds; none when nobody looked.
    pub(crate) lateness_p99_us: Option<f64>,
    /// Whether results of this time count: it was within `lab.lateness_p99_max_ms` and lost nothing itself.
    pub(crate) lateness_valid: bool,
    /// Why they do not, in words.
    pub(crate) invalid_reasons: Vec<String>,
}

/// One directed pair against its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairCheck {
    /// Cloud that asks.
    pub(crate) from: String,
    /// Cloud that answers.
    pub(crate) to: String,
    /// Configured round trip, ms.
    pub(crate) configured_ms: f64,
    /// Median of the measured round trips less the emulator's floor, ms; none when nothing came back.
    pub(crate) measured_ms: Option<f64>,
    /// The same over IPv6; none also when the hosts have no IPv6.
    pub(crate) ipv6_ms: Option<f64>,
    /// Difference, ms.
    pub(crate) error_ms: Option<f64>,
    /// Whether it is within max(0.3 ms, 1 %); over relays, max(1 ms, 1 %).
    pub(crate) ok: bool,
    /// Why nothing came back although it is well: cut, or lost as configured.
    pub(crate) note: Option<String>,
}

/// Everything that the supervisor knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SimStatus {
    /// Name of the simulation.
    pub(crate) name: String,
    /// What moves the packets, and why: one line.
    pub(crate) backend: String,
    /// Name of the link preset that it was started with; empty when the links came from the file.
    pub(crate) preset: String,
    /// Hosts in order: nodes, workers, object store, operator.
    pub(crate) hosts: Vec<HostStatus>,
    /// Directed links between clouds, and within each.
    pub(crate) links: Vec<LinkStatus>,
    /// What was changed on them since the start, each in words.
    #[serde(default)]
    pub(crate) links_changed: Vec<String>,
    /// How late the emulator delivered packets, microseconds; none when the backend sees no packet, or none came yet.
    pub(crate) lateness_p50_us: Option<f64>,
    /// 99th percentile.
    pub(crate) lateness_p99_us: Option<f64>,
    /// Whether what was measured over its whole time counts: that is within `lab.lateness_p99_max_ms`, and the emulator
    /// lost nothing itself.
    pub(crate) lateness_valid: bool,
    /// Why it does not, in words.
    pub(crate) invalid_reasons: Vec<String>,
}

/// A host of the simulation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HostStatus {
    /// Its name.
    pub(crate) name: String,
    /// node, worker, object-store or operator.
    pub(crate) role: String,
    /// Its cloud.
    pub(crate) cloud: String,
    /// Its address inside.
    pub(crate) address: String,
    /// running, paused, restarting, stopped (with the exit status), or - where nothing runs.
    pub(crate) state: String,
    /// Starts so far.
    pub(crate) starts: u32,
    /// Ports inside and where the host reaches them: `grpc` -> `127.0.0.1:40001`.
    pub(crate) ports: BTreeMap<String, String>,
}

/// A directed link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkStatus {
    /// Cloud that sends.
    pub(crate) from: String,
    /// Cloud that receives.
    pub(crate) to: String,
    /// One-way delay, ms.
    pub(crate) delay_ms: f64,
    /// Jitter, ms.
    pub(crate) jitter_ms: f64,
    /// Loss, 0 to 1.
    pub(crate) loss: f64,
    /// Rate, Mbit/s.
    pub(crate) rate_mbit: Option<f64>,
    /// Whether it is cut.
    pub(crate) cut: bool,
    /// Packets offered.
    pub(crate) packets: u64,
    /// Bytes delivered.
    pub(crate) bytes: u64,
    /// Packets dropped, for whatever reason.
    pub(crate) dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_line() {
        let requests = [
            Request::Status,
            Request::Heal { from: None, to: None },
            Request::Link {
                from: "aws".into(),
                to: "gcp".into(),
                change: Box::new(ShapeKeys {
                    jitter_quantiles_ms: Some(vec![0.0, 1.5]),
                    ..ShapeKeys::default()
                }),
            },
            Request::Exec(Exec { host: "operator".into(), argv: vec!["true".into()], ..Exec::default() }),
        ];
        for request in requests {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
