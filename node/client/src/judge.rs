//! What an error of one node means for the call. Pure: decides whether the call is over, where it goes next, and above
//! all whether the request may have been done.

use std::error::Error;

use farquorum_tls::ConnectError;
use tonic::{Code, Status, transport};

use crate::error::ClientError;
use crate::wire::{self, LeaderHint, Reason};

/// What to make of an error.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing was done; another node leads.
    Follow(LeaderHint),
    /// Nothing was done; another node, or this one later, may do it.
    Elsewhere(String),
    /// It may have been done.
    Unsure(String),
    /// The call is over.
    Over(ClientError),
}

/// Judges the error that `node` (or the way there) gave.
pub(crate) fn judge(what: &'static str, node: &str, status: &Status) -> Verdict {
    if let Some(error) = wire::error_info(status) {
        return by_reason(what, error.reason, error.leader, status);
    }
    match find_connect_error(status.source()) {
        Some(connect) => by_connection(what, node, connect),
        None => by_code(what, node, status),
    }
}

/// Judges why there is no connection to `node`: nothing was sent.
pub(crate) fn judge_connection(what: &'static str, node: &str, error: &transport::Error) -> Verdict {
    match find_connect_error(error.source()) {
        Some(connect) => by_connection(what, node, connect),
        None => Verdict::Elsewhere(with_causes(error.to_string(), error.source())),
    }
}

fn by_connection(what: &'static str, node: &str, error: &ConnectError) -> Verdict {
    match error.is_refusal() {
        true => {
            refused(what, Reason::Permission, format!("{node} does not accept this certificate: {error}"))
        }
        false => Verdict::Elsewhere(error.to_string()),
    }
}

fn by_reason(what: &'static str, reason: Reason, leader: Option<LeaderHint>, status: &Status) -> Verdict {
    let message = status.message().to_owned();
    match (reason, leader) {
        (Reason::NotLeader, Some(leader)) => Verdict::Follow(leader),
        (
            Reason::NotLeader | Reason::NoLeader | Reason::Overloaded | Reason::Deadline | Reason::ReadOnly,
            _,
        ) => Verdict::Elsewhere(format!("{reason}: {message}")),
        (Reason::OutcomeUnknown, _) => Verdict::Unsure(message),
        (Reason::Rejected | Reason::KeyConflict | Reason::StaleAttempt | Reason::Permission, _) => {
            refused(what, reason, message)
        }
        (Reason::NotFound, _) => Verdict::Over(ClientError::NotFound { what, message }),
        (Reason::Invalid, _) => Verdict::Over(ClientError::Invalid { what, message }),
    }
}

/// A status that is not one of ours: made by tonic, on either side, or by a broken connection or stream. Where that can
/// happen after the request was done, it is unsure.
fn by_code(what: &'static str, node: &str, status: &Status) -> Verdict {
    let message = with_causes(status.message().to_owned(), status.source());
    match status.code() {
        Code::NotFound => Verdict::Over(ClientError::NotFound { what, message }),
        Code::InvalidArgument | Code::OutOfRange => Verdict::Over(ClientError::Invalid { what, message }),
        Code::PermissionDenied | Code::Unauthenticated => refused(what, Reason::Permission, message),
        Code::FailedPrecondition | Code::AlreadyExists => refused(what, Reason::Rejected, message),
        Code::Unimplemented => Verdict::Over(ClientError::Failed { what, node: node.to_owned(), message }),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::DataLoss
        | Code::Unavailable => Verdict::Unsure(message),
    }
}

fn refused(what: &'static str, reason: Reason, message: String) -> Verdict {
    Verdict::Over(ClientError::Refused { what, reason, message })
}

type Cause<'a> = Option<&'a (dyn Error + 'static)>;

fn causes(first: Cause<'_>) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(first, |&error| error.source())
}

/// The connector's own error, when there was no connection: then nothing was sent.
fn find_connect_error(first: Cause<'_>) -> Option<&ConnectError> {
    causes(first).find_map(|error| error.downcast_ref())
}

fn with_causes(mut text: String, first: Cause<'_>) -> String {
    for cause in causes(first).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: &Status) -> &'static str {
        match judge("test", "cp-aws-1", status) {
            Verdict::Follow(_) => "follow",
            Verdict::Elsewhere(_) => "elsewhere",
            Verdict::Unsure(_) => "unsure",
            Verdict::Over(error) => match error.exit_code() {
                1 => "over 1",
                2 => "over 2",
                4 => "over 4",
                other => panic!("exit code {other}"),
            },
        }
    }

    #[test]
    fn each_reason() {
        let table = [
            (Reason::NotLeader, "elsewhere"),
            (Reason::NoLeader, "elsewhere"),
            (Reason::Overloaded, "elsewhere"),
            (Reason::Deadline, "elsewhere"),
            (Reason::OutcomeUnknown, "unsure"),
            (Reason::Rejected, "over 4"),
            (Reason::KeyConflict, "over 4"),
            (Reason::StaleAttempt, "over 4"),
            (Reason::NotFound, "over 1"),
            (Reason::Invalid, "over 2"),
            (Reason::Permission, "over 4"),
            (Reason::ReadOnly, "elsewhere"),
        ];
        assert_eq!(table.len(), Reason::ALL.len());
        for (reason, expected) in table {
            assert_eq!(outcome(&wire::status(reason, "why")), expected, "{reason}");
        }
        let leader =
            LeaderHint { id: 2, name: "cp-gcp-1".into(), address: "10.20.0.11:50051".into(), term: 7 };
        assert_eq!(outcome(&wire::not_leader(&leader)), "follow");
    }

    #[test]
    fn each_code_of_somebody_else() {
        let table = [
            (Code::Unavailable, "unsure"),
            (Code::Cancelled, "unsure"),
            (Code::DeadlineExceeded, "unsure"),
            (Code::Unknown, "unsure"),
            (Code::Internal, "unsure"),
            (Code::DataLoss, "unsure"),
            (Code::Aborted, "unsure"),
            (Code::ResourceExhausted, "unsure"),
            (Code::PermissionDenied, "over 4"),
            (Code::FailedPrecondition, "over 4"),
            (Code::NotFound, "over 1"),
            (Code::Unimplemented, "over 1"),
            (Code::InvalidArgument, "over 2"),
        ];
        for (code, expected) in table {
            assert_eq!(outcome(&Status::new(code, "why")), expected, "{code:?}");
        }
    }
}
