//! Random commands over a handful of names, so that they meet: three workers, two kinds, three keys.

use farquorum_core::{
    Attempt, AttemptRef, Command, Grant, InputSplit, JobId, JobSpec, Millis, State, TaskId, TaskSpec,
    WorkerId, WorkerState, work,
};
use proptest::prelude::*;

/// Random numbers that become a command once the state is known: an attempt is mostly the current one.
pub(crate) type Step = (u8, u8, u8, u8, u64);

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0..40_u64), 1..120)
}

/// The command of a step; `jobs` adds those of jobs.
pub(crate) fn command((verb, a, b, c, passed): Step, state: &State, jobs: bool) -> Command {
    let now = state.now().0;
    let task = TaskId(u64::from(a % 12) + 1);
    let attempt = attempt(state, task, c);
    let worker = worker(state, task, b);
    let lease_ms = 1 + passed;
    match verb % if jobs { 22 } else { 20 } {
        0 | 1 => {
            Command::SubmitTasks { specs: (0..=a % 3).map(|n| task_spec(a.wrapping_add(n), b)).collect() }
        }
        2..=5 => {
            let grant =
                |n: u8| Grant { task: TaskId(task.0 + u64::from(n)), worker: name(b.wrapping_add(n)) };
            Command::Assign { grants: (0..4).map(grant).collect(), lease_ms }
        }
        6 => Command::Start { worker, attempt },
        7 | 8 => Command::Complete { worker, attempt, result: result(state, task, c) },
        9 => Command::Fail { worker, attempt, error: format!("e{b}"), retryable: c % 4 > 0 },
        10 => Command::Cancel { task },
        11 => {
            let ended = state.expired_leases(Millis(now + u64::from(c % 20)), 3);
            Command::Expire { attempts: ended.into_iter().chain([attempt]).collect() }
        }
        12 => Command::ExtendLeases { lease_ms },
        13 => Command::RegisterWorker {
            worker: name(b),
            address: format!("h:{c}"),
            cloud: "aws".into(),
            region: String::new(),
            capacity: 1 + u32::from(c % 4),
            kinds: KINDS.iter().skip(usize::from(c % 2)).map(|kind| (*kind).to_owned()).collect(),
        },
        14 => Command::Heartbeat {
            worker: name(b),
            cpu_milli: c.into(),
            memory_bytes: 7,
            attempts: vec![attempt, self::attempt(state, TaskId(task.0 + 1), c)],
            lease_ms,
        },
        15 => {
            let state_of =
                [WorkerState::Suspect, WorkerState::Offline, WorkerState::Healthy][usize::from(c % 3)];
            let last_seen = state.worker(&name(b)).map_or(Millis(0), |worker| worker.last_seen);
            Command::MarkWorker {
                worker: name(b),
                state: state_of,
                last_seen: Millis(last_seen.0 + u64::from(a % 2)),
            }
        }
        16 if c % 3 == 0 => Command::DeregisterWorker { worker: name(b) },
        16 | 17 => Command::KvSet { key: vec![a % 3], value: vec![b] },
        18 if c % 2 == 0 => Command::KvDelete { key: vec![a % 3] },
        18 => {
            let expected = state.kv_get(&[a % 3]).map(|entry| entry.value.clone()).filter(|_| c % 3 > 0);
            Command::KvCompareAndSet { key: vec![a % 3], expected, value: vec![b] }
        }
        19 => Command::Retain {
            finished_before: Millis(now.saturating_sub(passed)),
            keep_max: u64::from(b % 8),
            drop_max: u64::from(c % 4),
        },
        20 => Command::SubmitJob { spec: job_spec(a, b) },
        _ if c % 4 == 0 => Command::CancelJob { job: JobId(u64::from(a % 3) + 1) },
        _ => Command::Complete { worker, attempt, result: result(state, task, c) },
    }
}

const KINDS: [&str; 5] = ["y", "x", "wordcount-map", "wordcount-reduce", "publish"];

fn name(number: u8) -> WorkerId {
    WorkerId::new(["a", "b", "c"][usize::from(number % 3)])
}

/// Mostly the holder.
fn worker(state: &State, task: TaskId, choice: u8) -> WorkerId {
    let holder = state.task(task).and_then(|task| task.worker.clone());
    holder.filter(|_| !choice.is_multiple_of(8)).unwrap_or_else(|| name(choice))
}

/// Mostly the current attempt.
fn attempt(state: &State, task: TaskId, choice: u8) -> AttemptRef {
    let current = state.task(task).map_or(0, |task| task.attempt.0);
    AttemptRef { task, attempt: Attempt(current.saturating_sub(u64::from(choice.is_multiple_of(8)))) }
}

fn task_spec(a: u8, b: u8) -> TaskSpec {
    TaskSpec {
        kind: KINDS[usize::from(b % 2)].into(),
        payload: vec![a % 2],
        priority: i32::from(b % 3) - 1,
        retries: u32::from(a % 3),
        worker: (a % 5 == 1).then(|| name(b / 4)),
        idempotency_key: if a.is_multiple_of(4) { format!("k{}", b % 4) } else { String::new() },
        ..TaskSpec::default()
    }
}

fn job_spec(a: u8, b: u8) -> JobSpec {
    let input = |n| InputSplit { url: format!("s3://in/{n}"), ..InputSplit::default() };
    JobSpec {
        kind: "wordcount".into(),
        inputs: (0..=a % 3).map(input).collect(),
        output: "s3://out".into(),
        reducers: u32::from(b % 3),
        idempotency_key: String::new(),
    }
}

/// Mostly a report that fits the task.
fn result(state: &State, task: TaskId, choice: u8) -> Vec<u8> {
    let Some(task) = state.task(task).filter(|task| task.job.is_some() && !choice.is_multiple_of(8)) else {
        return vec![choice];
    };
    let own = minicbor::decode::<work::Reduce>(&task.spec.payload).map_or(0, |reduce| reduce.partition);
    let partition = if task.spec.kind == "wordcount-reduce" { own } else { 0 };
    let object = work::Object { partition, sha256: vec![1; 32], ..work::Object::default() };
    minicbor::to_vec(work::Report { objects: vec![object], bytes_in: 3, bytes_out: 2 }).unwrap()
}
