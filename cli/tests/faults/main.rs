//! Faults: real processes in the emulated WAN are killed, cut off, slowed down and restarted; what was promised holds.
//!
//! One simulation at a time (see `lab`). Times are printed, and bounded only where a requirement does so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod crash;
mod disk;
mod elections;
mod fuse;
mod jobs;
#[path = "../lab/mod.rs"]
mod lab;
mod mounts;
mod partitions;
mod snapshots;

use std::future::Future;

use lab::ran;

/// Runs a test's work; two threads, since clients and sampling share the machine with the simulation.
fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work);
}
