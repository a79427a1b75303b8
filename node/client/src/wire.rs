//! How errors travel: a gRPC status with a `google.rpc.ErrorInfo` of domain `farquorum`. Both sides use this file, so
//! that a reason is written and read in one place; the text of the status is for people and never parsed.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Domain of our reasons.
pub const DOMAIN: &str = "farquorum";

const LEADER_ID: &str = "leader_id";
const LEADER_NAME: &str = "leader_name";
const LEADER_ADDRESS: &str = "leader_address";
const TERM: &str = "term";

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// This node does not lead, another does: see [`LeaderHint`]. Nothing was done.
    NotLeader,
    /// No leader is known: an election, or too few nodes. Nothing was done.
    NoLeader,
    /// A queue is full. Nothing was done.
    Overloaded,
    /// The request's time was over before anything was proposed. Nothing was done.
    Deadline,
    /// The request was proposed and its time ended, or leadership was lost, before the answer: it may be done or not.
    OutcomeUnknown,
    /// The state forbids it (a wrong state, a terminal task). Nothing changed.
    Rejected,
    /// The idempotency key was used for something else.
    KeyConflict,
    /// The attempt is not the task's current one.
    StaleAttempt,
    /// What the request names does not exist.
    NotFound,
    /// The request itself makes no sense: unknown kind, too long, missing field.
    Invalid,
    /// The caller's role may not call this.
    Permission,
    /// The node's disk is full or stuck and it takes no writes. Nothing was done.
    ReadOnly,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::NotLeader,
        Self::NoLeader,
        Self::Overloaded,
        Self::Deadline,
        Self::OutcomeUnknown,
        Self::Rejected,
        Self::KeyConflict,
        Self::StaleAttempt,
        Self::NotFound,
        Self::Invalid,
        Self::Permission,
        Self::ReadOnly,
    ];

    /// The reason as it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotLeader => "NOT_LEADER",
            Self::NoLeader => "NO_LEADER",
            Self::Overloaded => "OVERLOADED",
            Self::Deadline => "DEADLINE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Rejected => "REJECTED",
            Self::KeyConflict => "KEY_CONFLICT",
            Self::StaleAttempt => "STALE_ATTEMPT",
            Self::NotFound => "NOT_FOUND",
            Self::Invalid => "INVALID",
            Self::Permission => "PERMISSION",
            Self::ReadOnly => "READ_ONLY",
        }
    }

    /// The gRPC code that goes with it. NOT_LEADER is not UNAVAILABLE, or generic clients would ask the same node again.
    pub fn code(self) -> Code {
        match self {
            Self::NotLeader | Self::Rejected => Code::FailedPrecondition,
            Self::NoLeader | Self::ReadOnly => Code::Unavailable,
            Self::Overloaded => Code::ResourceExhausted,
            Self::Deadline => Code::DeadlineExceeded,
            Self::OutcomeUnknown => Code::Unknown,
            Self::KeyConflict => Code::AlreadyExists,
            Self::StaleAttempt => Code::Aborted,
            Self::NotFound => Code::NotFound,
            Self::Invalid => Code::InvalidArgument,
            Self::Permission => Code::PermissionDenied,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the leader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// Its Raft id.
    pub id: u64,
    /// Its name: a client outside the cluster's network maps it to an address of its own.
    pub name: String,
    /// host:port of its public gRPC services, as seen inside the cluster's network.
    pub address: String,
    /// Term in which it leads.
    pub term: u64,
}

/// What a status says when one of our nodes made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Why.
    pub reason: Reason,
    /// With [`Reason::NotLeader`]: where to go.
    pub leader: Option<LeaderHint>,
}

/// The answer of a node that does not lead and knows who does.
pub fn not_leader(leader: &LeaderHint) -> Status {
    let message = format!("the leader is {} at {} (term {})", leader.name, leader.address, leader.term);
    let metadata = HashMap::from([
        (LEADER_ID.to_owned(), leader.id.to_string()),
        (LEADER_NAME.to_owned(), leader.name.clone()),
        (LEADER_ADDRESS.to_owned(), leader.address.clone()),
        (TERM.to_owned(), leader.term.to_string()),
    ]);
    with_info(Reason::NotLeader, message, metadata)
}

/// The answer of a node for any other reason.
pub fn status(reason: Reason, message: impl Into<String>) -> Status {
    with_info(reason, message.into(), HashMap::new())
}

/// What a status says; none when it was not made by this module.
pub fn error_info(status: &Status) -> Option<WireError> {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN)?;
    let reason = Reason::parse(&info.reason)?;
    let text = |key: &str| info.metadata.get(key).filter(|value| !value.is_empty());
    let number = |key: &str| text(key).and_then(|value| value.parse().ok());
    let leader = text(LEADER_NAME).and_then(|name| {
        Some(LeaderHint {
            id: number(LEADER_ID)?,
            name: name.clone(),
            address: text(LEADER_ADDRESS)?.clone(),
            term: number(TERM)?,
        })
    });
    Some(WireError { reason, leader })
}

fn with_info(reason: Reason, message: String, metadata: HashMap<String, String>) -> Status {
    let details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, metadata);
    Status::with_error_details(reason.code(), message, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        for reason in Reason::ALL {
            let sent = status(reason, "why");
            assert_eq!(error_info(&sent), Some(WireError { reason, leader: None }), "{reason}");
            assert_eq!((sent.code(), sent.message()), (reason.code(), "why"));
        }
    }

    #[test]
    fn a_leader_survives_the_wire() {
        let leader =
            LeaderHint { id: 2, name: "cp-gcp-1".into(), address: "10.20.0.11:50051".into(), term: 7 };
        let read = error_info(&not_leader(&leader));
        assert_eq!(read, Some(WireError { reason: Reason::NotLeader, leader: Some(leader) }));
    }

    #[test]
    fn a_status_of_somebody_else_says_nothing() {
        assert_eq!(error_info(&Status::unavailable("x")), None);
        let foreign = ErrorDetails::with_error_info("NOT_LEADER", "example.com", HashMap::new());
        assert_eq!(error_info(&Status::with_error_details(Code::Aborted, "x", foreign)), None);
        let unknown = ErrorDetails::with_error_info("SOMETHING", DOMAIN, HashMap::new());
        assert_eq!(error_info(&Status::with_error_details(Code::Aborted, "x", unknown)), None);
    }
}
