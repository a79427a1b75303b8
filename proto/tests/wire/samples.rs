//! One of every message that a node sends to another, or a worker and a node to each other, with every field set.
//! `<message>-<kind>` where a message holds one of several.

use bytes::Bytes;
use farquorum_proto::v1;
use prost::Message;

use crate::recorded::{Read, Sample};

/// For each type: its samples, and its reader by the same name.
macro_rules! messages {
    ($($name:literal => $type:ty : $value:expr),* $(,)?) => {
        /// All of them.
        pub(crate) fn all() -> Vec<Sample> {
            vec![$({
                let value: $type = $value;
                Sample::new($name, value.encode_to_vec(), &value)
            }),*]
        }

        /// The message with this name in these bytes.
        pub(crate) fn read(name: &str, bytes: &[u8]) -> Read {
            match name {
                $($name => again::<$type>(bytes),)*
                other => Err(format!("no message is called {other}")),
            }
        }
    };
}

fn again<M: Message + Default + std::fmt::Debug>(bytes: &[u8]) -> Read {
    let message = M::decode(bytes).map_err(|error| error.to_string())?;
    Ok((format!("{message:#?}\n"), message.encode_to_vec()))
}

messages! {
    "PeerFrame-hello" => v1::PeerFrame: frame(v1::peer_frame::Frame::Hello(hello())),
    "PeerFrame-batch" => v1::PeerFrame: frame(v1::peer_frame::Frame::Batch(v1::RaftBatch {
        messages: vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")],
        group: 3,
    })),
    "PeerFrame-probe" => v1::PeerFrame: frame(v1::peer_frame::Frame::Probe(v1::Probe { sequence: 300 })),
    "PeerReply-hello" => v1::PeerReply: reply(v1::peer_reply::Reply::Hello(v1::HelloReply {
        store_id: Bytes::from_static(&[9; 16]),
        format: 1,
        level: 1,
    })),
    "PeerReply-probe" => v1::PeerReply: reply(v1::peer_reply::Reply::Probe(v1::ProbeReply {
        sequence: 300,
        processing_ns: 1_000_000,
    })),
    "SnapshotChunk" => v1::SnapshotChunk: v1::SnapshotChunk {
        hello: Some(hello()),
        message: Bytes::from_static(b"message"),
        total_bytes: 1 << 21,
        digest: Bytes::from_static(&[5; 32]),
        offset: 1 << 20,
        data: Bytes::from_static(b"data"),
        crc32: 0x8000_0001,
    },
    "SendSnapshotResponse" => v1::SendSnapshotResponse: v1::SendSnapshotResponse {},
    "RegisterWorkerRequest" => v1::RegisterWorkerRequest: v1::RegisterWorkerRequest {
        worker_id: "worker-1".into(),
        address: "10.0.1.30:8080".into(),
        cloud_tag: "gcp".into(),
        region: "europe-west1".into(),
        capacity: 4,
        kinds: vec!["command".into(), "publish".into()],
    },
    "RegisterWorkerResponse" => v1::RegisterWorkerResponse: v1::RegisterWorkerResponse {
        heartbeat_interval_ms: 5_000,
        lease_ms: 15_000,
    },
    "HeartbeatRequest" => v1::HeartbeatRequest: v1::HeartbeatRequest {
        worker_id: "worker-1".into(),
        cpu_milli: 250,
        memory_bytes: 1 << 33,
        attempts: vec![attempt()],
    },
    "HeartbeatResponse" => v1::HeartbeatResponse: v1::HeartbeatResponse { lost: vec![attempt()] },
    "PollTaskRequest" => v1::PollTaskRequest: v1::PollTaskRequest { worker_id: "worker-1".into(), wait_ms: 20_000 },
    "PollTaskResponse" => v1::PollTaskResponse: v1::PollTaskResponse { task: Some(task()) },
    "ReportTaskResultRequest-started" => v1::ReportTaskResultRequest:
        report(v1::report_task_result_request::Outcome::Started(v1::TaskStarted {})),
    "ReportTaskResultRequest-completed" => v1::ReportTaskResultRequest:
        report(v1::report_task_result_request::Outcome::Completed(v1::TaskCompleted {
            result: Bytes::from_static(b"{}"),
        })),
    "ReportTaskResultRequest-failed" => v1::ReportTaskResultRequest:
        report(v1::report_task_result_request::Outcome::Failed(v1::TaskFailed {
            error: "an error".into(),
            retryable: true,
        })),
    "ReportTaskResultResponse" => v1::ReportTaskResultResponse: v1::ReportTaskResultResponse {},
    "DeregisterWorkerRequest" => v1::DeregisterWorkerRequest: v1::DeregisterWorkerRequest {
        worker_id: "worker-1".into(),
    },
    "DeregisterWorkerResponse" => v1::DeregisterWorkerResponse: v1::DeregisterWorkerResponse {},
    "ListWorkersRequest" => v1::ListWorkersRequest: v1::ListWorkersRequest {},
    "ListWorkersResponse" => v1::ListWorkersResponse: v1::ListWorkersResponse { workers: vec![worker()] },
}

pub(crate) fn hello() -> v1::Hello {
    v1::Hello {
        cluster_id: "farquorum".into(),
        from: 2,
        to: 1,
        store_id: Bytes::from_static(&[7; 16]),
        format: 1,
        lane: v1::Lane::Control.into(),
        group: 4,
        level: 1,
    }
}

/// A kind of frame without a sample does not compile.
fn frame(frame: v1::peer_frame::Frame) -> v1::PeerFrame {
    use v1::peer_frame::Frame;
    match &frame {
        Frame::Hello(_) | Frame::Batch(_) | Frame::Probe(_) => v1::PeerFrame { frame: Some(frame) },
    }
}

/// The same for answers.
fn reply(reply: v1::peer_reply::Reply) -> v1::PeerReply {
    use v1::peer_reply::Reply;
    match &reply {
        Reply::Hello(_) | Reply::Probe(_) => v1::PeerReply { reply: Some(reply) },
    }
}

/// The same for what a worker reports.
fn report(outcome: v1::report_task_result_request::Outcome) -> v1::ReportTaskResultRequest {
    use v1::report_task_result_request::Outcome;
    match &outcome {
        Outcome::Started(_) | Outcome::Completed(_) | Outcome::Failed(_) => v1::ReportTaskResultRequest {
            worker_id: "worker-1".into(),
            attempt: Some(attempt()),
            outcome: Some(outcome),
        },
    }
}

fn attempt() -> v1::AttemptRef {
    v1::AttemptRef { task: 21, attempt: 22 }
}

fn worker() -> v1::Worker {
    v1::Worker {
        id: "worker-1".into(),
        address: "10.0.1.30:8080".into(),
        cloud: "gcp".into(),
        region: "europe-west1".into(),
        capacity: 4,
        active_tasks: 1,
        state: v1::WorkerState::Suspect.into(),
        last_seen_ms: 1_700_000_000_000,
        cpu_milli: 250,
        memory_bytes: 1 << 33,
        kinds: vec!["command".into()],
    }
}

fn task() -> v1::Task {
    let spec = v1::TaskSpec {
        kind: "command".into(),
        payload: Bytes::from_static(b"{}"),
        cloud_affinity: "gcp".into(),
        priority: -3,
        retries: Some(0),
        timeout_ms: 60_000,
        idempotency_key: "key-1".into(),
        worker: "worker-1".into(),
    };
    v1::Task {
        id: 21,
        spec: Some(spec),
        state: v1::TaskState::Running.into(),
        attempt: 22,
        worker: "worker-1".into(),
        created_ms: 1_700_000_000_000,
        assigned_ms: 1_700_000_000_001,
        started_ms: 1_700_000_000_002,
        finished_ms: 1_700_000_000_003,
        result: Bytes::from_static(b"{}"),
        error: "an error".into(),
        retries_left: 2,
        lease_until_ms: 1_700_000_015_000,
        job: 25,
    }
}
