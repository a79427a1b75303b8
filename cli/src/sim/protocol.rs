//! What the command line and the supervisor say to each other: one JSON line each way on a Unix socket in the
//! simulation's folder. `Exec` also carries the caller's three standard streams as file descriptors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use farquorum_config::LinkShape;
use serde::{Deserialize, Serialize};

/// Longest line, in bytes: an environment of ordinary size fits many times.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// State of a host on which nothing was started: the operator's, and every one of a bare network.
pub(crate) const NOTHING_RUNS: &str = "-";

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
        /// What to change.
        change: LinkChange,
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

/// New values for some properties of a link; the others stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkChange {
    /// One-way delay, ms.
    pub(crate) delay_ms: Option<f64>,
    /// Jitter, ms.
    pub(crate) jitter_ms: Option<f64>,
    /// Loss, 0 to 1.
    pub(crate) loss: Option<f64>,
    /// Rate, Mbit/s; 0: unlimited.
    pub(crate) rate_mbit: Option<f64>,
    /// Reordering, 0 to 1.
    pub(crate) reorder: Option<f64>,
}

impl LinkChange {
    /// `shape` with the changes, or what is wrong with them.
    pub(crate) fn apply(&self, mut shape: LinkShape) -> Result<LinkShape, String> {
        let check = |name: &str, value: f64, max: f64, unit: &str| {
            if value.is_finite() && (0.0..=max).contains(&value) {
                Ok(value)
            } else {
                Err(format!("{name} = {value}: must be a number from 0 to {max}{unit}"))
            }
        };
        if let Some(value) = self.delay_ms {
            shape.delay_ms = check("delay", value, 60_000.0, " ms")?;
        }
        if let Some(value) = self.jitter_ms {
            shape.jitter_ms = check("jitter", value, 60_000.0, " ms")?;
        }
        if let Some(value) = self.loss {
            shape.loss = check("loss", value, 1.0, "")?;
        }
        if let Some(value) = self.reorder {
            shape.reorder = check("reorder", value, 1.0, "")?;
        }
        if let Some(value) = self.rate_mbit {
            let rate = check("rate", value, 1_000_000.0, " Mbit/s")?;
            shape.rate_mbit = (rate > 0.0).then_some(rate);
        }
        if shape.jitter_ms > shape.delay_ms {
            return Err(format!(
                "jitter = {} ms: must not be larger than the delay ({} ms)",
                shape.jitter_ms, shape.delay_ms
            ));
        }
        Ok(shape)
    }
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
    /// Difference, ms.
    pub(crate) error_ms: Option<f64>,
    /// Whether it is within max(0.3 ms, 1 %).
    pub(crate) ok: bool,
}

/// Everything that the supervisor knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SimStatus {
    /// Name of the simulation.
    pub(crate) name: String,
    /// What moves the packets, and why: one line.
    pub(crate) backend: String,
    /// Hosts in order: nodes, workers, object store, operator.
    pub(crate) hosts: Vec<HostStatus>,
    /// Directed links between clouds, and within each.
    pub(crate) links: Vec<LinkStatus>,
    /// How late the emulator delivered packets, microseconds.
    pub(crate) lateness_p50_us: f64,
    /// 99th percentile.
    pub(crate) lateness_p99_us: f64,
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
    /// running, paused, stopped (with the exit status), or - where nothing runs.
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
    fn a_change_keeps_what_it_does_not_name() {
        let shape = LinkShape { delay_ms: 25.0, loss: 0.1, ..LinkShape::default() };
        let change = LinkChange { delay_ms: Some(40.0), rate_mbit: Some(100.0), ..LinkChange::default() };
        let changed = change.apply(shape).unwrap();
        assert_eq!((changed.delay_ms, changed.loss, changed.rate_mbit), (40.0, 0.1, Some(100.0)));
        let unlimited = LinkChange { rate_mbit: Some(0.0), ..LinkChange::default() }.apply(changed).unwrap();
        assert_eq!(unlimited.rate_mbit, None);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let wrong = [
            (LinkChange { delay_ms: Some(-1.0), ..LinkChange::default() }, "delay"),
            (LinkChange { loss: Some(1.5), ..LinkChange::default() }, "loss"),
            (LinkChange { jitter_ms: Some(9.0), ..LinkChange::default() }, "jitter"),
            (LinkChange { rate_mbit: Some(f64::NAN), ..LinkChange::default() }, "rate"),
        ];
        for (change, name) in wrong {
            let error = change.apply(LinkShape { delay_ms: 5.0, ..LinkShape::default() }).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn requests_survive_the_line() {
        let requests = [
            Request::Status,
            Request::Heal { from: None, to: None },
            Request::Exec(Exec { host: "operator".into(), argv: vec!["true".into()], ..Exec::default() }),
        ];
        for request in requests {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
