//! What the Raft loop decides: inputs in, outputs out; no IO, no clock, no tokio.
