//! From the node's errors to statuses on the wire; the vocabulary is [`wire`], which clients read with.
//!
//! What matters to a caller is whether a write may have happened: only `OUTCOME_UNKNOWN` says so.

use farquorum_client::wire::{self, LeaderHint, Reason};
use farquorum_config::Config;
use farquorum_core::{Outcome, Rejection};
use farquorum_tls::Identity;
use tonic::Status;

use super::authorize::roles;
use crate::raft::{Leader, RaftError};

/// A request that cannot be served as it is.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    wire::status(Reason::Invalid, message)
}

/// What the request names is not there.
pub(crate) fn not_found(message: impl Into<String>) -> Status {
    wire::status(Reason::NotFound, message)
}

/// The caller's role is not in the method's row.
pub(crate) fn role_not_allowed(identity: &Identity, path: &str) -> Status {
    let allowed: Vec<&str> = roles(path).iter().map(|role| role.as_str()).collect();
    let allowed = if allowed.is_empty() { "nobody".to_owned() } else { allowed.join(", ") };
    let message = format!(
        "{identity} may not call {path}: the role {} is not allowed to; allowed: {allowed}",
        identity.role
    );
    wire::status(Reason::Permission, message)
}

/// A worker that speaks for another.
pub(crate) fn not_this_worker(identity: &Identity, worker: &str) -> Status {
    let message =
        format!("{identity} may not speak for worker {worker:?}: a worker's id is its certificate's name");
    wire::status(Reason::Permission, message)
}

/// Why a write got no answer.
pub(crate) fn write(error: &RaftError, config: &Config) -> Status {
    match error {
        // The proposal may be on its way in all of these.
        RaftError::Deadline | RaftError::LostLeadership(_) | RaftError::Stopping => {
            wire::status(Reason::OutcomeUnknown, error.to_string())
        }
        other => read(other, config),
    }
}

/// Why a request that changes nothing got no answer.
pub(crate) fn read(error: &RaftError, config: &Config) -> Status {
    match error {
        RaftError::NotLeader(leader) | RaftError::LostLeadership(leader) => not_leader(*leader, config),
        RaftError::Overloaded { .. } => wire::status(Reason::Overloaded, error.to_string()),
        RaftError::DiskStuck { .. } => wire::status(Reason::ReadOnly, error.to_string()),
        RaftError::Level { .. } => wire::status(Reason::Rejected, error.to_string()),
        RaftError::Deadline => wire::status(Reason::Deadline, "no answer within the deadline"),
        RaftError::Stopping => wire::status(Reason::NoLeader, error.to_string()),
    }
}

/// Where the leader is, when that is known.
pub(crate) fn not_leader(leader: Leader, config: &Config) -> Status {
    match leader.id.and_then(|id| config.node_by_id(id)) {
        Some(node) => wire::not_leader(&LeaderHint {
            id: node.id.0,
            name: node.name.clone(),
            address: node.grpc_address(),
            term: leader.term,
        }),
        None => wire::status(Reason::NoLeader, format!("no leader is known in term {}", leader.term)),
    }
}

/// Why a command changed nothing.
pub(crate) fn rejection(rejection: &Rejection) -> Status {
    let reason = match rejection {
        Rejection::UnknownTask(_) | Rejection::UnknownWorker(_) | Rejection::UnknownJob(_) => {
            Reason::NotFound
        }
        Rejection::WrongState { .. } | Rejection::JobOver(_) => Reason::Rejected,
        Rejection::StaleAttempt { .. } => Reason::StaleAttempt,
        Rejection::KeyConflict { .. } => Reason::KeyConflict,
        Rejection::WorkerNotRegistered { .. } | Rejection::Invalid(_) => Reason::Invalid,
    };
    wire::status(reason, rejection.to_string())
}

/// A command was answered with what another one does: our own mistake, and no reason to fall.
pub(crate) fn unexpected(outcome: &Outcome) -> Status {
    tracing::error!(?outcome, "an outcome does not belong to its command");
    Status::internal("the outcome does not belong to the command")
}

#[cfg(test)]
mod tests {
    use farquorum_client::wire::error_info;
    use farquorum_config::NodeId;
    use farquorum_core::Level;

    use super::*;
    use crate::testing;

    #[test]
    fn not_leader_carries_the_leaders_address() {
        let config = testing::config(3);
        let leader = Leader { id: Some(NodeId(2)), term: 7 };
        let info = error_info(&write(&RaftError::NotLeader(leader), &config)).unwrap();
        let address = config.node_by_id(NodeId(2)).unwrap().grpc_address();
        let hint = LeaderHint { id: 2, name: "node-2".into(), address, term: 7 };
        assert_eq!((info.reason, info.leader), (Reason::NotLeader, Some(hint)));
        let unknown = RaftError::NotLeader(Leader { id: None, term: 7 });
        assert_eq!(error_info(&write(&unknown, &config)).unwrap().reason, Reason::NoLeader);
    }

    #[test]
    fn only_an_unknown_outcome_says_that_something_may_have_happened() {
        let config = testing::config(3);
        let overloaded = RaftError::Overloaded { waiting: 1, max: 1 };
        let level = RaftError::Level { needed: Level(3), node: NodeId(2), has: Level(2) };
        for (error, of_write, of_read) in [
            (RaftError::Deadline, Reason::OutcomeUnknown, Reason::Deadline),
            (RaftError::LostLeadership(Leader::default()), Reason::OutcomeUnknown, Reason::NoLeader),
            (RaftError::Stopping, Reason::OutcomeUnknown, Reason::NoLeader),
            (overloaded, Reason::Overloaded, Reason::Overloaded),
            (RaftError::DiskStuck { for_ms: 9 }, Reason::ReadOnly, Reason::ReadOnly),
            (level, Reason::Rejected, Reason::Rejected),
        ] {
            assert_eq!(error_info(&write(&error, &config)).unwrap().reason, of_write, "{error:?}");
            assert_eq!(error_info(&read(&error, &config)).unwrap().reason, of_read, "{error:?}");
        }
    }
}
