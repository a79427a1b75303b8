//! `farquorum storage check`: whether the object store does what jobs rely on (STO-2), from here and from every worker.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::cluster::Connection;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show};
use crate::runtime;

/// `farquorum storage`
#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write 1 MB, read it back, compare; race conditional creates
    Check,
}

#[derive(Serialize)]
struct Report {
    from: String,
    ok: bool,
    text: String,
}

#[derive(Serialize)]
struct Reports {
    checks: Vec<Report>,
}

impl Show for Reports {
    fn table(&self) -> String {
        let block = |report: &Report| format!("from {}\n{}", report.from, report.text.trim_end());
        self.checks.iter().map(block).collect::<Vec<_>>().join("\n\n")
    }
}

/// Runs the check; exit code 1 when the store does not keep its promises.
pub(crate) fn run(global: &Global, args: &StorageArgs) -> Result<ExitCode, Failure> {
    let Verb::Check = args.verb;
    let checks = runtime::block_on(async {
        let store = Connection::open(global).await?.store()?;
        let prefix = store.bucket_url();
        let report = farquorum_storage::check::check(&store, &prefix, "command-line")
            .await
            .map_err(Failure::failed)?;
        Ok(vec![Report { from: "this machine".to_owned(), ok: report.is_ok(), text: report.to_string() }])
    })?;
    let ok = checks.iter().all(|report| report.ok);
    output::print(global.output, &Reports { checks })?;
    if ok {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::failed("the object store does not do what jobs rely on (above)"))
}
