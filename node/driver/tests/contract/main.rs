//! The caller's contract and the measured facts about raft-rs 0.7.0, each as a test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say so by failing"
)]

mod cluster;
mod disk;
mod doubt;
mod hostile;
mod members;
mod requests;
