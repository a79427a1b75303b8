//! Watching a job: a progress bar with stage, tasks and time left on a terminal, silence elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use farquorum_proto::v1::{Job, JobState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::cluster::Connection;
use super::job::get;
use super::job_view::state_name;
use crate::failure::{Failure, Kind};
use crate::output::bytes;

/// Between two looks: four a second are smooth enough and cost the cluster nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long the cluster may be without an answer before watching gives up: several elections.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at a job until it is over; `seen` gets every look. A cluster without a leader is waited for.
pub(crate) async fn until_over(
    connection: &Connection,
    id: u64,
    mut seen: impl FnMut(&Job),
) -> Result<Job, Failure> {
    let bar = bar("{spinner} {prefix:8} [{bar:30}] {pos}/{len} tasks  {msg}  {elapsed} (left {eta})");
    let mut answered = tokio::time::Instant::now();
    loop {
        match get(connection, id).await {
            Ok(job) => {
                answered = tokio::time::Instant::now();
                show(&bar, &job);
                seen(&job);
                if matches!(job.state(), JobState::Completed | JobState::Failed | JobState::Cancelled) {
                    bar.finish_and_clear();
                    return Ok(job);
                }
            }
            Err(failure) if failure.kind() == Kind::NotAvailable && answered.elapsed() < PATIENCE => {
                bar.set_message("no leader answers, waiting");
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn show(bar: &ProgressBar, job: &Job) {
    let total: u64 = job.stages.iter().map(|stage| u64::from(stage.tasks)).sum();
    let done: u64 = job.stages.iter().map(|stage| u64::from(stage.completed)).sum();
    let read: u64 = job.stages.iter().map(|stage| stage.bytes_in).sum();
    bar.set_prefix(state_name(job.state()));
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(format!("{} read", bytes(read)));
}

/// A bar that counts bytes.
pub(crate) fn bytes_bar(what: &'static str) -> ProgressBar {
    let bar = bar("{spinner} {prefix:8} [{bar:30}] {bytes}/{total_bytes}  {bytes_per_sec} (left {eta})");
    bar.set_prefix(what);
    bar
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn bar(template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
