//! The commands of a rollout: each names a program and the host that it is for.

use std::time::Duration;

use crate::finding::Report;
use crate::host_command::HostCommand;
use crate::raw::Raw;
use crate::text;
use crate::types::Rollout;

/// Settings of `farquorum rollout`.
pub(super) fn rollout(raw: &Raw, report: &mut Report) -> Rollout {
    let rollout = &raw.rollout;
    Rollout {
        update: command(rollout.update.as_deref(), "rollout.update", report),
        rollback: command(rollout.rollback.as_deref(), "rollout.rollback", report),
        wait: Duration::from_secs(rollout.wait_s.unwrap_or_default()),
        command_timeout: Duration::from_secs(rollout.command_timeout_s.unwrap_or_default()),
    }
}

fn command(argv: Option<&[String]>, key: &str, report: &mut Report) -> Option<HostCommand> {
    let argv = argv?;
    match HostCommand::new(argv) {
        Ok(command) => Some(command),
        Err(bad) => {
            let (path, value) = match bad.argument {
                Some(place) => (format!("{key}[{place}]"), argv.get(place).map(|text| text::quoted(text))),
                None => (key.to_owned(), text::shown(&argv.to_vec().into())),
            };
            report.error(&path, value, bad.message);
            None
        }
    }
}
