//! Bad input and bad circumstances on the command line: each ends with its exit code and a message that says what,
//! where, what is allowed and what to try next, and leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod interrupt;
#[path = "../lab/mod.rs"]
mod lab;
mod offline;
mod privilege;
mod start;
mod usage;

use lab::ran;
