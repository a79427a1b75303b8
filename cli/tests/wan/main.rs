//! The emulated WAN as a user has it: what it leaves behind, changes while it runs, programs inside it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod bench;
#[path = "../lab/mod.rs"]
mod lab;
mod leftovers;
mod links;
mod logs;
mod measure;
mod names;
mod node_program;
mod noticed;
mod programs;
mod relay;
mod remains;
mod rootless;
mod scenarios;
mod several;
mod sudo;
mod topologies;
