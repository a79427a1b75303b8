//! The words of a script line: a verb, positional words, and `name=value` options.
//!
//! `at MS`; `submit KIND payload= cloud= prio= retries= key= worker=` (several: apart by ` ; `); `assign TASK>WORKER.. lease=`;
//! `start|complete|fail WORKER TASK@ATTEMPT ..`; `cancel TASK`; `expire TASK@ATTEMPT..`; `extend lease=`;
//! `register WORKER cloud= capacity= kinds=`; `heartbeat WORKER TASK@ATTEMPT.. lease=`; `mark WORKER STATE seen=`;
//! `deregister WORKER`; `job inputs= reducers= output= kind= key=`; `canceljob JOB`; `set|del|cas KEY ..`;
//! `retain before= keep= max=`; `garbage TEXT`; and the queries in `mod.rs`.

use farquorum_core::{
    Attempt, AttemptRef, Command, Grant, InputSplit, JobId, JobSpec, Millis, TaskId, TaskSpec, WorkerId,
    WorkerState, work,
};

pub(crate) struct Line<'a> {
    pub(crate) verb: &'a str,
    pub(crate) words: Vec<&'a str>,
    options: Vec<(&'a str, &'a str)>,
    text: &'a str,
}

impl<'a> Line<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut line = Self { verb: "", words: vec![], options: vec![], text };
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(option) => line.options.push(option),
                None if line.verb.is_empty() => line.verb = word,
                None => line.words.push(word),
            }
        }
        line
    }

    pub(crate) fn number(&self, place: usize) -> u64 {
        self.words[place].parse().unwrap_or_else(|_| panic!("a number at word {place} of {:?}", self.text))
    }

    pub(crate) fn option(&self, name: &str) -> Option<&'a str> {
        self.options.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub(crate) fn value(&self, name: &str, otherwise: u64) -> u64 {
        self.option(name).map_or(otherwise, |value| value.parse().unwrap())
    }

    pub(crate) fn command(&self) -> Command {
        let lease_ms = self.value("lease", 100);
        match self.verb {
            "submit" => Command::SubmitTasks { specs: self.text[6..].split(" ; ").map(task_spec).collect() },
            "assign" => {
                Command::Assign { grants: self.words.iter().map(|word| grant(word)).collect(), lease_ms }
            }
            "start" => Command::Start { worker: self.worker(), attempt: attempt(self.words[1]) },
            "complete" => {
                let result =
                    self.option("report").map_or_else(|| self.bytes("result"), |text| self.report(text));
                Command::Complete { worker: self.worker(), attempt: attempt(self.words[1]), result }
            }
            "fail" => {
                let (error, retryable) = (self.words[2].to_owned(), self.words.get(3) != Some(&"final"));
                Command::Fail { worker: self.worker(), attempt: attempt(self.words[1]), error, retryable }
            }
            "cancel" => Command::Cancel { task: TaskId(self.number(0)) },
            "expire" => Command::Expire { attempts: self.words.iter().map(|word| attempt(word)).collect() },
            "extend" => Command::ExtendLeases { lease_ms },
            "register" => self.register(),
            "heartbeat" => Command::Heartbeat {
                worker: self.worker(),
                cpu_milli: 250,
                memory_bytes: 4096,
                attempts: self.words[1..].iter().map(|word| attempt(word)).collect(),
                lease_ms,
            },
            "mark" => {
                let states = [WorkerState::Healthy, WorkerState::Suspect, WorkerState::Offline];
                let named = |state: &WorkerState| state.to_string() == self.words[1];
                let state = states.into_iter().find(named).unwrap();
                Command::MarkWorker { worker: self.worker(), state, last_seen: Millis(self.value("seen", 0)) }
            }
            "deregister" => Command::DeregisterWorker { worker: self.worker() },
            "job" => Command::SubmitJob { spec: self.job() },
            "canceljob" => Command::CancelJob { job: JobId(self.number(0)) },
            "set" => Command::KvSet { key: self.words[0].into(), value: self.words[1].into() },
            "del" => Command::KvDelete { key: self.words[0].into() },
            "cas" => {
                let expected = Some(self.words[1]).filter(|word| *word != "-").map(Into::into);
                Command::KvCompareAndSet { key: self.words[0].into(), expected, value: self.words[2].into() }
            }
            "retain" => Command::Retain {
                finished_before: Millis(self.value("before", 0)),
                keep_max: self.value("keep", 1000),
                drop_max: self.value("max", 1000),
            },
            verb => panic!("{verb:?} is no verb of the scripts, in {:?}", self.text),
        }
    }

    fn worker(&self) -> WorkerId {
        WorkerId::new(self.words.first().unwrap_or(&""))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        self.option(name).unwrap_or_default().into()
    }

    fn string(&self, name: &str) -> String {
        self.option(name).unwrap_or_default().to_owned()
    }

    fn register(&self) -> Command {
        Command::RegisterWorker {
            worker: self.worker(),
            address: format!("{}:8080", self.worker()),
            cloud: self.string("cloud"),
            region: String::new(),
            capacity: self.value("capacity", 1) as u32,
            kinds: self.option("kinds").unwrap_or("x").split(',').map(str::to_owned).collect(),
        }
    }

    fn job(&self) -> JobSpec {
        let inputs = self.option("inputs").unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let input = |name: &str| InputSplit { url: name.into(), length: 10, cloud: "aws".into(), offset: 0 };
        JobSpec {
            kind: self.option("kind").unwrap_or("wordcount").into(),
            inputs: inputs.map(input).collect(),
            output: self.option("output").unwrap_or("s3://out").into(),
            reducers: self.value("reducers", 1) as u32,
            idempotency_key: self.string("key"),
        }
    }

    /// `PARTITION:URL,..`; ten bytes in and one out for each object.
    fn report(&self, text: &str) -> Vec<u8> {
        let object = |text: &str| {
            let (partition, url) = text.split_once(':').unwrap();
            let partition = partition.parse().unwrap();
            work::Object {
                url: url.into(),
                length: 1,
                sha256: vec![7; self.value("sha", 32) as usize],
                partition,
            }
        };
        let objects: Vec<_> = text.split(',').filter(|text| !text.is_empty()).map(object).collect();
        let count = objects.len() as u64;
        minicbor::to_vec(work::Report { objects, bytes_in: count * 10, bytes_out: count }).unwrap()
    }
}

fn task_spec(text: &str) -> TaskSpec {
    let line = Line::new(text);
    TaskSpec {
        kind: line.verb.into(),
        payload: line.bytes("payload"),
        cloud_affinity: line.string("cloud"),
        priority: line.option("prio").map_or(0, |value| value.parse().unwrap()),
        retries: line.value("retries", 0) as u32,
        timeout_ms: 1000,
        idempotency_key: line.string("key"),
        worker: line.option("worker").map(WorkerId::new),
    }
}

fn attempt(text: &str) -> AttemptRef {
    let (task, attempt) = text.split_once('@').unwrap_or_else(|| panic!("TASK@ATTEMPT, not {text:?}"));
    AttemptRef { task: TaskId(task.parse().unwrap()), attempt: Attempt(attempt.parse().unwrap()) }
}

fn grant(text: &str) -> Grant {
    let (task, worker) = text.split_once('>').unwrap_or_else(|| panic!("TASK>WORKER, not {text:?}"));
    Grant { task: TaskId(task.parse().unwrap()), worker: WorkerId::new(worker) }
}
