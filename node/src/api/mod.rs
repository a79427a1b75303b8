//! The public services: who may, until when, how large; then one command or one read, and the answer's form. What a
//! request does to the state is decided in `farquorum-core`.

pub(crate) mod authorize;
mod cluster;
mod context;
mod convert;
pub(crate) mod errors;
pub(crate) mod guard;
mod job;
mod kv;
pub(crate) mod page;
mod probe;
mod request;
mod server;
mod task;
mod worker;

pub(crate) use context::Context;
pub(crate) use probe::Prober;
pub(crate) use server::{serve_peers, serve_public};

use std::sync::Arc;

/// Implements all public services on one shared context; one file each.
#[derive(Clone)]
pub(crate) struct Api(pub(crate) Arc<Context>);
