//! What the leader does by the clock: ends leases, marks silent workers, drops what is old. One proposal of each kind
//! at a time: the next look comes after the last was answered.

use std::time::Duration;

use farquorum_config::Tasks;
use farquorum_core::{Command, Counts, Millis, Outcome, State};

use super::leader::Chores;
use super::liveness::Liveness;

/// Leases that one entry ends, and records that one entry drops: bounds the work of one apply.
const EXPIRE_MAX: usize = 1000;
const DROP_MAX: u64 = 1000;

/// Longest time between two sweeps; the shortest, which also holds when there are too many finished records: those
/// of a large unfinished job stay, and every sweep is an entry in the log.
const SWEEP_MAX: Duration = Duration::from_secs(600);
const SWEEP_MIN: Duration = Duration::from_secs(5);

/// Runs while this node leads.
pub(super) async fn run(chores: &Chores) {
    let mut liveness = Liveness::default();
    let mut last_sweep = None;
    let mut ticks = crate::clock::ticker(period(&chores.tasks));
    loop {
        ticks.tick().await;
        let view = chores.raft.view();
        let now = chores.clock.boot();
        let wall = Millis(chores.clock.wall_ms());
        // All at once: behind one another, each a commit, the marks of a whole cloud would hold up the ends of leases.
        let due = due(&view.state, wall, &mut liveness, &chores.tasks, now);
        futures::future::join_all(due.into_iter().map(|command| chores.propose(command))).await;
        if sweep_due(last_sweep.map(|last| now.saturating_sub(last)), &view.state.counts(), &chores.tasks) {
            let more = sweep(chores, &view.state, wall).await;
            last_sweep = (!more).then_some(now);
        }
    }
}

/// How often to look: often enough that a lease or a heartbeat is noticed within a twentieth of its length.
fn period(tasks: &Tasks) -> Duration {
    (tasks.lease.min(tasks.heartbeat) / 20).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// Whether to sweep, `since` the last one (none: at once).
fn sweep_due(since: Option<Duration>, counts: &Counts, tasks: &Tasks) -> bool {
    let crowded = u64::try_from(finished(counts)).is_ok_and(|finished| finished > tasks.keep_finished_max);
    let period = if crowded { SWEEP_MIN } else { (tasks.keep_finished / 10).clamp(SWEEP_MIN, SWEEP_MAX) };
    since.is_none_or(|since| since >= period)
}

/// Leases and workers whose time is over.
fn due(state: &State, wall: Millis, liveness: &mut Liveness, tasks: &Tasks, now: Duration) -> Vec<Command> {
    let mut commands = liveness.marks(state.workers(), tasks.heartbeat, now);
    // Apply compares with the state's time, which may be ahead of this machine's clock.
    let attempts = state.expired_leases(Millis(wall.0.max(state.now().0)), EXPIRE_MAX);
    if !attempts.is_empty() {
        commands.push(Command::Expire { attempts });
    }
    commands
}

/// Drops old records; whether there may be more to drop.
async fn sweep(chores: &Chores, state: &State, wall: Millis) -> bool {
    let Some(command) = retain(&state.counts(), wall, &chores.tasks) else { return false };
    matches!(chores.propose(command).await, Some(Outcome::Dropped(dropped)) if dropped >= DROP_MAX)
}

/// What drops old records; none while nothing is finished, so that an idle cluster's log does not grow.
fn retain(counts: &Counts, wall: Millis, tasks: &Tasks) -> Option<Command> {
    let keep_ms = u64::try_from(tasks.keep_finished.as_millis()).unwrap_or(u64::MAX);
    (finished(counts) > 0 || counts.jobs > 0).then(|| Command::Retain {
        finished_before: Millis(wall.0.saturating_sub(keep_ms)),
        keep_max: tasks.keep_finished_max,
        drop_max: DROP_MAX,
    })
}

fn finished(counts: &Counts) -> usize {
    counts.completed + counts.failed + counts.cancelled
}

#[cfg(test)]
mod tests {
    use farquorum_core::{Grant, LogIndex, Proposal, TaskId, TaskSpec, WorkerId};

    use super::*;
    use crate::testing;

    /// A task granted to a worker at second 1, with a lease of 15 s.
    fn state() -> State {
        let worker = WorkerId::new("w");
        let commands = [
            Command::RegisterWorker {
                worker: worker.clone(),
                address: "127.0.0.1:1".into(),
                cloud: "aws".into(),
                region: String::new(),
                capacity: 1,
                kinds: vec!["command".into()],
            },
            Command::SubmitTasks {
                specs: vec![TaskSpec { kind: "command".into(), timeout_ms: 1000, ..TaskSpec::default() }],
            },
            Command::Assign { grants: vec![Grant { task: TaskId(1), worker }], lease_ms: 15_000 },
        ];
        let mut state = State::new();
        for (index, command) in (1..).map(LogIndex).zip(commands) {
            state.apply(index, &Proposal { now: Millis(1000), command }).unwrap();
        }
        state
    }

    #[test]
    fn a_lease_is_ended_once_it_is_over() {
        let tasks = testing::config(1).tasks;
        for (wall, expected) in [(15_999, 0), (16_000, 1), (90_000, 1)] {
            let commands = due(&state(), Millis(wall), &mut Liveness::default(), &tasks, Duration::ZERO);
            let expires = commands.iter().filter(|command| matches!(command, Command::Expire { .. }));
            assert_eq!(expires.count(), expected, "at {wall}");
        }
    }

    #[test]
    fn sweeps_keep_their_distance() {
        let tasks = Tasks {
            keep_finished: Duration::from_secs(100),
            keep_finished_max: 5,
            ..testing::config(1).tasks
        };
        let (few, many) =
            (Counts { completed: 5, ..Counts::default() }, Counts { failed: 6, ..Counts::default() });
        for (since_s, counts, expected) in [
            (None, few, true),
            (Some(9), few, false),
            (Some(10), few, true),
            (Some(4), many, false),
            (Some(5), many, true),
        ] {
            let since = since_s.map(Duration::from_secs);
            assert_eq!(sweep_due(since, &counts, &tasks), expected, "{since_s:?} {counts:?}");
        }
    }

    #[test]
    fn an_idle_cluster_is_not_swept() {
        let tasks = testing::config(1).tasks;
        let wall = Millis(u64::try_from(tasks.keep_finished.as_millis()).unwrap() + 7);
        assert_eq!(retain(&Counts { pending: 3, ..Counts::default() }, wall, &tasks), None);
        let command = retain(&Counts { completed: 1, ..Counts::default() }, wall, &tasks);
        assert!(matches!(command, Some(Command::Retain { finished_before: Millis(7), .. })), "{command:?}");
    }
}
