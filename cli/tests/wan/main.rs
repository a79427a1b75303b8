//! The emulated WAN as a user has it: what it leaves behind, changes while it runs, programs inside it.

#[path = "../lab/mod.rs"]
mod lab;
mod leftovers;
mod links;
mod rootless;
mod several;
