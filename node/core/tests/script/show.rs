//! Outcomes and records on one line each; fields that say nothing are left out.

use farquorum_core::{AttemptRef, Job, Outcome, Rejection, Task, Worker, work};

pub(crate) fn result(result: &Result<Outcome, Rejection>) -> String {
    match result {
        Ok(outcome) => format!("ok {}", self::outcome(outcome)),
        Err(rejection) => format!("REJECTED {rejection}"),
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Submitted(ids) => format!("ids {}", words(ids.iter())),
        Outcome::Assigned(tasks) => {
            format!("assigned {}", words(tasks.iter().map(|t| format!("{}@{}", t.id, t.attempt))))
        }
        Outcome::Task(task) => self::task(task),
        Outcome::Job(job) => self::job(job),
        Outcome::Lost(lost) => format!("lost {}", attempts(lost)),
        Outcome::Swapped { swapped, current } => {
            let current = current.as_ref().map(|(value, revision)| format!("{} @{revision}", text(value)));
            format!("swapped {swapped}, now {}", current.unwrap_or("absent".into()))
        }
        other => format!("{other:?}"),
    }
}

pub(crate) fn task(task: &Task) -> String {
    let mut line = format!("task {} {} {}", task.id, task.spec.kind, task.state);
    if let Some(only) = &task.spec.worker {
        line += &format!(" only {only}");
    }
    if let Some(worker) = &task.worker {
        line += &format!(" attempt {} on {worker}", task.attempt);
    }
    let job = task.job.map_or(0, |job| job.0);
    let numbers = [
        ("prio", task.spec.priority.into()),
        ("created", task.created.0.into()),
        ("assigned", task.assigned.0.into()),
        ("started", task.started.0.into()),
        ("finished", task.finished.0.into()),
        ("lease", task.lease_until.0.into()),
        ("retries", task.retries_left.into()),
        ("job", job.into()),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number): &(_, i128)| *number != 0) {
        line += &format!(" {name} {number}");
    }
    if !task.error.is_empty() {
        line += &format!(" error {:?}", task.error);
    }
    if !task.result.is_empty() && task.job.is_none() {
        line += &format!(" result {:?}", text(&task.result));
    }
    line
}

pub(crate) fn worker(worker: &Worker) -> String {
    let Worker { id, cloud, capacity, kinds, active, state, last_seen, .. } = worker;
    format!(
        "worker {id} {state} cloud {cloud:?} active {active}/{capacity} kinds {} seen {last_seen}",
        words(kinds.iter())
    )
}

pub(crate) fn job(job: &Job) -> String {
    let mut line = format!("job {} {}", job.id, job.state);
    for (name, stage) in
        ["map", "reduce", "publish"].iter().zip(&job.stages).filter(|(_, stage)| stage.tasks > 0)
    {
        let work = format!(
            "{}/{} done, {} running, {} lost",
            stage.completed, stage.tasks, stage.running, stage.failed_attempts
        );
        line += &format!(" [{name} {work}, {} in, {} out]", stage.bytes_in, stage.bytes_out);
    }
    if job.finished.0 > 0 {
        line += &format!(" finished {}", job.finished);
    }
    if !job.error.is_empty() {
        line += &format!(" error {:?}", job.error);
    }
    if !job.parts.is_empty() {
        line += &format!(" parts {}", job.parts.join(" "));
    }
    line
}

/// What the worker of a job's task is told.
pub(crate) fn payload(task: &Task) -> String {
    let objects = |list: &[work::Object]| words(list.iter().map(|o| format!("{}:{}", o.partition, o.url)));
    let bytes = &task.spec.payload;
    match task.spec.kind.as_str() {
        "wordcount-map" => {
            let map: work::Map = minicbor::decode(bytes).unwrap();
            format!(
                "map {} into {} below {}, prefers {}",
                map.input.url, map.reducers, map.output, task.spec.cloud_affinity
            )
        }
        "wordcount-reduce" => {
            let reduce: work::Reduce = minicbor::decode(bytes).unwrap();
            format!("reduce {} of {} below {}", reduce.partition, objects(&reduce.inputs), reduce.output)
        }
        "publish" => {
            let publish: work::Publish = minicbor::decode(bytes).unwrap();
            format!("publish {} below {}", objects(&publish.parts), publish.output)
        }
        kind => panic!("no payload known for {kind}"),
    }
}

pub(crate) fn attempts(attempts: &[AttemptRef]) -> String {
    words(attempts.iter().map(|a| format!("{}@{}", a.task, a.attempt)))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words<T: ToString>(list: impl Iterator<Item = T>) -> String {
    let list: Vec<_> = list.map(|item| item.to_string()).collect();
    if list.is_empty() { "none".into() } else { list.join(" ") }
}
