//! Workers over real TLS: register, poll, run, report; what the leader does when they fall silent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail")]

mod nodes;

use std::time::Duration;

use farquorum_client::wire::Reason;
use farquorum_proto::v1;
use farquorum_proto::v1::cluster_service_client::ClusterServiceClient;
use farquorum_proto::v1::report_task_result_request::Outcome;
use farquorum_proto::v1::task_service_client::TaskServiceClient;
use farquorum_proto::v1::worker_service_client::WorkerServiceClient;
use nodes::{Nodes, reason, until};
use tonic::Status;
use tonic::transport::Channel;

const WORKER: &str = "worker-1";

type Workers = WorkerServiceClient<Channel>;
type Tasks = TaskServiceClient<Channel>;

/// One node that leads, with its clients.
async fn cluster(lease: Duration, heartbeat: Duration) -> (Nodes, Workers, Tasks) {
    let mut nodes = Nodes::prepare(1);
    nodes.config.tasks.lease = lease;
    nodes.config.tasks.heartbeat = heartbeat;
    nodes.start_node(0);
    let leader = nodes.leader().await;
    let workers = WorkerServiceClient::new(nodes.channel(leader, WORKER));
    let tasks = TaskServiceClient::new(nodes.channel(leader, "client-1"));
    (nodes, workers, tasks)
}

fn registration(worker_id: &str) -> v1::RegisterWorkerRequest {
    v1::RegisterWorkerRequest {
        worker_id: worker_id.into(),
        address: "127.0.0.1:8080".into(),
        cloud_tag: "aws".into(),
        capacity: 2,
        kinds: vec!["command".into()],
        ..v1::RegisterWorkerRequest::default()
    }
}

fn poll(wait_ms: u64) -> v1::PollTaskRequest {
    v1::PollTaskRequest { worker_id: WORKER.into(), wait_ms }
}

async fn submit(tasks: &mut Tasks) -> u64 {
    submit_for(tasks, "").await.unwrap().id
}

/// For this worker only; for any when its name is empty.
async fn submit_for(tasks: &mut Tasks, worker: &str) -> Result<v1::Task, Status> {
    let spec = v1::TaskSpec {
        kind: "command".into(),
        payload: "{}".into(),
        worker: worker.into(),
        ..v1::TaskSpec::default()
    };
    let request = v1::SubmitTaskRequest { spec: Some(spec) };
    Ok(tasks.submit_task(request).await?.into_inner().task.unwrap())
}

async fn report(workers: &mut Workers, task: &v1::Task, outcome: Outcome) -> Result<(), Status> {
    let attempt = Some(v1::AttemptRef { task: task.id, attempt: task.attempt });
    let request = v1::ReportTaskResultRequest { worker_id: WORKER.into(), attempt, outcome: Some(outcome) };
    workers.report_task_result(request).await.map(drop)
}

async fn get(tasks: &mut Tasks, id: u64) -> v1::Task {
    tasks.get_task(v1::GetTaskRequest { id }).await.unwrap().into_inner().task.unwrap()
}

async fn state(tasks: &mut Tasks, id: u64) -> v1::TaskState {
    get(tasks, id).await.state()
}

/// WRK-1, WRK-3, WRK-5: from registration to a stale result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_granted_run_and_reported_once() {
    let (_nodes, mut workers, mut tasks) = cluster(Duration::from_secs(60), Duration::from_secs(20)).await;
    let unknown = workers.poll_task(poll(10)).await.unwrap_err();
    assert_eq!(reason(&unknown), Some(Reason::NotFound), "a worker registers first");
    let answer = workers.register_worker(registration(WORKER)).await.unwrap().into_inner();
    assert_eq!((answer.heartbeat_interval_ms, answer.lease_ms), (20_000, 60_000));
    let other = workers.register_worker(registration("worker-2")).await.unwrap_err();
    assert_eq!(reason(&other), Some(Reason::Permission), "a worker speaks for itself");

    assert_eq!(workers.poll_task(poll(10)).await.unwrap().into_inner().task, None, "nothing to do");
    let mut waiting = workers.clone();
    let polled = tokio::spawn(async move { waiting.poll_task(poll(60_000)).await });
    let id = submit(&mut tasks).await;
    let task = polled.await.unwrap().unwrap().into_inner().task.unwrap();
    assert_eq!((task.id, task.worker.as_str(), task.state()), (id, WORKER, v1::TaskState::Assigned));

    report(&mut workers, &task, Outcome::Started(v1::TaskStarted {})).await.unwrap();
    assert_eq!(state(&mut tasks, id).await, v1::TaskState::Running);
    let beat = v1::HeartbeatRequest {
        worker_id: WORKER.into(),
        attempts: vec![
            v1::AttemptRef { task: id, attempt: task.attempt },
            v1::AttemptRef { task: id, attempt: task.attempt - 1 },
        ],
        ..v1::HeartbeatRequest::default()
    };
    let lost = workers.heartbeat(beat).await.unwrap().into_inner().lost;
    assert_eq!(lost, [v1::AttemptRef { task: id, attempt: task.attempt - 1 }], "lost attempts are reported");

    let stale = v1::Task { attempt: task.attempt - 1, ..task.clone() };
    let done = || Outcome::Completed(v1::TaskCompleted { result: "{\"code\":0}".into() });
    let refused = report(&mut workers, &stale, done()).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Reason::StaleAttempt));
    report(&mut workers, &task, done()).await.unwrap();
    assert_eq!(state(&mut tasks, id).await, v1::TaskState::Completed);
}

/// A task for one worker goes past another that waits, and stands in no other task's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_for_one_worker_waits_for_it() {
    const OTHER: &str = "worker-2";
    let (nodes, mut workers, mut tasks) = cluster(Duration::from_secs(60), Duration::from_secs(20)).await;
    let mut others = WorkerServiceClient::new(nodes.channel(0, OTHER));
    workers.register_worker(registration(WORKER)).await.unwrap();
    let refused = submit_for(&mut tasks, OTHER).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Reason::Invalid));
    assert!(
        refused.message().ends_with("worker-2, which is not registered; registered: worker-1"),
        "{refused:?}"
    );
    others.register_worker(registration(OTHER)).await.unwrap();

    let only = submit_for(&mut tasks, OTHER).await.unwrap();
    assert_eq!(only.spec.unwrap().worker, OTHER);
    let any = submit(&mut tasks).await;
    let granted = workers.poll_task(poll(60_000)).await.unwrap().into_inner().task.unwrap();
    assert_eq!(granted.id, any, "the older task is for another worker");
    assert_eq!(state(&mut tasks, only.id).await, v1::TaskState::Pending);
    let poll = v1::PollTaskRequest { worker_id: OTHER.into(), ..poll(60_000) };
    let granted = others.poll_task(poll).await.unwrap().into_inner().task.unwrap();
    assert_eq!((granted.id, granted.worker.as_str()), (only.id, OTHER));
}

/// WRK-2, WRK-5: a silent worker is marked, its lease ends, its task is granted anew with a larger attempt. It is the same
/// worker that gets it, so only the attempt's number tells its late result from the good one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_worker_loses_its_task_and_its_late_result_is_refused() {
    let (nodes, mut workers, mut tasks) =
        cluster(Duration::from_millis(1500), Duration::from_millis(100)).await;
    workers.register_worker(registration(WORKER)).await.unwrap();
    let id = submit(&mut tasks).await;
    let first = workers.poll_task(poll(60_000)).await.unwrap().into_inner().task.unwrap();
    until("the lease to end", async || (state(&mut tasks, id).await == v1::TaskState::Pending).then_some(()))
        .await;
    until("the worker to be offline", async || {
        let (_, body) = nodes.http(0, "/cluster-state").await;
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        (json["workers"][0]["status"] == "offline").then_some(())
    })
    .await;
    workers.register_worker(registration(WORKER)).await.unwrap();
    let second = workers.poll_task(poll(60_000)).await.unwrap().into_inner().task.unwrap();
    assert_eq!(second.id, id);
    assert!(second.attempt > first.attempt);

    let done = |result: &str| Outcome::Completed(v1::TaskCompleted { result: result.to_owned().into() });
    let refused = report(&mut workers, &first, done("\"late\"")).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Reason::StaleAttempt), "{refused:?}");
    let number = format!("attempt {} of task {id} is not the current one", first.attempt);
    assert!(refused.message().contains(&number), "{refused:?}");
    report(&mut workers, &second, done("\"good\"")).await.unwrap();
    let task = get(&mut tasks, id).await;
    assert_eq!((task.state(), task.attempt), (v1::TaskState::Completed, second.attempt));
    assert_eq!(task.result, "\"good\"");
}

/// Polls wait at the leader only, and end when it stops to lead; workers are told where to go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_ends_with_the_leadership() {
    let nodes = Nodes::start(3).await;
    let (leader, follower) = (nodes.leader().await, nodes.follower().await);
    let mut at_follower = WorkerServiceClient::new(nodes.channel(follower, WORKER));
    let refused = at_follower.poll_task(poll(60_000)).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Reason::NotLeader));

    let mut workers = WorkerServiceClient::new(nodes.channel(leader, WORKER));
    workers.register_worker(registration(WORKER)).await.unwrap();
    let mut waiting = workers.clone();
    let polled = tokio::spawn(async move { waiting.poll_task(poll(60_000)).await });
    until("the leadership to move", async || {
        let now = nodes.leader().await;
        let mut admin = ClusterServiceClient::new(nodes.channel(now, "admin-1"));
        let to = nodes.config.nodes[follower].id.0;
        let transferred = admin.transfer_leader(v1::TransferLeaderRequest { to }).await;
        (now != leader || transferred.is_ok_and(|answer| answer.into_inner().leader_id == to)).then_some(())
    })
    .await;
    let ended = reason(&polled.await.unwrap().unwrap_err());
    assert!(matches!(ended, Some(Reason::NotLeader | Reason::NoLeader)), "{ended:?}");
}
