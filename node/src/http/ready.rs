//! `/readyz`: whether requests should come here. Every check says what is wrong, not only that something is.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::statvfs::statvfs;

use crate::raft::RaftStatus;

/// Entries that a ready node may be behind its commit index in applying: a second or so of the largest load.
const APPLY_LAG_MAX: u64 = 10_000;

/// What readiness depends on beside Raft's state.
#[derive(Debug)]
pub(crate) struct Readiness {
    stopping: AtomicBool,
    /// None: the log is in memory.
    data_dir: Option<PathBuf>,
    free_bytes_min: u64,
}

/// One check and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Check {
    name: &'static str,
    pub(crate) problem: Option<String>,
}

impl Readiness {
    pub(crate) fn new(data_dir: Option<PathBuf>, free_bytes_min: u64) -> Self {
        Self { stopping: AtomicBool::new(false), data_dir, free_bytes_min }
    }

    /// From now on the node is not ready.
    pub(crate) fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// All checks, in a fixed order.
    pub(crate) fn checks(&self, raft: &RaftStatus) -> Vec<Check> {
        let stopping = self.stopping.load(Ordering::Relaxed).then(|| "the node is stopping".to_owned());
        vec![
            Check { name: "running", problem: stopping },
            Check { name: "leader", problem: leader(raft) },
            Check { name: "apply", problem: apply(raft) },
            Check { name: "disk", problem: self.disk() },
        ]
    }

    fn disk(&self) -> Option<String> {
        let dir = self.data_dir.as_ref()?;
        let free = match statvfs(dir) {
            Ok(stat) => stat.blocks_available().saturating_mul(stat.fragment_size()),
            Err(error) => return Some(format!("{}: {error}", dir.display())),
        };
        let min = self.free_bytes_min;
        let path = dir.display();
        (free < min)
            .then(|| format!("{path}: {free} bytes are free, {min} are needed (limits.free_bytes_min)"))
    }
}

fn leader(raft: &RaftStatus) -> Option<String> {
    raft.leader.id.is_none().then(|| format!("no leader is known in term {}", raft.leader.term))
}

fn apply(raft: &RaftStatus) -> Option<String> {
    if raft.in_doubt {
        return Some("the tail of the log is in doubt: not caught up with a leader yet".to_owned());
    }
    let behind = raft.committed.saturating_sub(raft.applied);
    (behind > APPLY_LAG_MAX)
        .then(|| format!("{behind} committed entries are not applied, at most {APPLY_LAG_MAX} may be"))
}

/// One line each when `verbose` or when not all is well; the last line is the verdict.
pub(crate) fn text(checks: &[Check], verbose: bool) -> String {
    let ready = checks.iter().all(|check| check.problem.is_none());
    let shown = checks.iter().filter(|check| verbose || check.problem.is_some());
    let line = |check: &Check| match &check.problem {
        None => format!("[+] {} ok\n", check.name),
        Some(problem) => format!("[-] {} failed: {problem}\n", check.name),
    };
    let lines: String = shown.map(line).collect();
    format!("{lines}{}\n", if ready { "ready" } else { "not ready" })
}

#[cfg(test)]
mod tests {
    use farquorum_config::NodeId;

    use super::*;
    use crate::raft::Leader;

    fn led() -> RaftStatus {
        let leader = Leader { id: Some(NodeId(1)), term: 3 };
        RaftStatus { leader, committed: 20_000, applied: 20_000, ..RaftStatus::default() }
    }

    fn shown(readiness: &Readiness, raft: &RaftStatus) -> String {
        text(&readiness.checks(raft), true)
    }

    #[test]
    fn every_check_says_what_is_wrong() {
        let readiness = Readiness::new(Some("/".into()), 0);
        let well = "[+] running ok\n[+] leader ok\n[+] apply ok\n[+] disk ok\nready\n";
        assert_eq!(shown(&readiness, &led()), well);
        assert_eq!(text(&readiness.checks(&led()), false), "ready\n");
        let cases = [
            (
                RaftStatus { leader: Leader { id: None, term: 4 }, ..led() },
                "[-] leader failed: no leader is known in term 4",
            ),
            (
                RaftStatus { applied: 9_999, ..led() },
                "[-] apply failed: 10001 committed entries are not applied",
            ),
            (RaftStatus { in_doubt: true, ..led() }, "[-] apply failed: the tail of the log is in doubt"),
        ];
        for (raft, expected) in cases {
            let text = shown(&readiness, &raft);
            assert!(text.contains(expected) && text.ends_with("not ready\n"), "{text}");
        }
        let full = shown(&Readiness::new(Some("/".into()), u64::MAX), &led());
        assert!(full.contains("[-] disk failed: /: ") && full.contains("limits.free_bytes_min"), "{full}");
        readiness.stopping();
        assert!(shown(&readiness, &led()).starts_with("[-] running failed: the node is stopping\n"));
    }
}
