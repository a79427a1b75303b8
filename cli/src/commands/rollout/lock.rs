//! One rollout at a time: two that take a host each would take two voters of three. A key of the cluster itself says who is
//! at it, since two operators share nothing else.

use std::time::SystemTime;

use bytes::Bytes;
use farquorum_baseline::rfc3339;
use farquorum_client::ClientError;

use crate::commands::cluster::Connection;
use crate::failure::{Failure, Kind};
use crate::host_name::host_name;
use crate::output::say_aside;

/// What is there while a rollout is under way.
const KEY: &str = "rollout/lock";

/// The right to update hosts. Given back by [`Lock::give_back`]; a process that is killed leaves it.
pub(super) struct Lock<'a>(&'a Connection);

impl<'a> Lock<'a> {
    /// Takes it.
    ///
    /// # Errors
    /// When another rollout has it: who, since when, and what to do when that one was killed.
    pub(super) async fn take(connection: &'a Connection) -> Result<Self, Failure> {
        let mine = mine()?;
        let kv = connection.cluster.kv();
        let held = match kv.compare_and_set(KEY, None, mine.clone()).await {
            Ok(answer) if answer.swapped => return Ok(Self(connection)),
            Ok(answer) => answer.current,
            // It may have been done: nobody else writes what names this process.
            Err(ClientError::OutcomeUnknown { .. }) => kv.get(KEY, false).await?.kv,
            Err(error) => return Err(error.into()),
        };
        match held {
            Some(held) if held.value == mine => Ok(Self(connection)),
            Some(held) => Err(taken(&held.value)),
            None => Err(Failure::new(Kind::NotAvailable, "the rollout could not be marked as under way")
                .hint("farquorum status, then try again")),
        }
    }

    /// Gives it back; what cannot be deleted is named.
    pub(super) async fn give_back(self) {
        if let Err(error) = self.0.cluster.kv().delete(KEY).await {
            say_aside(&format!("the key {KEY} stays and refuses the next rollout: {error}; {}", delete_it()));
        }
    }
}

/// This process, for whoever finds its mark.
fn mine() -> Result<Bytes, Failure> {
    let (process, host) = (std::process::id(), host_name()?);
    Ok(Bytes::from(format!("process {process} on {host} since {}", rfc3339(SystemTime::now()))))
}

fn taken(by: &[u8]) -> Failure {
    let by = String::from_utf8_lossy(by);
    Failure::new(Kind::Refused, format!("another rollout is under way: {by} (key {KEY})"))
        .hint(format!("wait for its end; when it was killed: {}", delete_it()))
}

fn delete_it() -> String {
    format!("farquorum kv del {KEY}")
}
