//! A control-plane node, built from Config.
//!
//! [`run`] builds it in the order in which a write passes: store, transport, Raft, services, HTTP.

mod api;
mod apply;
pub mod clock;
mod http;
mod machine;
mod manifest;
pub mod metrics;
mod node;
pub mod ports;
pub mod raft;
mod release;
pub mod storage;
#[cfg(test)]
mod testing;
pub mod transport;

pub use node::{NodeError, NodeOptions, run};
pub use release::Release;
