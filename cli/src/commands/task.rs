//! `farquorum task`: single tasks.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use farquorum_client::{ClientError, Tasks};
use farquorum_proto::v1::{self, ListTasksRequest, TaskSpec, TaskState};
use serde::Serialize;

use super::cluster::Connection;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show, rows};
use crate::runtime;

/// Between two looks at a task that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `farquorum task`
#[derive(Debug, Args)]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Submit a task
    Submit(SubmitArgs),
    /// Print a task
    Get {
        /// Its id
        id: u64,
    },
    /// List tasks in order of id
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<StateArg>,
        /// Only those of this worker
        #[arg(long, default_value = "", hide_default_value = true)]
        worker: String,
        /// Only those of this job
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        job: u64,
    },
    /// Take a task back
    Cancel {
        /// Its id
        id: u64,
    },
}

#[derive(Debug, Args)]
struct SubmitArgs {
    /// Kind: command, matmul, storage-check, or another that a worker runs (`farquorum worker list`)
    kind: String,
    /// JSON for that kind, such as '{"argv": ["uname", "-a"]}'
    payload: String,
    /// Prefer workers of this cloud
    #[arg(long, default_value = "", hide_default_value = true)]
    cloud: String,
    /// Only this worker may run it; it waits while that one is away
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ID")]
    worker: String,
    /// Higher runs first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Further attempts after a failed one
    #[arg(long)]
    retries: Option<u32>,
    /// Longest run of one attempt; without it tasks.timeout_s of the configuration
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "MS")]
    timeout_ms: u64,
    /// The same key and task twice is one task
    #[arg(long, default_value = "", hide_default_value = true)]
    key: String,
    /// Wait until it is over; exit code 1 when it failed
    ///
    /// As long as it takes, or as --timeout says: then, and after Ctrl-C, the task goes on.
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    Pending,
    Assigned,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl From<StateArg> for TaskState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Pending => Self::Pending,
            StateArg::Assigned => Self::Assigned,
            StateArg::Running => Self::Running,
            StateArg::Completed => Self::Completed,
            StateArg::Failed => Self::Failed,
            StateArg::Cancelled => Self::Cancelled,
        }
    }
}

/// A task as it is printed.
#[derive(Serialize)]
struct Row {
    id: u64,
    kind: String,
    state: &'static str,
    worker: String,
    attempt: u64,
    cloud: String,
    /// The only worker that may run it; empty for any.
    only_worker: String,
    priority: i32,
    job: u64,
    retries_left: u32,
    created_ms: u64,
    assigned_ms: u64,
    started_ms: u64,
    finished_ms: u64,
    error: String,
    /// As JSON where it is JSON.
    result: serde_json::Value,
}

impl From<v1::Task> for Row {
    fn from(task: v1::Task) -> Self {
        let state = state_name(task.state());
        let spec = task.spec.unwrap_or_default();
        let result = serde_json::from_slice(&task.result).unwrap_or_else(|_| match task.result.len() {
            0 => serde_json::Value::Null,
            length => serde_json::Value::String(format!("{length} bytes")),
        });
        Self {
            state,
            result,
            id: task.id,
            kind: spec.kind,
            worker: task.worker,
            attempt: task.attempt,
            cloud: spec.cloud_affinity,
            only_worker: spec.worker,
            priority: spec.priority,
            job: task.job,
            retries_left: task.retries_left,
            created_ms: task.created_ms,
            assigned_ms: task.assigned_ms,
            started_ms: task.started_ms,
            finished_ms: task.finished_ms,
            error: task.error,
        }
    }
}

fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Pending => "pending",
        TaskState::Assigned => "assigned",
        TaskState::Running => "running",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
        TaskState::Unspecified => "unknown",
    }
}

impl Show for Row {
    fn table(&self) -> String {
        let mut lines = vec![
            format!("task      {}", self.id),
            format!("kind      {}", self.kind),
            format!("state     {}", self.state),
        ];
        if !self.only_worker.is_empty() {
            lines.push(format!("only on   {}", self.only_worker));
        }
        if self.attempt > 0 {
            lines.push(format!("worker    {} (attempt {})", self.worker, self.attempt));
        }
        if !self.error.is_empty() {
            lines.push(format!("error     {}", self.error));
        }
        if !self.result.is_null() {
            lines.push(format!("result    {}", self.result));
        }
        lines.join("\n")
    }
}

#[derive(Serialize)]
struct Rows {
    tasks: Vec<Row>,
}

impl Show for Rows {
    fn table(&self) -> String {
        let row = |task: &Row| {
            [
                task.id.to_string(),
                task.kind.clone(),
                task.state.to_owned(),
                task.worker.clone(),
                if task.job == 0 { String::new() } else { task.job.to_string() },
                task.error.clone(),
            ]
        };
        rows(["TASK", "KIND", "STATE", "WORKER", "JOB", "ERROR"], self.tasks.iter().map(row))
    }
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: TaskArgs) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Submit(args) => submit(global, args)?,
        Verb::List { state, worker, job } => runtime::block_on(async {
            list(global, &Connection::open(global).await?, state, worker, job).await
        })?,
        Verb::Get { id } => show(global, async |tasks| Ok(tasks.get(id).await?.task))?,
        Verb::Cancel { id } => show(global, async |tasks| Ok(tasks.cancel(id).await?.task))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the task that a call answers.
fn show(
    global: &Global,
    call: impl AsyncFnOnce(Tasks) -> Result<Option<v1::Task>, ClientError>,
) -> Result<(), Failure> {
    let task = runtime::block_on(async { Ok(call(Connection::open(global).await?.cluster.tasks()).await?) })?;
    output::print(global.output, &Row::from(task.unwrap_or_default()))
}

fn submit(global: &Global, args: SubmitArgs) -> Result<(), Failure> {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&args.payload) {
        return Err(Failure::usage(format!("the payload is not JSON: {error}")));
    }
    let spec = TaskSpec {
        kind: args.kind,
        payload: args.payload.into(),
        cloud_affinity: args.cloud,
        priority: args.priority,
        retries: args.retries,
        timeout_ms: args.timeout_ms,
        idempotency_key: args.key,
        worker: args.worker,
    };
    let submitted = runtime::block_on(async {
        Ok(Connection::open(global).await?.cluster.tasks().submit(spec).await?.task.unwrap_or_default())
    })?;
    let task = if args.wait { wait(global, submitted)? } else { submitted };
    let failed = matches!(task.state(), TaskState::Failed | TaskState::Cancelled);
    let row = Row::from(task);
    output::print(global.output, &row)?;
    if failed {
        Err(Failure::failed(format!("task {} {}: {}", row.id, row.state, row.error)))
    } else {
        Ok(())
    }
}

/// Waits for a task that goes on without this command.
fn wait(global: &Global, task: v1::Task) -> Result<v1::Task, Failure> {
    let id = task.id;
    output::say_aside(&format!("task {id} is submitted; waiting until it is over"));
    let waited = runtime::block_on(async {
        let connection = Connection::open(global).await?;
        let over = until_over(&connection, task);
        let Some(limit) = global.limit() else { return Ok(over.await?) };
        let late = |_| {
            let message = format!("task {id} is not over within {} s; it goes on", limit.as_secs_f64());
            Failure::new(Kind::NotAvailable, message)
        };
        Ok(tokio::time::timeout(limit, over).await.map_err(late)??)
    });
    waited.map_err(|failure| {
        let failure = match failure.kind() {
            Kind::Interrupted => {
                Failure::new(Kind::Interrupted, format!("task {id} goes on without this command"))
            }
            _ => failure,
        };
        failure.hint(format!("farquorum task get {id}, or farquorum task cancel {id}"))
    })
}

/// Looks at the task until it is over.
pub(super) async fn until_over(connection: &Connection, mut task: v1::Task) -> Result<v1::Task, ClientError> {
    let is_over = |state| matches!(state, TaskState::Completed | TaskState::Failed | TaskState::Cancelled);
    while !is_over(task.state()) {
        tokio::time::sleep(LOOK_EVERY).await;
        task = connection.cluster.tasks().get(task.id).await?.task.unwrap_or_default();
    }
    Ok(task)
}

async fn list(
    global: &Global,
    connection: &Connection,
    state: Option<StateArg>,
    worker: String,
    job: u64,
) -> Result<(), Failure> {
    let state = state.map_or(TaskState::Unspecified, TaskState::from);
    let mut request =
        ListTasksRequest { state: state.into(), worker, job, page_size: 1000, page_token: String::new() };
    let mut tasks = Vec::new();
    loop {
        let page = connection.cluster.tasks().list(request.clone()).await?;
        tasks.extend(page.tasks.into_iter().map(Row::from));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    output::print(global.output, &Rows { tasks })
}
