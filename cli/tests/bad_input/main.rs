//! Bad input and bad circumstances on the command line: each ends with its exit code and a message that says what,
//! where, what is allowed and what to try next, and leaves nothing behind.

mod interrupt;
#[path = "../lab/mod.rs"]
mod lab;
mod privilege;
#[path = "../ran/mod.rs"]
mod ran;
mod start;
mod usage;
