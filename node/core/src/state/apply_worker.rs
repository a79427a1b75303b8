//! Worker commands. Whether a worker is late is decided by the leader; here it is only written down.

use super::State;
use crate::command::{AttemptRef, Outcome};
use crate::error::Rejection;
use crate::ids::{Millis, WorkerId};
use crate::worker::{Worker, WorkerState};

impl State {
    pub(super) fn register_worker(
        &mut self,
        id: &WorkerId,
        address: &str,
        cloud: &str,
        region: &str,
        capacity: u32,
        kinds: &[String],
    ) -> Result<Outcome, Rejection> {
        if id.as_str().is_empty() {
            return Err(Rejection::Invalid("the worker id must not be empty".to_owned()));
        }
        if capacity == 0 {
            return Err(Rejection::Invalid(format!("worker {id}: capacity is 0; at least 1 is needed")));
        }
        self.tables.put_worker(Worker {
            id: id.clone(),
            address: address.to_owned(),
            cloud: cloud.to_owned(),
            region: region.to_owned(),
            capacity,
            kinds: kinds.to_vec(),
            active: self.worker(id).map_or(0, |worker| worker.active),
            state: WorkerState::Healthy,
            last_seen: self.now,
            cpu_milli: 0,
            memory_bytes: 0,
        });
        Ok(Outcome::Done)
    }

    /// Brings a suspect or offline worker back, too: it is heard of, and it knows what it lost from the answer.
    pub(super) fn heartbeat(
        &mut self,
        id: &WorkerId,
        cpu_milli: u32,
        memory_bytes: u64,
        attempts: &[AttemptRef],
        lease_ms: u64,
    ) -> Result<Outcome, Rejection> {
        let until = self.lease_end(lease_ms)?;
        let worker = self.known_worker(id)?;
        let (state, last_seen) = (WorkerState::Healthy, self.now);
        self.tables.put_worker(Worker { state, last_seen, cpu_milli, memory_bytes, ..worker });
        Ok(Outcome::Lost(self.renew(id, attempts, until)))
    }

    pub(super) fn mark_worker(
        &mut self,
        id: &WorkerId,
        state: WorkerState,
        last_seen: Millis,
    ) -> Result<Outcome, Rejection> {
        if state == WorkerState::Healthy {
            return Err(Rejection::Invalid(format!("worker {id}: only a heartbeat makes a worker healthy")));
        }
        let worker = self.known_worker(id)?;
        if worker.last_seen == last_seen && worker.state != WorkerState::Offline {
            self.tables.put_worker(Worker { state, ..worker });
        }
        Ok(Outcome::Done)
    }

    pub(super) fn deregister_worker(&mut self, id: &WorkerId) -> Result<Outcome, Rejection> {
        let worker = self.known_worker(id)?;
        self.tables.put_worker(Worker { state: WorkerState::Offline, ..worker });
        let held: Vec<_> = self.active_tasks(id).cloned().collect();
        for task in held {
            self.take_back(task, "the worker left");
        }
        Ok(Outcome::Done)
    }

    fn known_worker(&self, id: &WorkerId) -> Result<Worker, Rejection> {
        self.worker(id).cloned().ok_or_else(|| Rejection::UnknownWorker(id.clone()))
    }
}
