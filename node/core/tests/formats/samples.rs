//! One of every kind that stands in the log or in a snapshot, with every field set to something that no other has.

use farquorum_core::{
    Attempt, AttemptRef, Command, Grant, InputSplit, JobId, JobSpec, LogIndex, Millis, Proposal, State,
    TaskId, TaskSpec, WorkerId, WorkerState, work,
};

/// Name of a command's recording. A kind without one does not compile.
pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::SubmitTasks { .. } => "submit_tasks",
        Command::Assign { .. } => "assign",
        Command::Start { .. } => "start",
        Command::Complete { .. } => "complete",
        Command::Fail { .. } => "fail",
        Command::Cancel { .. } => "cancel",
        Command::Expire { .. } => "expire",
        Command::ExtendLeases { .. } => "extend_leases",
        Command::RegisterWorker { .. } => "register_worker",
        Command::Heartbeat { .. } => "heartbeat",
        Command::MarkWorker { .. } => "mark_worker",
        Command::DeregisterWorker { .. } => "deregister_worker",
        Command::SubmitJob { .. } => "submit_job",
        Command::CancelJob { .. } => "cancel_job",
        Command::KvSet { .. } => "kv_set",
        Command::KvDelete { .. } => "kv_delete",
        Command::KvCompareAndSet { .. } => "kv_compare_and_set",
        Command::Retain { .. } => "retain",
    }
}

/// Every kind of command, in the order of their numbers.
pub(crate) fn commands() -> Vec<Command> {
    let worker = WorkerId::new("worker-1");
    let attempt = AttemptRef { task: TaskId(21), attempt: Attempt(22) };
    vec![
        Command::SubmitTasks { specs: vec![spec("command", "key-1"), TaskSpec::default()] },
        Command::Assign {
            grants: vec![Grant { task: TaskId(23), worker: worker.clone() }],
            lease_ms: 15_000,
        },
        Command::Start { worker: worker.clone(), attempt },
        Command::Complete { worker: worker.clone(), attempt, result: b"result".to_vec() },
        Command::Fail { worker: worker.clone(), attempt, error: "an error".into(), retryable: true },
        Command::Cancel { task: TaskId(24) },
        Command::Expire { attempts: vec![attempt] },
        Command::ExtendLeases { lease_ms: 15_001 },
        register(&worker),
        Command::Heartbeat {
            worker: worker.clone(),
            cpu_milli: 250,
            memory_bytes: 1 << 33,
            attempts: vec![attempt],
            lease_ms: 15_002,
        },
        Command::MarkWorker { worker: worker.clone(), state: WorkerState::Suspect, last_seen: Millis(31) },
        Command::DeregisterWorker { worker },
        Command::SubmitJob { spec: job() },
        Command::CancelJob { job: JobId(25) },
        set("key", "value"),
        Command::KvDelete { key: b"gone".to_vec() },
        Command::KvCompareAndSet {
            key: b"key".to_vec(),
            expected: Some(b"value".to_vec()),
            value: b"another".to_vec(),
        },
        Command::Retain { finished_before: Millis(32), keep_max: 1000, drop_max: 500 },
    ]
}

pub(crate) fn proposal(command: Command) -> Proposal {
    Proposal { now: Millis(1_700_000_000_000), command }
}

pub(crate) fn set(key: &str, value: &str) -> Command {
    Command::KvSet { key: key.into(), value: value.into() }
}

fn spec(kind: &str, idempotency_key: &str) -> TaskSpec {
    TaskSpec {
        kind: kind.into(),
        payload: b"payload".to_vec(),
        cloud_affinity: "gcp".into(),
        priority: -3,
        retries: 2,
        timeout_ms: 60_000,
        idempotency_key: idempotency_key.into(),
        worker: Some(WorkerId::new("worker-1")),
    }
}

fn register(worker: &WorkerId) -> Command {
    Command::RegisterWorker {
        worker: worker.clone(),
        address: "10.0.1.30:8080".into(),
        cloud: "gcp".into(),
        region: "europe-west1".into(),
        capacity: 4,
        kinds: vec!["command".into(), "wordcount-map".into()],
    }
}

fn job() -> JobSpec {
    let url = "s3://pipeline-data/in/a.txt".to_owned();
    JobSpec {
        kind: "wordcount".into(),
        inputs: vec![InputSplit { url, offset: 64, length: 1024, cloud: "aws".into() }],
        output: "s3://pipeline-data/out/1".into(),
        reducers: 2,
        idempotency_key: "job-1".into(),
    }
}

/// A state with every kind of record: tasks that wait, are granted, and are over, a job, workers, keys.
pub(crate) fn state() -> State {
    let worker = WorkerId::new("worker-1");
    let at = |task, attempt| AttemptRef { task: TaskId(task), attempt: Attempt(attempt) };
    let report = work::Report::default();
    assert!(report.objects.is_empty(), "a job's tasks are left alone here");
    let grant = |task| Grant { task: TaskId(task), worker: worker.clone() };
    let steps = vec![
        register(&worker),
        register(&WorkerId::new("worker-2")),
        Command::SubmitTasks {
            specs: vec![spec("command", "one"), spec("command", "two"), spec("command", "three")],
        },
        Command::SubmitJob { spec: job() },
        Command::Assign { grants: vec![grant(1), grant(2)], lease_ms: 15_000 },
        Command::Start { worker: worker.clone(), attempt: at(1, 5) },
        Command::Complete { worker: worker.clone(), attempt: at(1, 5), result: b"result".to_vec() },
        Command::Start { worker: worker.clone(), attempt: at(2, 5) },
        Command::Fail {
            worker: worker.clone(),
            attempt: at(2, 5),
            error: "an error".into(),
            retryable: true,
        },
        Command::Assign { grants: vec![grant(2)], lease_ms: 15_000 },
        Command::Heartbeat {
            worker: worker.clone(),
            cpu_milli: 250,
            memory_bytes: 1 << 33,
            attempts: vec![at(2, 10)],
            lease_ms: 15_000,
        },
        Command::MarkWorker {
            worker: WorkerId::new("worker-2"),
            state: WorkerState::Suspect,
            last_seen: Millis(1_700_000_000_000),
        },
        set("key", "value"),
        set("other", ""),
    ];
    let mut state = State::new();
    for (index, command) in (1..).zip(steps) {
        let outcome = state.apply(LogIndex(index), &proposal(command.clone()));
        assert!(outcome.is_ok(), "{command:?}: {outcome:?}");
    }
    state
}

/// A state as text: its hash would follow from the bytes, so it is left to them.
pub(crate) fn show(state: &State) -> impl std::fmt::Debug {
    let all = usize::MAX;
    let keys = state.kv_list(&[], None, all).items.into_iter();
    (
        (state.applied(), state.now(), state.counts()),
        state
            .tasks(&farquorum_core::TaskFilter::default(), TaskId(0), all)
            .items
            .into_iter()
            .cloned()
            .collect::<Vec<_>>(),
        state.jobs(JobId(0), all).items.into_iter().cloned().collect::<Vec<_>>(),
        state.workers().cloned().collect::<Vec<_>>(),
        keys.map(|(key, entry)| (String::from_utf8_lossy(key).into_owned(), entry.clone()))
            .collect::<Vec<_>>(),
    )
}
