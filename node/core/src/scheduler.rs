//! Who gets which task: a pure decision over a state and the workers that wait (WRK-3, JOB-3).
//!
//! Tasks are taken strictly in order of priority, then age. A task with a cloud affinity goes to a worker of that
//! cloud when one waits with room, otherwise to any that waits and runs its kind: locality is a preference, no slot
//! stays empty for it, so no task starves. A task that asks for one worker goes to that one or stays pending. Pending
//! tasks are indexed by kind and by the worker that they ask for, so those that no waiting worker can run are not even
//! looked at. One call costs O(max * waiting workers + their kinds), however many tasks are pending.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::command::Grant;
use crate::ids::WorkerId;
use crate::state::{Lane, State};
use crate::task::Task;
use crate::worker::{Worker, WorkerState};

/// A worker that waits for tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub worker: WorkerId,
    /// How many tasks it can be told of now: its open polls.
    pub slots: u32,
}

/// At most `max` grants for the workers that wait. Never more than a worker has slots or free capacity; none for a
/// worker that is offline or unknown. A worker that is listed twice has the sum of its slots.
pub fn grants(state: &State, idle: &[Waiting], max: usize) -> Vec<Grant> {
    let mut rooms = rooms(state, idle);
    let pending = &state.tables.index.pending;
    let lanes: BTreeSet<Lane> = rooms.iter().flat_map(|room| lanes(room.worker)).collect();
    // The next task of each lane; the queues stay sorted, so the smallest head is the next task of all.
    let mut heads = BTreeMap::new();
    for lane in &lanes {
        let mut queue = pending.get(lane).into_iter().flatten();
        if let Some(place) = queue.next() {
            heads.insert(*place, queue);
        }
    }
    let mut grants = Vec::new();
    while grants.len() < max {
        let Some(((_, id), mut queue)) = heads.pop_first() else { break };
        let Some(task) = state.task(id) else { continue };
        // Nobody with room for this task: nor for the rest of its lane, which is not put back.
        let Some(room) = pick(&mut rooms, task) else { continue };
        room.free = room.free.saturating_sub(1);
        grants.push(Grant { task: id, worker: room.worker.id.clone() });
        if let Some(place) = queue.next() {
            heads.insert(*place, queue);
        }
    }
    grants
}

/// A worker and how many tasks it may still get in this call.
struct Room<'a> {
    worker: &'a Worker,
    free: u32,
}

fn rooms<'a>(state: &'a State, idle: &[Waiting]) -> Vec<Room<'a>> {
    let mut slots: BTreeMap<&WorkerId, u32> = BTreeMap::new();
    for waiting in idle {
        let sum = slots.entry(&waiting.worker).or_default();
        *sum = sum.saturating_add(waiting.slots);
    }
    let known = slots.into_iter().filter_map(|(id, slots)| state.worker(id).map(|worker| (worker, slots)));
    let online = known.filter(|(worker, _)| worker.state != WorkerState::Offline);
    online
        .map(|(worker, slots)| Room {
            worker,
            free: slots.min(worker.capacity.saturating_sub(worker.active)),
        })
        .collect()
}

/// What a worker can run: of each of its kinds the tasks for any worker, and those for it alone.
fn lanes(worker: &Worker) -> impl Iterator<Item = Lane> {
    let only = [None, Some(worker.id.clone())];
    worker.kinds.iter().flat_map(move |kind| only.clone().map(|worker| Lane { kind: kind.clone(), worker }))
}

/// The worker for a task: in its cloud if possible, then the one with the most room, then the first by id.
fn pick<'r, 'a>(rooms: &'r mut [Room<'a>], task: &Task) -> Option<&'r mut Room<'a>> {
    let cloud = &task.spec.cloud_affinity;
    let fit = rooms.iter_mut().filter(|room| room.free > 0 && room.worker.suits(&task.spec));
    fit.min_by_key(|room| {
        let far = !cloud.is_empty() && room.worker.cloud != *cloud;
        (far, Reverse(room.free))
    })
}

#[cfg(test)]
mod tests;
