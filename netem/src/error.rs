//! Errors of the lab: what was tried, on what, and what is allowed.

use std::io;

use farquorum_config::ShapeError;

/// The lab could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The kernel refused a step.
    #[error("{doing}: {source}")]
    Os {
        /// What was tried, with the name of the host or device.
        doing: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The topology contradicts itself.
    #[error("the lab cannot be made: {0}")]
    Spec(String),
    /// A link's shape is out of range.
    #[error("link {from} -> {to}: {source}")]
    Shape {
        /// Cloud that sends.
        from: String,
        /// Cloud that receives.
        to: String,
        /// Which value, and what is allowed.
        source: ShapeError,
    },
    /// [`crate::lab::enter`] forks, and a fork keeps one thread only.
    #[error("the lab must be entered before any thread is started; this process has {0} threads")]
    NotSingleThreaded(usize),
    /// The process inside the new namespaces ended or failed before it was ready.
    #[error("the supervisor could not start in its namespaces: {0}")]
    Child(String),
    /// The kernel backend was asked for, and the kernel has no netem.
    #[error(
        "this kernel's netem cannot be used: {0}\n\
         ways out: load it (sudo modprobe sch_netem; Ubuntu has it in linux-modules-extra, Debian in the kernel's own \
         package), or take the WAN in user space, which needs none: lab.backend = \"user\""
    )]
    NoNetem(String),
    /// No host of that name.
    #[error("no host `{name}` in the lab; {known}")]
    UnknownHost {
        /// What was asked for.
        name: String,
        /// The nearest name and all of them.
        known: String,
    },
}

/// Adds what was tried to an error of the kernel.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, LabError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, LabError> {
        self.map_err(|error| LabError::Os { doing: what(), source: error.into() })
    }
}
