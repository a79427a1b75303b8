//! `farquorum sim play`: a timed list of changes and faults with expectations, so that another person can repeat an
//! experiment. The command keeps the time; what a scenario has changed stays when it ends or is interrupted, unless it
//! undoes it.
//!
//! Limits: an expectation is waited for, and what is due meanwhile comes late, in order.

mod script;
mod timeline;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use farquorum_client::{ClientError, Context};

use self::script::{Action, Expectation, Script, Step};
use self::timeline::{Act, Timed};
use super::folder::Folder;
use super::protocol::{HostStatus, LEADER, Request, Response};
use super::ready;
use super::socket::ask;
use super::watch::Watch;
use crate::commands::cluster::Connection;
use crate::failure::{Failure, Kind};
use crate::{output, runtime};

/// Scenarios that ship, by name.
const SHIPPED: [(&str, &str); 3] = [
    ("region-loss", include_str!("../../../scenarios/region-loss.yaml")),
    ("brown-out", include_str!("../../../scenarios/brown-out.yaml")),
    ("flapping-link", include_str!("../../../scenarios/flapping-link.yaml")),
];

/// Longest file that is read: a thousand steps of a thousand characters.
const FILE_BYTES_MAX: u64 = 1_000_000;

/// Key that expectations write to.
const KEY: &str = "scenario/expectation";

/// Longest wait for one write, when an expectation has more time: then it is tried again.
const TRY: Duration = Duration::from_secs(2);

/// `sim play`
#[derive(Debug, Args)]
pub(crate) struct PlayArgs {
    /// region-loss, brown-out, flapping-link, or a YAML file
    scenario: String,
}

/// Plays a scenario; fails at the first expectation that does not hold.
pub(crate) fn run(folder: &Folder, args: &PlayArgs) -> Result<ExitCode, Failure> {
    let refuse = |why: String| Failure::usage(format!("{}: {why}", args.scenario));
    let script = script::parse(&text(&args.scenario)?).map_err(refuse)?;
    // From the first line on an interrupt is answered.
    runtime::hold_interrupts()?;
    output::write_line(&script.name)?;
    let control = folder.socket()?;
    let watch = Watch::begin(&control)?;
    let played = runtime::block_on(play(folder, &script));
    forget(folder, &script);
    match watch.end(&control) {
        Ok(watched) => {
            watched.doubts.iter().try_for_each(|why| output::write_line(&format!("NOT VALID: {why}")))?;
        }
        // What failed before says more.
        Err(failure) => played.as_ref().map_or(Ok(()), |()| Err(failure))?,
    }
    played.map(|()| ExitCode::SUCCESS).map_err(|failure| match failure.kind() {
        Kind::Interrupted => Failure::new(
            Kind::Interrupted,
            "interrupted: what the scenario has changed stays so, and what it stopped stays stopped",
        )
        .hint("farquorum sim status shows it; farquorum sim heal undoes cuts, farquorum sim restart starts a host"),
        _ => failure,
    })
}

/// Does everything at its time, and says what.
async fn play(folder: &Folder, script: &Script) -> Result<(), Failure> {
    let mut player = Player { folder, fallen: None };
    let mut steps: Vec<&Step> = script.steps.iter().collect();
    steps.sort_by_key(|step| step.at);
    let mut steps = steps.into_iter().peekable();
    let start = Instant::now();
    for Timed { at, act } in timeline::expand(script) {
        tokio::time::sleep(at.saturating_sub(start.elapsed())).await;
        while let Some(step) = steps.next_if(|step| step.at <= at) {
            if let Some(words) = step.action.words() {
                output::write_line(&format!("at {:.1} s: {words}", step.at.as_secs_f64()))?;
            }
        }
        match act {
            // Naming the leader makes a runtime of its own.
            Act::Ask(request) => tokio::task::block_in_place(|| player.ask(request))?,
            Act::Expect(expectation) => {
                let took = player.expect(&expectation).await?;
                let (at, took) = (at.as_secs_f64(), took.as_secs_f64());
                output::write_line(&format!("at {at:.1} s: {} (after {took:.2} s)", words(&expectation)))?;
            }
        }
    }
    Ok(())
}

/// Deletes the key that expectations wrote to; one that cannot be deleted now is written anew by the next scenario.
fn forget(folder: &Folder, script: &Script) {
    if script.steps.iter().any(|step| matches!(step.action, Action::Expect(_))) {
        let _stays = runtime::block_on(async {
            let context = Context::load(&folder.context()).map_err(Failure::usage)?;
            Ok(Connection::to(context, TRY).await?.cluster.kv().delete(KEY).await?)
        });
    }
}

/// The text of a scenario that ships, or of a file.
fn text(scenario: &str) -> Result<String, Failure> {
    if let Some((_, text)) = SHIPPED.iter().find(|(name, _)| *name == scenario) {
        return Ok((*text).to_owned());
    }
    let names = SHIPPED.map(|(name, _)| name).join(", ");
    let refuse = |why: String| {
        Failure::usage(format!("{scenario}: {why}")).hint(format!("a YAML file, or one of {names}"))
    };
    let size = std::fs::metadata(Path::new(scenario)).map_err(|error| refuse(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refuse(format!("has {size} bytes; a scenario has at most {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(scenario).map_err(|error| refuse(error.to_string()))
}

fn words(expectation: &Expectation) -> String {
    match expectation {
        Expectation::WriteWithinS(_) => "a write was acknowledged".to_owned(),
        Expectation::NoWriteForS(_) => "no write was acknowledged".to_owned(),
    }
}

/// Whether a call failed as it does without a quorum.
fn is_unavailable(error: &ClientError) -> bool {
    matches!(error, ClientError::NotAvailable { .. } | ClientError::OutcomeUnknown { .. })
}

/// Carries out what is due.
struct Player<'a> {
    folder: &'a Folder,
    /// The node that led when it was last killed or paused.
    fallen: Option<String>,
}

impl Player<'_> {
    fn ask(&mut self, mut request: Request) -> Result<(), Failure> {
        match &mut request {
            Request::Kill { host } | Request::Pause { host } if host == LEADER => {
                *host = ready::leader(self.folder)?;
                self.fallen = Some(host.clone());
            }
            Request::Resume { host } | Request::Restart { host } if host == LEADER => {
                let none = || Failure::usage("`leader` was neither killed nor paused before");
                *host = self.fallen.clone().ok_or_else(none)?;
            }
            _ => {}
        }
        ask(&self.folder.socket()?, &request)?;
        Ok(())
    }

    /// Waits for what is expected, and says how long that took.
    async fn expect(&self, expectation: &Expectation) -> Result<Duration, Failure> {
        let start = Instant::now();
        let (Expectation::WriteWithinS(limit) | Expectation::NoWriteForS(limit)) = expectation;
        let until = start + limit.0;
        let silence = matches!(expectation, Expectation::NoWriteForS(_));
        let wrote = self.wrote_until(until, silence).await?;
        match (expectation, wrote) {
            (Expectation::WriteWithinS(_), Ok(())) => Ok(start.elapsed()),
            (Expectation::NoWriteForS(_), Err(last)) => {
                let took = start.elapsed();
                self.could_have_written(&last).await?;
                Ok(took)
            }
            (Expectation::WriteWithinS(limit), Err(why)) => {
                let seconds = limit.0.as_secs_f64();
                Err(Failure::failed(format!("expected a write within {seconds} s; the last answer: {why}")))
            }
            (Expectation::NoWriteForS(limit), Ok(())) => {
                let (seconds, took) = (limit.0.as_secs_f64(), start.elapsed().as_secs_f64());
                Err(Failure::failed(format!(
                    "expected no write for {seconds} s; one was acknowledged after {took:.2} s"
                )))
            }
        }
    }

    /// Tries to write until it is acknowledged or the time has come; then, what the last try came to. With `silence`, an
    /// answer other than that the cluster is not available ends it: that one says nothing of a quorum.
    async fn wrote_until(&self, until: Instant, silence: bool) -> Result<Result<(), String>, Failure> {
        let context = Context::load(&self.folder.context()).map_err(Failure::usage)?;
        let mut last = "none".to_owned();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Err(last));
            }
            let connection = Connection::to(context.clone(), left.min(TRY)).await?;
            match connection.cluster.kv().set(KEY, "1").await {
                Ok(_) => return Ok(Ok(())),
                Err(error) if silence && !is_unavailable(&error) => return Err(error.into()),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// That nothing was written tells something only where a write could have come through: the simulation runs, and of
    /// its nodes one that runs answers, or none does run.
    async fn could_have_written(&self, last: &str) -> Result<(), Failure> {
        let Response::Status(status) = ask(&self.folder.socket()?, &Request::Status)? else { return Ok(()) };
        let runs = |host: &&HostStatus| host.role == "node" && host.state == "running";
        let running: Vec<&str> = status.hosts.iter().filter(runs).map(|host| host.name.as_str()).collect();
        let context = Context::load(&self.folder.context()).map_err(Failure::usage)?;
        let statuses = Connection::to(context, TRY).await?.statuses().await;
        if running.is_empty() || statuses.iter().any(|(_, status)| status.is_ok()) {
            return Ok(());
        }
        let running = running.join(", ");
        Err(Failure::failed(format!(
            "no write was acknowledged, but none could have been: no node answers here, though {running} run; the last \
             answer: {last}"
        )))
    }
}
