//! The figures of MAN-8: memory of 1,000,000 live tasks, time of a clone, and the longest apply while another thread
//! writes a snapshot. Prints, asserts nothing.
//!
//! `cargo run -p farquorum-core --example million [TASKS]`

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use farquorum_core::{
    Attempt, AttemptRef, Command, Grant, LogIndex, Millis, Outcome, Proposal, State, TaskId, TaskSpec,
    WorkerId,
};

/// Tasks in one entry, as a client that submits many would send them.
const BATCH: u64 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let tasks: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let mut log = Log::default();
    log.register()?;
    let begun = now();
    for _ in 0..tasks.div_ceil(BATCH) {
        let spec = |n| TaskSpec { payload: vec![b'x'; 64], priority: i32::from(n % 3 == 0), ..spec() };
        log.apply(Command::SubmitTasks { specs: (0..BATCH).map(spec).collect() })?;
    }
    let count = log.state.pending_count();
    println!("{count} live tasks, payload 64 bytes, in {:.1?}", begun.elapsed());
    println!("resident memory {} MiB", resident_kib()? / 1024);
    let begun = now();
    let clone = log.state.clone();
    println!("clone {:.1?}", begun.elapsed());
    drop(clone);
    log.pauses("without a snapshot", || true)?;

    let (chunks, done) = (log.state.write_snapshot(), AtomicBool::new(false));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let begun = now();
            let bytes: usize = chunks.map(|chunk| chunk.len()).sum();
            done.store(true, Ordering::Release);
            (bytes, begun.elapsed())
        });
        log.pauses("while a snapshot is written", || done.load(Ordering::Acquire))?;
        let (bytes, time) = writer.join().map_err(|_| "the snapshot writer panicked")?;
        println!(
            "snapshot of {} MiB in {time:.1?}; resident memory {} MiB",
            bytes >> 20,
            resident_kib()? / 1024
        );
        Ok(())
    })
}

#[derive(Default)]
struct Log {
    state: State,
    index: u64,
    next: u64,
}

impl Log {
    fn apply(&mut self, command: Command) -> Result<Outcome, Box<dyn Error>> {
        self.index += 1;
        Ok(self.state.apply(LogIndex(self.index), &Proposal { now: Millis(self.index), command })?)
    }

    fn register(&mut self) -> Result<Outcome, Box<dyn Error>> {
        self.apply(Command::RegisterWorker {
            worker: worker(),
            address: "localhost:8080".into(),
            cloud: "aws".into(),
            region: String::new(),
            capacity: 1000,
            kinds: vec![spec().kind],
        })
    }

    /// Lives of single tasks, at least 30,000 entries and until `over`: how long the entries took.
    fn pauses(&mut self, when: &str, over: impl Fn() -> bool) -> Result<(), Box<dyn Error>> {
        let (mut times, mut own_times) = (Vec::new(), Vec::new());
        while times.len() < 30_000 || !over() {
            self.next += 1;
            let task = TaskId(self.next);
            let attempt = AttemptRef { task, attempt: Attempt(self.index + 1) };
            let grants = vec![Grant { task, worker: worker() }];
            let life = [
                Command::Assign { grants, lease_ms: 1000 },
                Command::Start { worker: worker(), attempt },
                Command::Complete { worker: worker(), attempt, result: vec![1] },
                Command::SubmitTasks { specs: vec![spec()] },
            ];
            for command in life {
                let (waited, begun) = (waited()?, now());
                self.apply(command)?;
                let time = begun.elapsed();
                times.push(time);
                own_times.push(time.saturating_sub(self::waited()?.saturating_sub(waited)));
            }
        }
        times.sort();
        let at = |share: usize| {
            times.get(times.len().saturating_sub(1) * share / 1000).copied().unwrap_or_default()
        };
        let (p50, p999, max): (Duration, Duration, Duration) = (at(500), at(999), at(1000));
        let own = own_times.into_iter().max().unwrap_or_default();
        println!(
            "apply {when}: {} entries, p50 {p50:.1?}, p99.9 {p999:.1?}, max {max:.1?}; \
             max without waiting for a processor {own:.1?}",
            times.len()
        );
        Ok(())
    }
}

fn worker() -> WorkerId {
    WorkerId::new("w")
}

fn spec() -> TaskSpec {
    TaskSpec {
        kind: "command".into(),
        payload: vec![b'x'; 64],
        retries: 3,
        timeout_ms: 1000,
        ..TaskSpec::default()
    }
}

#[allow(clippy::disallowed_methods, reason = "this measures; the crate itself has no clock")]
fn now() -> Instant {
    Instant::now()
}

/// Resident memory of this process (Linux).
fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// How long this thread was ready to run and had no processor (Linux): others on a busy machine, not our pauses.
fn waited() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split_whitespace().nth(1).ok_or("no wait time in schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
