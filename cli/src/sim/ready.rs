//! When a simulation is ready: every process runs, one node leads, every worker is registered.

use std::time::{Duration, Instant};

use farquorum_client::{ClientError, Context};
use farquorum_proto::v1::{ListWorkersResponse, WorkerState};

use super::folder::Folder;
use super::protocol::{Request, Response};
use super::report::HostPlan;
use super::socket::ask;
use crate::commands::cluster::Connection;
use crate::failure::{Failure, Kind};

/// NODE-2 asks for a leader within 10 s; a loaded machine gets six times that before it is called a failure.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// The same where nodes are machines that boot first, with an emulated processor on a computer that has other work.
const READY_TIMEOUT_MACHINES: Duration = Duration::from_secs(300);

/// How long one question to a cluster that is just starting may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Lines of a log in a message: the last says why, and earlier starts' are of no use here.
const LOG_TAIL: usize = 3;

/// Waits until the cluster serves; `machines`: its nodes are virtual machines.
pub(crate) fn wait(folder: &Folder, hosts: &[HostPlan], machines: bool) -> Result<(), Failure> {
    let patience = if machines { READY_TIMEOUT_MACHINES } else { READY_TIMEOUT };
    let workers = hosts.iter().filter(|host| host.role == "worker").count();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let until = Instant::now() + patience;
        let connection = connection(folder).await?;
        loop {
            all_run(folder)?;
            let answer = connection.cluster.workers().list().await;
            // After a restart the workers of the last run are still listed: only the nodes' own answers tell that none
            // of them is missing.
            let registered = answer.as_ref().is_ok_and(|list| healthy(list) >= workers);
            if registered && connection.statuses().await.iter().all(|(_, status)| status.is_ok()) {
                return Ok(());
            }
            if Instant::now() > until {
                let missing = missing(&answer, workers);
                return Err(Failure::new(
                    Kind::NotAvailable,
                    format!("not ready after {} s: {missing}", patience.as_secs()),
                )
                .hint("farquorum sim logs HOST"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

async fn connection(folder: &Folder) -> Result<Connection, Failure> {
    let context = Context::load(&folder.context())
        .map_err(|error| Failure::new(Kind::NotAvailable, error).hint("make sim-up starts a simulation"))?;
    Connection::to(context, QUESTION_TIMEOUT).await
}

fn missing(answer: &Result<ListWorkersResponse, ClientError>, workers: usize) -> String {
    match answer {
        Ok(list) if healthy(list) >= workers => "not every node answers".to_owned(),
        Ok(list) => format!("{} of {workers} workers are registered", healthy(list)),
        Err(error) => error.to_string(),
    }
}

fn healthy(list: &ListWorkersResponse) -> usize {
    list.workers.iter().filter(|worker| worker.state() == WorkerState::Healthy).count()
}

/// A process that ended at its start will not come back: say which, and the end of its log.
fn all_run(folder: &Folder) -> Result<(), Failure> {
    let Response::Status(status) = ask(&folder.socket()?, &Request::Status)? else { return Ok(()) };
    let Some(host) = status.hosts.iter().find(|host| host.state.starts_with("stopped (")) else {
        return Ok(());
    };
    let log = std::fs::read_to_string(folder.log(&host.name)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(LOG_TAIL)..).unwrap_or_default().join("\n");
    Err(Failure::failed(format!("{} {}; the end of its log:\n{tail}", host.name, host.state)).hint(
        "`farquorum sim logs` shows all of it; --fresh deletes this simulation's data and starts anew, \
         another --name starts anew beside it",
    ))
}

/// Name of the node that leads.
pub(crate) fn leader(folder: &Folder) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let leader = connection(folder).await?.leader().await;
        leader.ok_or_else(|| Failure::new(Kind::NotAvailable, "no node leads at the moment"))
    })
}
