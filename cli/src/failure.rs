//! How a command ends when it does not succeed: a message that says what, where, what is allowed and what to try
//! next, and an exit code that a script can rely on.

use std::fmt::Display;
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::output::say_aside;

/// What kind of failure, by exit code. The codes are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 1: it was tried and did not work.
    Failed,
    /// 2: the command line or the configuration is wrong; nothing was tried.
    Usage,
    /// 3: no quorum, no answer within the deadline, nothing is running.
    NotAvailable,
    /// 4: not allowed, or in conflict with what is there.
    Refused,
    /// 130: interrupted: Ctrl-C, SIGTERM, or the end of the terminal.
    Interrupted,
}

impl Kind {
    /// The process's exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotAvailable => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), hint: None }
    }

    /// Tried, did not work.
    pub(crate) fn failed(message: impl Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Adds the next thing to try.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong, without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Writes it to standard error. An interrupted command says nothing: the user knows.
    pub(crate) fn print(&self) {
        if self.kind == Kind::Interrupted && self.message.is_empty() {
            return;
        }
        let (bold, reset) = if colour() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        say_aside(&format!("{bold}error:{reset} {}", self.message.trim_start_matches("error: ")));
        if let Some(hint) = &self.hint {
            say_aside(&format!("  try: {hint}"));
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }
}

/// Colour only for a person who did not refuse it (<https://no-color.org>).
pub(crate) fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
}

impl From<farquorum_client::ClientError> for Failure {
    fn from(error: farquorum_client::ClientError) -> Self {
        let kind = match error.exit_code() {
            2 => Kind::Usage,
            3 => Kind::NotAvailable,
            4 => Kind::Refused,
            _ => Kind::Failed,
        };
        Self::new(kind, error)
    }
}

impl From<farquorum_storage::StoreError> for Failure {
    fn from(error: farquorum_storage::StoreError) -> Self {
        use farquorum_storage::StoreError as E;
        let kind = match error {
            E::BadUrl { .. } | E::Settings(_) | E::Credentials { .. } | E::Authorities { .. } => Kind::Usage,
            E::Denied { .. } | E::NoIdentity { .. } | E::Untrusted { .. } => Kind::Refused,
            E::Failed { .. } => Kind::NotAvailable,
            E::NotFound { .. } | E::TooLarge { .. } => Kind::Failed,
        };
        let failure = Self::new(kind, error);
        if kind == Kind::NotAvailable {
            return failure.hint("farquorum storage check tells from where the store can be reached");
        }
        failure
    }
}

impl From<farquorum_worker::InputError> for Failure {
    fn from(error: farquorum_worker::InputError) -> Self {
        use farquorum_worker::InputError as E;
        match error {
            E::Store(error) => error.into(),
            E::Taken(_) => Self::new(Kind::Refused, error),
            _ => Self::usage(error),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farquorum_storage::StoreError;
    use farquorum_worker::InputError;

    #[test]
    fn a_store_that_is_down_is_not_a_wrong_command_line() {
        let (operation, url) = ("write", "s3://bucket/key".to_owned());
        let down =
            StoreError::Failed { operation, url: url.clone(), detail: "connection refused".to_owned() };
        let (who, code) = ("the keys of keys.toml".to_owned(), String::new());
        let denied = StoreError::Denied { operation, url: url.clone(), who, code };
        let bad = StoreError::BadUrl { url, reason: "the bucket is missing".to_owned() };
        for (error, kind) in [(down, Kind::NotAvailable), (denied, Kind::Refused), (bad, Kind::Usage)] {
            assert_eq!(Failure::from(InputError::Store(error)).kind(), kind);
        }
        assert_eq!(Failure::from(InputError::Missing("s3://bucket/none".to_owned())).kind(), Kind::Usage);
    }
}
