//! The session against a control plane that forgets, refuses, loses and hangs on purpose.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farquorum_proto::v1::report_task_result_request::Outcome as Wire;
use farquorum_proto::v1::{
    AttemptRef, HeartbeatRequest, HeartbeatResponse, PollTaskRequest, RegisterWorkerRequest,
    RegisterWorkerResponse, ReportTaskResultRequest, Task, TaskSpec,
};
use farquorum_storage::{StorageSettings, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::control::{Control, ControlError};
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::session::{Identity, Session};
use crate::tasks::{Registry, TaskError};

/// A clock that only the test moves, in milliseconds.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What the control plane knows and what was said to it.
#[derive(Default)]
struct State {
    registered: bool,
    registrations: Vec<RegisterWorkerRequest>,
    heartbeats: Vec<Vec<AttemptRef>>,
    deregistered: bool,
    queue: VecDeque<Task>,
    polls: usize,
    /// "started", "completed ...", "failed ...", in order of arrival, whether taken or not.
    reports: Vec<String>,
    /// Told to the worker with each heartbeat.
    lost: Vec<AttemptRef>,
    /// Answers to the next calls of any kind, before the normal ones; as when the leader moves.
    failures: VecDeque<ControlError>,
    /// Answer to reports of completion.
    late: bool,
    /// Heartbeats get no answer.
    deaf: bool,
}

#[derive(Clone)]
struct Fake {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

impl Fake {
    fn new() -> Self {
        Self { state: Arc::default(), changed: watch::Sender::new(0) }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    /// Waits until the state is as said.
    async fn until(&self, what: &str, is: impl Fn(&State) -> bool) {
        let mut changed = self.changed.subscribe();
        let waited = changed.wait_for(|_| is(&self.state.lock().unwrap()));
        let waited = tokio::time::timeout(Duration::from_secs(30), waited).await;
        assert!(waited.is_ok(), "never happened: {what}; reports {:?}", self.state.lock().unwrap().reports);
    }

    fn call<T>(&self, answer: impl FnOnce(&mut State) -> Result<T, ControlError>) -> Result<T, ControlError> {
        self.with(|state| match state.failures.pop_front() {
            Some(failure) => Err(failure),
            None => answer(state),
        })
    }

    fn known<T>(
        &self,
        answer: impl FnOnce(&mut State) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        self.call(|state| {
            if state.registered { answer(state) } else { Err(ControlError::Unknown("who?".to_owned())) }
        })
    }
}

impl Control for Fake {
    async fn register(&self, request: RegisterWorkerRequest) -> Result<RegisterWorkerResponse, ControlError> {
        self.call(|state| {
            state.registered = true;
            state.registrations.push(request);
            Ok(RegisterWorkerResponse { heartbeat_interval_ms: 10, lease_ms: 1000 })
        })
    }

    async fn heartbeat(
        &self,
        request: HeartbeatRequest,
        _: Duration,
    ) -> Result<HeartbeatResponse, ControlError> {
        if self.state.lock().unwrap().deaf {
            return Err(ControlError::Unavailable("no answer".to_owned()));
        }
        self.known(|state| {
            state.heartbeats.push(request.attempts);
            Ok(HeartbeatResponse { lost: state.lost.clone() })
        })
    }

    async fn poll(&self, _: PollTaskRequest) -> Result<Option<Task>, ControlError> {
        self.known(|state| {
            state.polls += 1;
            Ok(())
        })?;
        let mut changed = self.changed.subscribe();
        loop {
            {
                let mut state = self.state.lock().unwrap();
                if !state.registered {
                    return Err(ControlError::Unknown("who?".to_owned()));
                }
                if let Some(task) = state.queue.pop_front() {
                    return Ok(Some(task));
                }
            }
            changed.changed().await.unwrap();
        }
    }

    async fn report(&self, request: ReportTaskResultRequest) -> Result<(), ControlError> {
        let text = match request.outcome.unwrap() {
            Wire::Started(_) => "started".to_owned(),
            Wire::Completed(done) => format!("completed {}", String::from_utf8_lossy(&done.result)),
            Wire::Failed(failed) => format!("failed {} {}", failed.retryable, failed.error),
        };
        self.call(|state| {
            state.reports.push(text.clone());
            if text == "completed too much" {
                return Err(ControlError::Refused(
                    "the result has 8 bytes, at most 7 are allowed".to_owned(),
                ));
            }
            if state.late && text.starts_with("completed") {
                return Err(ControlError::Stale("attempt 5 is not the current one".to_owned()));
            }
            Ok(())
        })
    }

    async fn deregister(&self, _: String) -> Result<(), ControlError> {
        self.call(|state| {
            state.registered = false;
            state.deregistered = true;
            Ok(())
        })
    }
}

struct Worker {
    fake: Fake,
    hands: Hands,
    metrics: Metrics,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Worker {
    /// A worker with kinds for tests: `echo`, `wait` (for ever), `panic`, `big`.
    fn start(capacity: u32) -> Self {
        Self::start_with(capacity, Fake::new())
    }

    fn start_with(capacity: u32, fake: Fake) -> Self {
        let mut registry = Registry::default();
        registry.add("echo", |_, payload| async move { Ok(payload) });
        registry.add("wait", |_, _| std::future::pending::<Result<Vec<u8>, TaskError>>());
        registry.add("panic", |_, _| async { panic!("at the disco") });
        registry.add("big", |_, _| async { Ok(vec![0; crate::RESULT_BYTES_MAX + 1]) });
        let settings = StorageSettings::s3("http://127.0.0.1:9".to_owned(), "none", None);
        let (hands, metrics, shutdown) =
            (Hands::default(), Metrics::new().unwrap(), CancellationToken::new());
        let session = Arc::new(Session {
            control: fake.clone(),
            clock: hands.clone(),
            identity: Identity {
                worker_id: "worker-1".to_owned(),
                address: "10.0.0.1:8080".to_owned(),
                cloud: "aws".to_owned(),
                region: "r".to_owned(),
                capacity,
            },
            registry,
            store: Store::open(&settings).unwrap(),
            metrics: metrics.clone(),
            timeout_default: Duration::from_secs(60),
            shutdown: shutdown.clone(),
            registration: watch::Sender::new(None),
            leases: Mutex::new(Leases::default()),
        });
        Self { fake, hands, metrics, shutdown, running: tokio::spawn(session.run()) }
    }

    /// Grants an attempt of a kind.
    fn grant(&self, task: u64, kind: &str, payload: &str, timeout_ms: u64) {
        let payload = payload.to_owned().into_bytes().into();
        let spec = TaskSpec { kind: kind.to_owned(), payload, timeout_ms, ..TaskSpec::default() };
        self.fake
            .with(|s| s.queue.push_back(Task { id: task, attempt: 5, spec: Some(spec), ..Task::default() }));
    }

    async fn reported(&self, report: &str) {
        self.fake.until(report, |s| s.reports.iter().any(|r| r == report)).await;
    }

    async fn stop(self) -> Fake {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.running).await.expect("it does not stop").unwrap();
        self.fake
    }
}

fn holds(state: &State, task: u64) -> bool {
    state.heartbeats.last().is_some_and(|attempts| attempts.contains(&AttemptRef { task, attempt: 5 }))
}

#[tokio::test]
async fn a_worker_registers_runs_reports_and_says_goodbye() {
    let worker = Worker::start(2);
    worker.fake.until("one poll per free slot", |s| s.polls == 2).await;
    worker.grant(1, "echo", "hello", 0);
    worker.reported("completed hello").await;
    let fake = worker.stop().await;
    let state = fake.state.lock().unwrap();
    let request = &state.registrations[0];
    assert_eq!(
        (request.worker_id.as_str(), request.cloud_tag.as_str(), request.capacity),
        ("worker-1", "aws", 2)
    );
    assert!(request.kinds.contains(&"wordcount-map".to_owned()), "{:?}", request.kinds);
    assert_eq!(state.reports, ["started", "completed hello"]);
    assert!(state.deregistered);
}

#[tokio::test]
async fn slots_run_at_once_and_never_more_than_there_are() {
    let worker = Worker::start(2);
    for task in 1..=3 {
        worker.grant(task, "wait", "", 0);
    }
    worker.fake.until("two run", |s| holds(s, 1) && holds(s, 2)).await;
    worker.fake.with(|s| assert_eq!((s.queue.len(), s.polls), (1, 2)));
    worker.stop().await;
}

#[tokio::test]
async fn a_cluster_that_forgot_the_worker_gets_it_back_and_the_attempt_goes_on() {
    let worker = Worker::start(2);
    worker.grant(1, "wait", "", 0);
    worker.fake.until("it runs", |s| holds(s, 1)).await;
    worker.fake.with(|s| {
        s.registered = false;
        s.heartbeats.clear();
    });
    worker.fake.until("registered again, still running", |s| s.registrations.len() == 2 && holds(s, 1)).await;
    worker.grant(2, "echo", "after", 0);
    worker.reported("completed after").await;
    worker.stop().await;
}

#[tokio::test]
async fn calls_that_fail_while_the_leader_moves_are_tried_again() {
    let fake = Fake::new();
    let election = || ControlError::Unavailable("no leader".to_owned());
    fake.with(|s| s.failures.extend([election(), election()]));
    let worker = Worker::start_with(1, fake);
    worker.fake.until("registered", |s| s.registered && s.polls > 0).await;
    worker.grant(1, "echo", "x", 0);
    worker.fake.with(|s| s.failures.extend([election(), election(), election()]));
    worker.reported("completed x").await;
    let fake = worker.stop().await;
    assert_eq!(fake.state.lock().unwrap().registrations.len(), 1);
}

#[tokio::test]
async fn a_lost_attempt_stops_and_is_not_reported() {
    let worker = Worker::start(1);
    worker.grant(1, "wait", "", 0);
    worker.fake.until("it runs", |s| holds(s, 1)).await;
    worker.fake.with(|s| s.lost = vec![AttemptRef { task: 1, attempt: 5 }]);
    worker.grant(2, "echo", "next", 0);
    worker.reported("completed next").await;
    let metrics = worker.metrics.clone();
    let fake = worker.stop().await;
    assert_eq!(fake.state.lock().unwrap().reports, ["started", "started", "completed next"]);
    assert_eq!(metrics.attempts.with_label_values(&["wait", "stopped"]).get(), 1);
}

#[tokio::test]
async fn half_a_lease_without_a_heartbeat_stops_the_attempt() {
    let worker = Worker::start(1);
    worker.grant(1, "wait", "", 0);
    worker.fake.until("it runs", |s| holds(s, 1)).await;
    worker.fake.with(|s| s.deaf = true);
    // Half of the 1000 ms lease, on the worker's own clock.
    worker.hands.0.store(600, Ordering::SeqCst);
    worker.grant(2, "echo", "next", 0);
    worker.reported("completed next").await;
    assert_eq!(worker.metrics.lease_stops.get(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_late_result_is_refused_and_forgotten() {
    let worker = Worker::start(1);
    worker.fake.with(|s| s.late = true);
    worker.grant(1, "echo", "late", 0);
    worker.reported("completed late").await;
    worker.fake.with(|s| s.late = false);
    worker.grant(2, "echo", "next", 0);
    worker.reported("completed next").await;
    let metrics = worker.metrics.clone();
    let fake = worker.stop().await;
    let reports = fake.state.lock().unwrap().reports.clone();
    assert_eq!(reports, ["started", "completed late", "started", "completed next"], "reported once");
    assert_eq!(metrics.attempts.with_label_values(&["echo", "late"]).get(), 1);
}

#[tokio::test]
async fn a_result_that_the_cluster_never_takes_fails_the_task() {
    let worker = Worker::start(1);
    worker.grant(1, "echo", "too much", 0);
    worker
        .reported("failed false its result was refused: the result has 8 bytes, at most 7 are allowed")
        .await;
    let metrics = worker.metrics.clone();
    worker.stop().await;
    assert_eq!(metrics.attempts.with_label_values(&["echo", "failed"]).get(), 1);
}

#[tokio::test]
async fn every_bad_end_is_a_failed_attempt() {
    let worker = Worker::start(1);
    for (task, kind, timeout_ms, report) in [
        (1, "wait", 20, "failed true timed out after 20 ms"),
        (2, "panic", 0, "failed true the task panicked: at the disco"),
        (3, "big", 0, "failed false the result has 1048577 bytes"),
        (4, "nonsense", 0, "failed false unknown task kind \"nonsense\"; this worker runs big, command,"),
    ] {
        worker.grant(task, kind, "", timeout_ms);
        worker.fake.until(report, |s| s.reports.last().is_some_and(|r| r.starts_with(report))).await;
    }
    let metrics = worker.metrics.clone();
    worker.stop().await;
    assert_eq!(metrics.attempts.with_label_values(&["unknown", "failed"]).get(), 1);
}

#[tokio::test]
async fn stopping_ends_what_runs() {
    let worker = Worker::start(1);
    worker.grant(1, "wait", "", 0);
    worker.fake.until("it runs", |s| holds(s, 1)).await;
    let fake = worker.stop().await;
    let state = fake.state.lock().unwrap();
    assert_eq!((state.reports.as_slice(), state.deregistered), (["started".to_owned()].as_slice(), true));
}
