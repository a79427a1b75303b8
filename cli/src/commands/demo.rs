//! `farquorum demo`: the whole product in a minute. A simulation of three clouds, a word count over real text, the
//! leader killed when half of the map tasks are done, the result compared byte for byte with a single process, what
//! crossed each pair of clouds, and nothing left behind.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use farquorum_client::Context;
use farquorum_proto::v1::Job;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::cluster::Connection;
use super::demo_writer::{Window, Writer};
use super::{job, job_watch, reference};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Show, bytes, not_valid, rows, write_line};
use crate::runtime;
use crate::sim::{self, Folder, LinkStatus, Lock, Request, Response, UpArgs, Watch};

/// Name of the demonstration's simulation: it does not disturb another one.
const NAME: &str = "demo";

/// Reduce tasks, and so parts of the result.
const REDUCERS: u32 = 3;

/// Map tasks at least, so that half of them is in the middle of something.
const MAP_TASKS: u64 = 48;

/// `farquorum demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// File or folder with text
    #[arg(long)]
    input: PathBuf,
    /// Leave the simulation running at the end
    #[arg(long)]
    keep: bool,
}

/// Runs the demonstration; exit code 1 when the result is not the reference.
pub(crate) fn run(global: &Global, args: &DemoArgs) -> Result<ExitCode, Failure> {
    let input = args.input.canonicalize().map_err(|error| {
        Failure::usage(format!("--input {}: {error}", args.input.display()))
            .hint("any file or folder with text")
    })?;
    let say = |text: &str| if global.output == Format::Table { write_line(text) } else { Ok(()) };
    say("1. three clouds, three nodes, four workers, an S3 store, joined by an emulated WAN")?;
    let up = sim::up(global, NAME, &UpArgs { fresh: true, ..UpArgs::default() }).map_err(interrupted)?;
    let result = runtime::block_on(act(&up.folder, &input, &say));
    let report = match result {
        Ok(report) => report,
        Err(failure) => {
            sim::take_down(&up.folder, true)?;
            return Err(failure);
        }
    };
    output::print(global.output, &report)?;
    if args.keep {
        say(&format!("\nthe simulation goes on: farquorum sim down --name {NAME}"))?;
    } else {
        sim::take_down(&up.folder, true)?;
        say("\n6. stopped; nothing is left behind")?;
    }
    if report.identical {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::failed("the job's result is not what a single process counts"))
}

/// An interrupted start leaves no folder; one that failed leaves its logs.
fn interrupted(failure: Failure) -> Failure {
    if failure.kind() == Kind::Interrupted {
        let _undeleted = Folder::named(NAME).and_then(|folder| Lock::take(&folder)?.purge());
    }
    failure
}

async fn act(
    folder: &Folder,
    input: &std::path::Path,
    say: &impl Fn(&str) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let context = Context::load(&folder.context()).map_err(Failure::failed)?;
    let connection = Connection::to(context, Duration::from_secs(10)).await?;
    let text = input.to_owned();
    // Away from the runtime's own thread, which listens for the interrupt.
    let counted = tokio::task::spawn_blocking(move || reference::count(&text));
    let expected = counted.await.map_err(Failure::failed)??;
    let total = size(input)?;
    let plan = job::Plan {
        input: input.display().to_string(),
        output: format!("{}/demo", connection.store()?.bucket_url()),
        reducers: REDUCERS,
        split_bytes: (total / MAP_TASKS).max(1),
    };
    let id = job::submit(&connection, &plan).await?;
    say(&format!("2. job {id}: counting the words of {} ({})", input.display(), bytes(total)))?;

    let watch = Watch::begin(&folder.socket()?)?;
    let stop = CancellationToken::new();
    let writer = tokio::spawn(Writer::new(connection.cluster.clone()).run(stop.clone()));
    let killed = kill_leader_half_way(folder, &connection, id, say).await?;
    let job = job_watch::until_over(&connection, id, |_| ()).await?;
    stop.cancel();
    let window = writer.await.map_err(Failure::failed)?;
    let invalid_reasons = watch.end(&folder.socket()?)?.doubts;

    let parts = fetch(&connection, &job).await?;
    let identical = parts == reference::parts(&expected, REDUCERS);
    let mut top: Vec<(String, u64)> = expected.into_iter().collect();
    top.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    top.truncate(10);
    let failed_attempts = job.stages.iter().map(|stage| stage.failed_attempts).sum();
    let took_ms = job.finished_ms.saturating_sub(job.created_ms);
    Ok(Report {
        identical,
        parts: parts.len(),
        killed,
        took_ms,
        failed_attempts,
        window,
        top,
        links: links(folder)?,
        invalid_reasons,
    })
}

/// Waits until half of the map tasks are done, then kills the node that leads.
async fn kill_leader_half_way(
    folder: &Folder,
    connection: &Connection,
    id: u64,
    say: &impl Fn(&str) -> Result<(), Failure>,
) -> Result<String, Failure> {
    loop {
        let job = job::get(connection, id).await?;
        let map = job.stages.first().cloned().unwrap_or_default();
        if map.completed * 2 >= map.tasks {
            let leader = connection.leader().await.ok_or_else(|| Failure::failed("no node leads"))?;
            sim::ask(&folder.socket()?, &Request::Kill { host: leader.clone() })?;
            say(&format!(
                "3. {} of {} map tasks are done: killed {leader}, which led",
                map.completed, map.tasks
            ))?;
            return Ok(leader);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn fetch(connection: &Connection, job: &Job) -> Result<Vec<Vec<u8>>, Failure> {
    if job.parts.is_empty() {
        return Err(Failure::failed(format!("job {} did not complete: {}", job.id, job.error)));
    }
    let store = connection.store()?;
    let mut parts = Vec::new();
    for url in &job.parts {
        parts.push(store.get(url, PART_BYTES_MAX).await.map_err(Failure::failed)?.to_vec());
    }
    Ok(parts)
}

/// A part of the demonstration's result is a few MiB; it is held in memory.
const PART_BYTES_MAX: u64 = 1 << 30;

fn size(path: &std::path::Path) -> Result<u64, Failure> {
    if !std::fs::symlink_metadata(path)?.is_dir() {
        // As the upload takes it: a link counts when it leads to a file.
        return Ok(std::fs::metadata(path)
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map_or(0, |file| file.len()));
    }
    let mut total = 0;
    for entry in std::fs::read_dir(path)? {
        total += size(&entry?.path())?;
    }
    Ok(total)
}

fn links(folder: &Folder) -> Result<Vec<LinkStatus>, Failure> {
    match sim::ask(&folder.socket()?, &Request::Status)? {
        Response::Status(status) => {
            Ok(status.links.into_iter().filter(|link| link.from != link.to).collect())
        }
        other => Err(Failure::failed(format!("the supervisor answered {other:?}"))),
    }
}

#[derive(Serialize)]
struct Report {
    /// Whether every part equals the reference byte for byte.
    identical: bool,
    parts: usize,
    /// The leader that was killed.
    killed: String,
    /// From submit to published, ms.
    took_ms: u64,
    failed_attempts: u32,
    window: Window,
    /// Most frequent words.
    top: Vec<(String, u64)>,
    /// Links between clouds, with what crossed them.
    links: Vec<LinkStatus>,
    /// Why the times do not count; empty when they do.
    invalid_reasons: Vec<String>,
}

impl Show for Report {
    fn table(&self) -> String {
        let verdict = if self.identical { "equal to" } else { "NOT equal to" };
        let words =
            rows(["WORD", "COUNT"], self.top.iter().map(|(word, count)| [word.clone(), count.to_string()]));
        let link = |link: &LinkStatus| {
            [
                link.from.clone(),
                link.to.clone(),
                bytes(link.bytes),
                link.packets.to_string(),
                link.dropped.to_string(),
            ]
        };
        let links = rows(["FROM", "TO", "DELIVERED", "PACKETS", "DROPPED"], self.links.iter().map(link));
        format!(
            "4. published after {:.1} s, {} attempts lost on the way; {} parts, byte for byte {verdict} a single process\
             \n   writes: {} acknowledged; none for {} ms after {} was killed\n\n{words}\n\n5. what crossed the clouds\n\n{links}{}",
            std::time::Duration::from_millis(self.took_ms).as_secs_f64(),
            self.failed_attempts,
            self.parts,
            self.window.acknowledged,
            self.window.longest_ms,
            self.killed,
            not_valid(&self.invalid_reasons),
        )
    }
}
