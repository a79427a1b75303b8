//! A worker: session, executor, task kinds.
