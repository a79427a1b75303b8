//! The task kinds, run by name as the executor does, with the object store of the lab on a loopback port.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking; the values are its own"
)]

mod command;
mod job;
mod lab;
mod storage_check;
