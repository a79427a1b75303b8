//! Properties over random commands: the state against a simple model, and what must hold of any sequence.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests: a failure here is a failed test"
)]

mod model;
#[path = "model/step.rs"]
mod step;

use farquorum_core::{JobId, LogIndex, Millis, Proposal, State, Task, TaskFilter, TaskId};
use model::Model;
use proptest::prelude::*;
use step::{command, steps};

fn all_tasks(state: &State) -> Vec<Task> {
    state.tasks(&TaskFilter::default(), TaskId(0), usize::MAX).items.into_iter().cloned().collect()
}

fn snapshot(state: &State) -> Vec<u8> {
    state.write_snapshot().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// MAN-3, MAN-6, MAN-7, MAN-8: same outcomes and records as the model, invariants after every command.
    #[test]
    fn state_does_what_the_model_says(steps in steps()) {
        let (mut state, mut model) = (State::new(), Model::default());
        for (place, step) in steps.into_iter().enumerate() {
            let index = LogIndex(place as u64 + 1);
            // Now and then the next leader's clock is behind.
            let now = Millis((state.now().0 + step.4).saturating_sub(10));
            let command = command(step, &state, false);
            let said = model.apply(index, now, &command);
            let entry = Proposal { now, command: command.clone() }.encode();
            let got = state.apply_bytes(index, &entry).unwrap();
            prop_assert_eq!(got.as_ref().ok(), said.as_ref(), "{:?}: {:?}", command, got);
            prop_assert_eq!(state.check_invariants(), Ok(()));
            prop_assert_eq!(all_tasks(&state), model.tasks.values().cloned().collect::<Vec<_>>());
            prop_assert!(state.workers().eq(model.workers.values()), "{:?}", command);
            let keys = state.kv_list(&[], None, 100).items;
            let keys = keys.into_iter().map(|(key, entry)| (key.to_vec(), (entry.value.clone(), entry.revision)));
            prop_assert!(keys.eq(model.kv.clone()), "{:?}", command);
            prop_assert_eq!((state.applied(), state.now()), (index, model.now));
        }
    }

    /// MAN-5, MAN-6: with jobs, too, what is over stays as it is, a rejection leaves no trace but index and time, a clone
    /// does not see what comes after it, and a restored snapshot goes on to the same hash.
    #[test]
    fn any_sequence_keeps_the_promises(steps in steps(), restored_at in 0..120_usize) {
        let mut state = State::new();
        let mut restored: Option<State> = None;
        for (place, step) in steps.into_iter().enumerate() {
            if place == restored_at {
                restored = Some(State::read_snapshot(&snapshot(&state)).unwrap());
            }
            let index = LogIndex(place as u64 + 1);
            let command = command(step, &state, true);
            let drops = matches!(command, farquorum_core::Command::Retain { .. });
            let proposal = Proposal { now: Millis(state.now().0 + step.4), command };
            let (before, hash) = (state.clone(), state.hash());
            let result = state.apply(index, &proposal);
            prop_assert_eq!(state.check_invariants(), Ok(()), "after {:?}", proposal);
            prop_assert_eq!(before.hash(), hash);
            prop_assert_eq!(before.check_invariants(), Ok(()));
            if result.is_err() {
                prop_assert_eq!(all_tasks(&before), all_tasks(&state));
                prop_assert_eq!(before.jobs(JobId(0), 100), state.jobs(JobId(0), 100));
            }
            if !drops {
                for task in all_tasks(&before).iter().filter(|task| task.state.is_terminal()) {
                    prop_assert_eq!(Some(task), state.task(task.id));
                }
                for job in before.jobs(JobId(0), 100).items.into_iter().filter(|job| job.state.is_terminal()) {
                    prop_assert_eq!(Some(job), state.job(job.id));
                }
            }
            if let Some(restored) = &mut restored {
                prop_assert_eq!(restored.apply(index, &proposal), result);
                prop_assert_eq!(restored.hash(), state.hash());
            }
        }
        let bytes = snapshot(&state);
        let read = State::read_snapshot(&bytes).unwrap();
        prop_assert_eq!(&snapshot(&read), &bytes);
        prop_assert_eq!(read, state);
    }

    /// No bytes panic, and none that were changed are taken for a snapshot.
    #[test]
    fn garbage_is_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200), steps in steps(), at in any::<prop::sample::Index>(), bit in 0..8_u8
    ) {
        let mut state = State::new();
        if state.apply_bytes(LogIndex(1), &bytes).is_err() {
            prop_assert_eq!(&state, &State::new(), "what cannot be read leaves no trace");
        }
        prop_assert!(State::read_snapshot(&bytes).is_err());
        for (place, step) in steps.into_iter().enumerate() {
            let proposal = Proposal { now: Millis(step.4), command: command(step, &state, true) };
            let mut entry = proposal.encode();
            prop_assert_eq!(Proposal::decode(&entry), Ok(proposal));
            if step.1 % 4 == 0 {
                *at.get_mut(&mut entry) ^= 1 << bit;
            }
            let before = state.clone();
            if state.apply_bytes(LogIndex(place as u64 + 2), &entry).is_err() {
                prop_assert_eq!(&state, &before, "what cannot be read leaves no trace");
            }
            prop_assert_eq!(state.check_invariants(), Ok(()));
        }
        let whole = snapshot(&state);
        prop_assert!(State::read_snapshot(&whole[..at.index(whole.len())]).is_err());
        let mut flipped = whole.clone();
        *at.get_mut(&mut flipped) ^= 1 << bit;
        // A flip may hit an encoding that means the same; then it must be the same state.
        if let Ok(read) = State::read_snapshot(&flipped) {
            prop_assert_eq!(read, state);
        }
    }
}
