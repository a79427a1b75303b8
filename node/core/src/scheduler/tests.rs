//! One line per situation: workers, pending tasks, and who gets what.

use super::*;
use crate::command::{Command, Outcome, Proposal};
use crate::ids::{LogIndex, Millis, TaskId};
use crate::task::TaskSpec;

/// Workers as `name/cloud/kinds+joined/capacity/slots`, tasks as `kind/affinity/priority`
/// and `/worker` when they ask for one; grants as `task>worker`.
fn check(workers: &str, tasks: &str, max: usize, expect: &str) {
    let (state, idle) = given(workers, tasks);
    let got: Vec<String> =
        grants(&state, &idle, max).iter().map(|grant| format!("{}>{}", grant.task, grant.worker)).collect();
    assert_eq!(got.join(" "), expect, "workers {workers:?}, tasks {tasks:?}");
}

fn given(workers: &str, tasks: &str) -> (State, Vec<Waiting>) {
    let mut state = State::new();
    let mut idle = Vec::new();
    for text in workers.split_whitespace() {
        let [name, cloud, kinds, capacity, slots]: [&str; 5] =
            text.split('/').collect::<Vec<_>>().try_into().unwrap();
        let worker = WorkerId::new(name);
        idle.push(Waiting { worker: worker.clone(), slots: slots.parse().unwrap() });
        run(
            &mut state,
            Command::RegisterWorker {
                worker,
                address: "h:1".into(),
                cloud: cloud.into(),
                region: String::new(),
                capacity: capacity.parse().unwrap(),
                kinds: kinds.split('+').map(str::to_owned).collect(),
            },
        );
    }
    for text in tasks.split_whitespace() {
        let words: Vec<&str> = text.split('/').collect();
        let spec = TaskSpec {
            kind: words[0].to_owned(),
            cloud_affinity: words[1].to_owned(),
            priority: words[2].parse().unwrap(),
            worker: words.get(3).map(|worker| WorkerId::new(worker)),
            ..TaskSpec::default()
        };
        run(&mut state, Command::SubmitTasks { specs: vec![spec] });
    }
    (state, idle)
}

fn run(state: &mut State, command: Command) -> Outcome {
    let index = LogIndex(state.applied().0 + 1);
    state.apply(index, &Proposal { now: Millis(1), command }).unwrap()
}

#[test]
fn grants_follow_priority_room_and_locality() {
    check("a/aws/x/2/2", "x//0 x//5 x//0", 9, "2>a 1>a");
    check("a/aws/x/9/9", "x//0 x//5 x//-1", 2, "2>a 1>a");
    // Never above slots, never above capacity.
    check("a/aws/x/9/1", "x//0 x//0", 9, "1>a");
    check("a/aws/x/1/9", "x//0 x//0", 9, "1>a");
    check("a/aws/x/1/0", "x//0", 9, "");
    // The cloud of the input first, another one rather than an idle slot.
    check("a/aws/x/1/1 g/gcp/x/1/1", "x/gcp/0 x/aws/0", 9, "1>g 2>a");
    check("a/aws/x/3/3 g/gcp/x/1/1", "x/gcp/0 x/gcp/0", 9, "1>g 2>a");
    check("a/aws/x/1/1", "x/azure/0", 9, "1>a");
    check("g/gcp/y/1/1 a/aws/x/1/1", "x/gcp/0", 9, "1>a");
    // The most room first.
    check("a/aws/x/1/1 b/aws/x/2/2", "x//0 x//0", 9, "1>b 2>a");
    // A kind that nobody runs, or that has no room left, blocks nothing.
    check("a/aws/x/2/2", "z//9 z//9 x//0", 9, "3>a");
    check("a/aws/x/1/1 b/aws/y/1/1", "x//9 x//9 y//0", 9, "1>a 3>b");
    // Several kinds on one worker share its room.
    check("a/aws/x+y/2/2", "x//0 y//3 x//1", 9, "2>a 3>a");
    // A task for one worker goes there, whatever its affinity and whoever has more room.
    check("a/aws/x/1/1 b/gcp/x/9/9", "x/gcp/0/a x//0", 9, "1>a 2>b");
    // Those for a worker that does not wait or has no room block nobody, and nobody else gets them.
    check("a/aws/x/9/9 b/gcp/x/9/0", "x//9/b x//9/b x//0", 9, "3>a");
    check("a/aws/x/1/1 b/gcp/x/1/1", "x//9/a x//9/a x//0", 9, "1>a 3>b");
    // Priority counts across both sorts.
    check("a/aws/x/2/2", "x//0/a x//5 x//9/a", 9, "3>a 2>a");
    // Polls of one worker add up.
    check("a/aws/x/9/1 a/aws/x/9/1", "x//0 x//0 x//0", 9, "1>a 2>a");
}

#[test]
fn offline_unknown_and_full_workers_get_nothing() {
    let (mut state, idle) = given("a/aws/x/1/5", "x//0 x//0");
    let stranger = [Waiting { worker: WorkerId::new("nobody"), slots: 3 }];
    assert_eq!(grants(&state, &stranger, 9), vec![]);
    let given_out = grants(&state, &idle, 9);
    assert_eq!(given_out.len(), 1);
    run(&mut state, Command::Assign { grants: given_out, lease_ms: 10 });
    assert_eq!(grants(&state, &idle, 9), vec![], "the worker is full");
    run(&mut state, Command::DeregisterWorker { worker: WorkerId::new("a") });
    assert_eq!(state.task(TaskId(1)).map(|task| task.state.is_active()), Some(false));
    assert_eq!(grants(&state, &idle, 9), vec![], "the worker is offline");
}
