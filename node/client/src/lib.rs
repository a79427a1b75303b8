//! The client side: channels with mutual TLS, following the leader, typed errors.
