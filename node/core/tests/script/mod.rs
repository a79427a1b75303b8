//! One script's session: a state, its log index and the leader's clock.

mod parse;
mod show;

use farquorum_core::{JobId, LogIndex, Millis, Proposal, State, TaskFilter, TaskId, TaskState, WorkerId};
use parse::Line;

#[derive(Default)]
pub(crate) struct Session {
    state: State,
    index: u64,
    now: u64,
}

impl Session {
    /// Runs one line and returns what it prints. After every line the invariants must hold.
    pub(crate) fn run(&mut self, text: &str) -> Vec<String> {
        let line = Line::new(text);
        let printed = match line.verb {
            "at" => {
                self.now = line.number(0);
                vec![]
            }
            "garbage" => self.apply(line.words[0].as_bytes().to_vec()),
            "tasks" => self.tasks(&line),
            "workers" => self.state.workers().map(show::worker).collect(),
            "jobs" => self.state.jobs(JobId(0), 100).items.into_iter().map(show::job).collect(),
            "payload" => vec![show::payload(self.state.task(TaskId(line.number(0))).unwrap())],
            "keys" => self.keys(&line),
            "expired" => vec![show::attempts(&self.state.expired_leases(Millis(line.number(0)), 100))],
            "stale" => {
                let stale = self.state.stale_workers(Millis(line.number(0)), line.number(1));
                stale.map(show::worker).collect()
            }
            "least" => {
                vec![self.state.least_loaded(line.words.first().copied()).map_or("none".into(), show::worker)]
            }
            "counts" => vec![format!("{:?}", self.state.counts())],
            "snapshot" => vec![self.snapshot()],
            _ => self.apply(Proposal { now: Millis(self.now), command: line.command() }.encode()),
        };
        self.state.check_invariants().unwrap_or_else(|broken| panic!("after {text:?}: {broken}"));
        printed
    }

    fn apply(&mut self, bytes: Vec<u8>) -> Vec<String> {
        self.index += 1;
        let before = self.state.clone();
        let result = match self.state.apply_bytes(LogIndex(self.index), &bytes) {
            Ok(result) => result,
            Err(unreadable) => {
                assert_eq!(self.state, before);
                return vec![format!("{}: STOPPED {unreadable}", self.index)];
            }
        };
        if result.is_err() {
            let counts = (before.counts(), before.tasks(&TaskFilter::default(), TaskId(0), 1000));
            assert_eq!(
                counts,
                (self.state.counts(), self.state.tasks(&TaskFilter::default(), TaskId(0), 1000))
            );
        }
        vec![format!("{}: {}", self.index, show::result(&result))]
    }

    fn tasks(&self, line: &Line<'_>) -> Vec<String> {
        let filter = TaskFilter {
            state: line.option("state").map(|name| {
                use TaskState::{Assigned, Cancelled, Completed, Failed, Pending, Running};
                let states = [Pending, Assigned, Running, Completed, Failed, Cancelled];
                states.into_iter().find(|state| state.to_string() == name).unwrap()
            }),
            worker: line.option("worker").map(WorkerId::new),
            job: line.option("job").map(|id| JobId(id.parse().unwrap())),
        };
        let page =
            self.state.tasks(&filter, TaskId(line.value("after", 0)), line.value("limit", 100) as usize);
        let next = page.next.map(|id| format!("next {id}"));
        page.items.into_iter().map(show::task).chain(next).collect()
    }

    fn keys(&self, line: &Line<'_>) -> Vec<String> {
        let after = line.option("after").map(str::as_bytes);
        let prefix = line.option("prefix").unwrap_or_default().as_bytes();
        let page = self.state.kv_list(prefix, after, line.value("limit", 100) as usize);
        let next = page.next.map(|key| format!("next {}", show::text(&key)));
        let shown = page.items.into_iter().map(|(key, entry)| {
            format!("{} = {} @{}", show::text(key), show::text(&entry.value), entry.revision)
        });
        shown.chain(next).collect()
    }

    fn snapshot(&self) -> String {
        let bytes: Vec<u8> = self.state.write_snapshot().flatten().collect();
        let read = State::read_snapshot(&bytes).unwrap();
        assert_eq!(read, self.state);
        "read back equal".into()
    }
}
