//! `farquorum job`: map/reduce jobs. `run` uploads local input, submits, and watches; the job itself lives in the
//! cluster, so it goes on when this command goes away.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::cluster::Connection;
use super::{job_view as view, job_watch as watch, reference};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Show};
use crate::runtime;
use farquorum_proto::v1::{InputSplit, Job, JobSpec, JobState};
use farquorum_storage::{Store, join};

/// Least input of one map task: a task costs three commits, so one for a few bytes is all cost.
const SPLIT_BYTES_MIN: u64 = 1 << 10;

/// Folder below the output that holds what was uploaded for its jobs, one folder for each run.
const INPUT: &str = "_input";

/// `farquorum job`
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a job and watch it; Ctrl-C leaves it running
    Run(RunArgs),
    /// List jobs
    List,
    /// Print a job
    Get {
        /// Its id
        id: u64,
        /// Watch it until it is over
        #[arg(long)]
        follow: bool,
    },
    /// Take a job and its tasks back
    Cancel {
        /// Its id
        id: u64,
    },
    /// Print what a word count must give, by one process without map or reduce
    Reference {
        /// Local file or folder
        #[arg(long)]
        input: PathBuf,
    },
}

#[derive(Clone, Debug, ValueEnum)]
enum JobKind {
    /// How often each word occurs
    Wordcount,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// What to do
    kind: JobKind,
    /// Local file or folder, which is uploaded first, or s3://bucket/key-or-prefix (gs://, az://)
    ///
    /// Of a folder: all text files in it and in its subfolders. Links are followed to files, not to folders. What is left
    /// out is counted on standard error. The upload stays below OUTPUT/_input/, in a folder of this run's own.
    #[arg(long)]
    input: String,
    /// s3://bucket/prefix: parts and manifest appear below it; without it, a new prefix in the cluster's bucket
    #[arg(long = "output", value_name = "URL")]
    output_url: Option<String>,
    /// Reduce tasks, and so output parts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    reducers: u32,
    /// Input of one map task, at least 1024
    #[arg(long, default_value_t = farquorum_worker::SPLIT_BYTES_DEFAULT, value_name = "BYTES",
        value_parser = clap::value_parser!(u64).range(SPLIT_BYTES_MIN..))]
    split_bytes: u64,
    /// Submit and return
    #[arg(long)]
    detach: bool,
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: JobArgs) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Run(args) => run_job(global, &args),
        Verb::Reference { input } => print_reference(global, &input),
        Verb::List => {
            let list = runtime::block_on(async {
                Ok(Connection::open(global).await?.cluster.jobs().list().await?)
            })?;
            output::print(global.output, &view::Rows::from(list.jobs))?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Get { id, follow } => {
            let job = runtime::block_on(async {
                let connection = Connection::open(global).await?;
                if follow {
                    watch::until_over(&connection, id, |_| ()).await
                } else {
                    get(&connection, id).await
                }
            })?;
            finish(global, job)
        }
        Verb::Cancel { id } => {
            let job = runtime::block_on(async {
                Ok(Connection::open(global).await?.cluster.jobs().cancel(id).await?.job)
            })?;
            output::print(global.output, &view::Row::from(job.unwrap_or_default()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One job as it is now.
pub(crate) async fn get(connection: &Connection, id: u64) -> Result<Job, Failure> {
    Ok(connection.cluster.jobs().get(id).await?.job.unwrap_or_default())
}

fn run_job(global: &Global, args: &RunArgs) -> Result<ExitCode, Failure> {
    let id = runtime::block_on(async {
        let connection = Connection::open(global).await?;
        let fresh = format!("{}/jobs/{:08x}", connection.store()?.bucket_url(), rand::random::<u32>());
        let output = args.output_url.clone().unwrap_or(fresh);
        let plan = Plan {
            input: args.input.clone(),
            output,
            reducers: args.reducers,
            split_bytes: args.split_bytes,
        };
        submit(&connection, &plan).await
    })?;
    let follow = format!("farquorum job get {id} --follow");
    if args.detach {
        output::print(global.output, &Submitted { id, follow })?;
        return Ok(ExitCode::SUCCESS);
    }
    let watched =
        runtime::block_on(async { watch::until_over(&Connection::open(global).await?, id, |_| ()).await });
    match watched {
        Ok(job) => finish(global, job),
        Err(failure) if failure.kind() == Kind::Interrupted => {
            Err(Failure::new(Kind::Interrupted, format!("job {id} goes on without this command"))
                .hint(follow))
        }
        Err(failure) => Err(failure.hint(follow)),
    }
}

/// A job that nobody waits for.
#[derive(Serialize)]
struct Submitted {
    id: u64,
    /// The command that watches it.
    follow: String,
}

impl Show for Submitted {
    fn table(&self) -> String {
        format!("job {} submitted; follow it with: {}", self.id, self.follow)
    }
}

fn finish(global: &Global, job: Job) -> Result<ExitCode, Failure> {
    let state = job.state();
    let (id, error) = (job.id, job.error.clone());
    output::print(global.output, &view::Row::from(job))?;
    match state {
        JobState::Failed | JobState::Cancelled => {
            Err(Failure::failed(format!("job {id} did not complete: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What a word count is asked to do.
pub(crate) struct Plan {
    /// Local path or URL.
    pub(crate) input: String,
    /// s3://bucket/prefix
    pub(crate) output: String,
    /// Parts.
    pub(crate) reducers: u32,
    /// Input of one map task.
    pub(crate) split_bytes: u64,
}

/// Uploads local input, cuts it into splits, submits the job; gives its id.
pub(crate) async fn submit(connection: &Connection, plan: &Plan) -> Result<u64, Failure> {
    let store = connection.store()?;
    check_output(&store, &plan.output)?;
    // One per run of this command: a repeated submit is the same job, and no other one has its input.
    let run = format!("{:032x}", rand::random::<u128>());
    let urls = if plan.input.contains("://") {
        vec![plan.input.clone()]
    } else {
        let prefix = join(&join(&plan.output, INPUT), &run);
        upload(&store, Path::new(&plan.input), &prefix).await?
    };
    let splits = farquorum_worker::plan_splits(&store, &urls, plan.split_bytes, "").await?;
    let inputs = splits.into_iter().map(|split| InputSplit {
        url: split.url,
        offset: split.offset,
        length: split.length,
        cloud: split.cloud,
    });
    let spec = JobSpec {
        kind: "wordcount".to_owned(),
        inputs: inputs.collect(),
        output: plan.output.clone(),
        reducers: plan.reducers,
        idempotency_key: run,
    };
    Ok(connection.cluster.jobs().submit(spec).await?.id)
}

/// Workers write the output, so it is somewhere that all of them reach: nothing is uploaded before that is sure.
fn check_output(store: &Store, output: &str) -> Result<(), Failure> {
    let scheme = output.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_none_or(|scheme| scheme == "file") {
        return Err(Failure::usage(format!(
            "--output {output:?} is no place that every worker reaches; allowed are s3://bucket/prefix, \
             gs://bucket/prefix and az://container/prefix"
        ))
        .hint(format!("--output {}", join(store.bucket_url(), "results"))));
    }
    store.writer(&join(output, INPUT)).map(drop).map_err(Failure::from)
}

async fn upload(store: &Store, path: &Path, prefix: &str) -> Result<Vec<String>, Failure> {
    let bar = watch::bytes_bar("upload");
    let uploaded = farquorum_worker::upload(store, path, prefix, |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
    })
    .await;
    bar.finish_and_clear();
    let uploaded = uploaded?;
    let skipped = uploaded.progress.skipped;
    if skipped.total() > 0 {
        output::say_aside(&format!("skipped in {}: {skipped}", path.display()));
    }
    Ok(uploaded.urls)
}

/// How often a word occurs.
#[derive(Serialize)]
struct Word {
    word: String,
    count: u64,
}

/// In byte order of the words.
#[derive(Serialize)]
struct Words {
    words: Vec<Word>,
}

impl Show for Words {
    fn table(&self) -> String {
        self.words.iter().map(|word| format!("{}\t{}", word.word, word.count)).collect::<Vec<_>>().join("\n")
    }
}

fn print_reference(global: &Global, input: &Path) -> Result<ExitCode, Failure> {
    let counts = reference::count(input)?;
    if global.output != Format::Table {
        let mut words: Vec<Word> = counts.into_iter().map(|(word, count)| Word { word, count }).collect();
        words.sort_by(|one, other| one.word.cmp(&other.word));
        output::print(global.output, &Words { words })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = std::io::stdout().lock();
    for part in reference::parts(&counts, 1) {
        output::until_closed(out.write_all(&part))?;
    }
    Ok(ExitCode::SUCCESS)
}
