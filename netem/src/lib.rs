//! The emulated WAN: link model, lab of network namespaces, user-space backend, self-test.
//!
//! The way of a packet: a host's device ([`lab`]) -> the WAN's thread ([`wan`]) -> the link model ([`model`]) ->
//! the WAN's thread when it is due -> the destination's device. IPv4 and IPv6 take the same way.

#[cfg(test)]
mod allocations;
pub mod bench;
pub mod clock;
mod error;
pub mod forward;
pub mod gateway;
mod kernel;
pub mod lab;
pub mod model;
mod netlink;
pub mod ping;
pub mod relay;
pub mod selftest;
mod stamp;
pub mod trace;
pub mod wan;

pub use error::LabError;
