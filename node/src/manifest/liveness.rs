//! Which workers the leader has not heard of for too long (WRK-2). Pure: the time is an argument.
//!
//! Silence is measured on this leader's own clock, from the moment when it saw a heartbeat applied, or from when it
//! began to lead: `last_seen` in the state is wall-clock time of whoever led then, and is only compared for change.

use std::collections::HashMap;
use std::time::Duration;

use farquorum_core::{Command, Millis, Worker, WorkerId, WorkerState};

/// Heartbeats that may be missing before a worker is suspect, and offline.
const SUSPECT_AFTER: u32 = 1;
const OFFLINE_AFTER: u32 = 3;

/// A heartbeat is missing only when it is this share of the interval late: half an interval covers the way here and
/// the commit.
const GRACE_SHARE: u32 = 2;

/// When each worker was heard of, on this leader's clock.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    heard: HashMap<WorkerId, (Millis, Duration)>,
}

impl Liveness {
    /// The marks to propose at `now`. Called often; forgets workers that are no longer registered.
    pub(crate) fn marks<'a>(
        &mut self,
        workers: impl Iterator<Item = &'a Worker>,
        interval: Duration,
        now: Duration,
    ) -> Vec<Command> {
        let mut marks = Vec::new();
        let mut seen = HashMap::with_capacity(self.heard.len());
        for worker in workers {
            let known = self.heard.get(&worker.id).filter(|(last_seen, _)| *last_seen == worker.last_seen);
            let since = known.map_or(now, |(_, since)| *since);
            seen.insert(worker.id.clone(), (worker.last_seen, since));
            let state = due(now.saturating_sub(since), interval);
            if severity(state) > severity(worker.state) {
                let (worker, last_seen) = (worker.id.clone(), worker.last_seen);
                marks.push(Command::MarkWorker { worker, state, last_seen });
            }
        }
        self.heard = seen;
        marks
    }
}

/// What a worker is after this much silence.
fn due(silence: Duration, interval: Duration) -> WorkerState {
    let missing = |count: u32| silence >= interval * count + interval / GRACE_SHARE;
    match () {
        () if missing(OFFLINE_AFTER) => WorkerState::Offline,
        () if missing(SUSPECT_AFTER) => WorkerState::Suspect,
        () => WorkerState::Healthy,
    }
}

fn severity(state: WorkerState) -> u8 {
    match state {
        WorkerState::Healthy => 0,
        WorkerState::Suspect => 1,
        WorkerState::Offline => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn worker(state: WorkerState, last_seen: u64) -> Worker {
        Worker {
            id: WorkerId::new("worker-1"),
            address: String::new(),
            cloud: String::new(),
            region: String::new(),
            capacity: 1,
            kinds: Vec::new(),
            active: 0,
            state,
            last_seen: Millis(last_seen),
            cpu_milli: 0,
            memory_bytes: 0,
        }
    }

    fn marks(liveness: &mut Liveness, worker: &Worker, now_s: f64) -> Vec<WorkerState> {
        let commands = liveness.marks([worker].into_iter(), INTERVAL, Duration::from_secs_f64(now_s));
        let state = |command: &Command| match command {
            Command::MarkWorker { state, last_seen, .. } if *last_seen == worker.last_seen => *state,
            other => panic!("{other:?}"),
        };
        commands.iter().map(state).collect()
    }

    #[test]
    fn one_missing_heartbeat_is_suspect_three_are_offline() {
        let mut liveness = Liveness::default();
        let healthy = worker(WorkerState::Healthy, 7);
        for (now_s, expected) in [
            (1000.0, vec![]),
            (1007.4, vec![]),
            (1007.5, vec![WorkerState::Suspect]),
            (1017.4, vec![WorkerState::Suspect]),
            (1017.5, vec![WorkerState::Offline]),
        ] {
            assert_eq!(marks(&mut liveness, &healthy, now_s), expected, "at {now_s}");
        }
        assert_eq!(marks(&mut liveness, &worker(WorkerState::Suspect, 7), 1017.0), []);
        assert_eq!(marks(&mut liveness, &worker(WorkerState::Offline, 7), 2000.0), [], "not marked twice");
    }

    #[test]
    fn a_heartbeat_starts_the_count_anew() {
        let mut liveness = Liveness::default();
        assert_eq!(marks(&mut liveness, &worker(WorkerState::Healthy, 7), 0.0), []);
        assert_eq!(marks(&mut liveness, &worker(WorkerState::Healthy, 8), 17.0), []);
        assert_eq!(marks(&mut liveness, &worker(WorkerState::Healthy, 8), 24.0), []);
    }

    #[test]
    fn a_wall_clock_that_jumps_changes_nothing() {
        let mut liveness = Liveness::default();
        assert_eq!(marks(&mut liveness, &worker(WorkerState::Healthy, 9_000_000_000), 0.0), []);
        assert_eq!(
            marks(&mut liveness, &worker(WorkerState::Healthy, 1), 7.0),
            [],
            "backwards is a change too"
        );
    }
}
