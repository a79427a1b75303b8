//! One run of the binary, and what a person or a script sees of it. Every run is looked at for escape codes: standard
//! streams of a test are no terminal.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A run that has ended.
pub(crate) struct Ran {
    /// The command line.
    what: String,
    /// Exit code; none after a signal.
    code: Option<i32>,
    /// Standard output.
    pub(crate) out: Vec<u8>,
    /// Standard error.
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran::new(&command, output)
}

/// The same, with something on standard input.
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end without reading all of it.
    let _unread = child.stdin.take().unwrap().write_all(input);
    Ran::new(&command, child.wait_with_output().unwrap())
}

impl Ran {
    /// What came of `command`.
    pub(crate) fn new(command: &Command, output: Output) -> Self {
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        let mut what = format!("farquorum {}", args.join(" "));
        what.truncate(what.floor_char_boundary(300));
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let ran = Self { what, code: output.status.code(), out: output.stdout, err };
        assert!(!ran.text().contains('\x1b') && !ran.err.contains('\x1b'), "escape codes: {ran}");
        assert!(!ran.err.contains("panicked at"), "{ran}");
        ran
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// Standard output as YAML.
    pub(crate) fn yaml(&self) -> Value {
        serde_yaml_ng::from_slice(&self.out).unwrap_or_else(|error| panic!("no YAML ({error}): {self}"))
    }

    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// It ended well and had nothing to complain of.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        let ran = self.code(0);
        assert_eq!(ran.err, "", "{ran}");
        ran
    }

    /// Its standard error has every one of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "standard error does not say {word:?}: {self}");
        }
        self
    }

    /// Its standard output has every one of these.
    #[track_caller]
    pub(crate) fn prints(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.text().contains(word), "standard output has no {word:?}: {self}");
        }
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = self.text();
        out.truncate(out.floor_char_boundary(4000));
        write!(f, "{} -> {:?}\nstdout: {out}\nstderr: {}", self.what, self.code, self.err)
    }
}
