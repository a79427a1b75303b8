//! The task kinds, run by name as the executor does, with the object store of the lab on a loopback port.

mod command;
mod job;
mod lab;
