//! The manifest said again as simply as possible: flat maps, no index, no job; every question is a walk over all.

use std::collections::BTreeMap;

use farquorum_core::{
    Attempt, AttemptRef, Command, LogIndex, Millis, Outcome, Task, TaskId, TaskSpec, TaskState, Worker,
    WorkerId, WorkerState,
};

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) kv: BTreeMap<Vec<u8>, (Vec<u8>, LogIndex)>,
    pub(crate) last_task: u64,
    pub(crate) now: Millis,
}

/// What a model says of a command: the outcome, or that it is rejected.
type Said = Option<Outcome>;

impl Model {
    pub(crate) fn apply(&mut self, index: LogIndex, now: Millis, command: &Command) -> Said {
        self.now = self.now.max(now);
        let said = self.dispatch(index, command);
        for worker in self.workers.values_mut() {
            let held = |task: &&Task| task.state.is_active() && task.worker.as_ref() == Some(&worker.id);
            worker.active = self.tasks.values().filter(held).count() as u32;
        }
        said
    }

    fn dispatch(&mut self, index: LogIndex, command: &Command) -> Said {
        let now = self.now;
        let until = |lease_ms: u64| Millis(now.0 + lease_ms);
        match command {
            Command::SubmitTasks { specs } => self.submit(specs),
            Command::Assign { grants, lease_ms } => {
                let mut assigned = vec![];
                for grant in grants {
                    let held = self.tasks.values();
                    let held = held
                        .filter(|t| t.state.is_active() && t.worker.as_ref() == Some(&grant.worker))
                        .count();
                    let Some(worker) = self.workers.get(&grant.worker) else { continue };
                    let Some(task) = self.tasks.get_mut(&grant.task) else { continue };
                    let room = (held as u32) < worker.capacity && worker.state != WorkerState::Offline;
                    if task.state == TaskState::Pending && room && suits(worker, &task.spec) {
                        task.state = TaskState::Assigned;
                        task.attempt = Attempt(index.0);
                        task.worker = Some(grant.worker.clone());
                        (task.assigned, task.started, task.lease_until) = (now, Millis(0), until(*lease_ms));
                        assigned.push(task.clone());
                    }
                }
                Some(Outcome::Assigned(assigned))
            }
            Command::Start { worker, attempt } => self.held(worker, attempt, |task| {
                if task.state == TaskState::Assigned {
                    (task.state, task.started) = (TaskState::Running, now);
                }
            }),
            Command::Complete { worker, attempt, result } => self.held(worker, attempt, |task| {
                end(task, TaskState::Completed, now);
                (task.result, task.error) = (result.clone(), String::new());
            }),
            Command::Fail { worker, attempt, error, retryable } => self.held(worker, attempt, |task| {
                task.error = error.clone();
                if *retryable && task.retries_left > 0 {
                    task.retries_left -= 1;
                    (task.state, task.lease_until) = (TaskState::Pending, Millis(0));
                } else {
                    end(task, TaskState::Failed, now);
                }
            }),
            Command::Cancel { task } => {
                let task = self.tasks.get_mut(task).filter(|task| !task.state.is_terminal())?;
                end(task, TaskState::Cancelled, now);
                Some(Outcome::Task(Box::new(task.clone())))
            }
            Command::Expire { attempts } => {
                for attempt in attempts {
                    let task =
                        self.tasks.get_mut(&attempt.task).filter(|task| task.attempt == attempt.attempt);
                    if let Some(task) = task.filter(|task| task.state.is_active() && task.lease_until <= now)
                    {
                        take_back(task, "the lease ended");
                    }
                }
                Some(Outcome::Done)
            }
            Command::ExtendLeases { lease_ms } => {
                for task in self.tasks.values_mut().filter(|task| task.state.is_active()) {
                    task.lease_until = task.lease_until.max(until(*lease_ms));
                }
                Some(Outcome::Done)
            }
            other => self.other_command(index, other),
        }
    }

    fn other_command(&mut self, index: LogIndex, command: &Command) -> Said {
        match command {
            Command::KvSet { key, value } => {
                self.kv.insert(key.clone(), (value.clone(), index));
                Some(Outcome::Set { revision: index })
            }
            Command::KvDelete { key } => {
                Some(Outcome::Deleted { existed: self.kv.remove(key).is_some(), revision: index })
            }
            Command::KvCompareAndSet { key, expected, value } => {
                let swapped = self.kv.get(key).map(|(value, _)| value) == expected.as_ref();
                if swapped {
                    self.kv.insert(key.clone(), (value.clone(), index));
                }
                Some(Outcome::Swapped { swapped, current: self.kv.get(key).cloned() })
            }
            Command::Retain { finished_before, keep_max, drop_max } => {
                let mut dropped = 0;
                while dropped < *drop_max {
                    let ended = self.tasks.values().filter(|task| task.state.is_terminal());
                    let mut ended: Vec<_> = ended.map(|task| (task.finished, task.id)).collect();
                    ended.sort();
                    let Some((at, id)) = ended.first() else { break };
                    if at >= finished_before && ended.len() as u64 <= *keep_max {
                        break;
                    }
                    self.tasks.remove(id);
                    dropped += 1;
                }
                Some(Outcome::Dropped(dropped))
            }
            other => self.worker_command(other),
        }
    }

    fn worker_command(&mut self, command: &Command) -> Said {
        let now = self.now;
        match command {
            Command::RegisterWorker { worker, address, cloud, region, capacity, kinds } => {
                let (id, address, cloud) = (worker.clone(), address.clone(), cloud.clone());
                let (region, kinds, capacity) = (region.clone(), kinds.clone(), *capacity);
                let (state, last_seen, active) = (WorkerState::Healthy, now, 0);
                let (cpu_milli, memory_bytes) = (0, 0);
                #[rustfmt::skip]
                self.workers.insert(worker.clone(), Worker {
                    id, address, cloud, region, capacity, kinds, active, state, last_seen, cpu_milli, memory_bytes,
                });
                Some(Outcome::Done)
            }
            Command::Heartbeat { worker, cpu_milli, memory_bytes, attempts, lease_ms } => {
                let known = self.workers.get_mut(worker)?;
                (known.state, known.last_seen) = (WorkerState::Healthy, now);
                (known.cpu_milli, known.memory_bytes) = (*cpu_milli, *memory_bytes);
                let mut lost = attempts.clone();
                lost.retain(|attempt| {
                    let until = Millis(now.0 + lease_ms);
                    self.held(worker, attempt, |task| task.lease_until = task.lease_until.max(until))
                        .is_none()
                });
                Some(Outcome::Lost(lost))
            }
            Command::MarkWorker { worker, state, last_seen } => {
                let known = self.workers.get_mut(worker).filter(|_| *state != WorkerState::Healthy)?;
                if known.last_seen == *last_seen && known.state != WorkerState::Offline {
                    known.state = *state;
                }
                Some(Outcome::Done)
            }
            Command::DeregisterWorker { worker } => {
                self.workers.get_mut(worker)?.state = WorkerState::Offline;
                let held = |task: &&mut Task| task.state.is_active() && task.worker.as_ref() == Some(worker);
                self.tasks.values_mut().filter(held).for_each(|task| take_back(task, "the worker left"));
                Some(Outcome::Done)
            }
            other => panic!("{other:?} is not modelled"),
        }
    }

    fn submit(&mut self, specs: &[TaskSpec]) -> Said {
        let (tasks, last_task) = (self.tasks.clone(), self.last_task);
        let mut ids = vec![];
        for spec in specs {
            let key = &spec.idempotency_key;
            let known = self.tasks.values().find(|task| !key.is_empty() && task.spec.idempotency_key == *key);
            match known {
                Some(known) if *known.spec == *spec => ids.push(known.id),
                Some(_) => {
                    (self.tasks, self.last_task) = (tasks, last_task);
                    return None;
                }
                None if spec.worker.is_some() && !self.workers.values().any(|w| suits(w, spec)) => {
                    (self.tasks, self.last_task) = (tasks, last_task);
                    return None;
                }
                None => {
                    self.last_task += 1;
                    let (id, retries_left) = (TaskId(self.last_task), spec.retries);
                    let (created, spec) = (self.now, spec.clone().into());
                    self.tasks.insert(id, Task { id, spec, created, retries_left, ..Task::default() });
                    ids.push(id);
                }
            }
        }
        Some(Outcome::Submitted(ids))
    }

    fn held(&mut self, worker: &WorkerId, attempt: &AttemptRef, change: impl FnOnce(&mut Task)) -> Said {
        let task = self.tasks.get_mut(&attempt.task)?;
        let holds = task.attempt == attempt.attempt && task.worker.as_ref() == Some(worker);
        if !holds || !task.state.is_active() {
            return None;
        }
        change(task);
        Some(Outcome::Task(Box::new(task.clone())))
    }
}

fn suits(worker: &Worker, spec: &TaskSpec) -> bool {
    worker.kinds.contains(&spec.kind) && spec.worker.as_ref().unwrap_or(&worker.id) == &worker.id
}

fn end(task: &mut Task, state: TaskState, now: Millis) {
    (task.state, task.finished, task.lease_until) = (state, now, Millis(0));
}

fn take_back(task: &mut Task, why: &str) {
    let worker = task.worker.as_ref().unwrap();
    task.error = format!("attempt {} on worker {worker}: {why}", task.attempt);
    (task.state, task.lease_until) = (TaskState::Pending, Millis(0));
}
