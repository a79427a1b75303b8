//! `farquorum bench`: the figures of the README, measured here and now.

use std::process::ExitCode;

use clap::Args;

use crate::args::Global;
use crate::failure::Failure;

/// `farquorum bench`
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {}

/// Measures.
pub(crate) fn run(_global: &Global, _args: &BenchArgs) -> Result<ExitCode, Failure> {
    Err(Failure::failed("not measured"))
}
