//! A command that is run once for each host, as a list of arguments with fields in braces: `["ssh", "root@{address}"]`. No
//! shell reads it: an argument stays one argument, whatever a field stands for.

use serde::{Serialize, Serializer};

use crate::names;

/// Replacement fields: what a command says in braces in place of a host's own values.
const FIELDS: [&str; 3] = ["name", "address", "cloud"];

/// The host that a command is for.
#[derive(Clone, Copy, Debug)]
pub struct CommandHost<'a> {
    /// Stands for `{name}`.
    pub name: &'a str,
    /// Stands for `{address}`.
    pub address: &'a str,
    /// Stands for `{cloud}`.
    pub cloud: &'a str,
}

/// A checked command: a program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCommand {
    /// As they were written.
    written: Vec<String>,
    /// The same, taken apart. Invariant: at least one.
    arguments: Vec<Vec<Piece>>,
}

/// A piece of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Stands as it is.
    Text(String),
    /// Index into [`FIELDS`].
    Field(usize),
}

/// Why a list of arguments is no command for a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadCommand {
    /// Place of the argument that is wrong, from 0; none when it is the command as a whole.
    pub argument: Option<usize>,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl HostCommand {
    /// Takes the arguments apart.
    ///
    /// # Errors
    /// When there is no program, a field is unknown or not closed, or nothing names the host: then the command
    /// would do the same for every host.
    pub fn new(argv: &[String]) -> Result<Self, BadCommand> {
        let whole = |message: &str| BadCommand { argument: None, message: message.to_owned() };
        if argv.first().is_none_or(String::is_empty) {
            return Err(whole("names no program"));
        }
        let mut arguments = Vec::new();
        for (place, argument) in argv.iter().enumerate() {
            let pieces = pieces(argument).map_err(|message| BadCommand { argument: Some(place), message })?;
            arguments.push(pieces);
        }
        let names_host = |piece: &Piece| matches!(piece, Piece::Field(0 | 1));
        if !arguments.iter().flatten().any(names_host) {
            return Err(whole("must say which host it is for: {name} or {address}"));
        }
        Ok(Self { written: argv.to_vec(), arguments })
    }

    /// The program and its arguments for one host.
    pub fn of(&self, host: CommandHost<'_>) -> Vec<String> {
        let values = [host.name, host.address, host.cloud];
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(index) => values.get(*index).copied().unwrap_or_default().to_owned(),
        };
        self.arguments.iter().map(|pieces| pieces.iter().map(text).collect()).collect()
    }

    /// Whether it asks for the host's address.
    pub fn needs_address(&self) -> bool {
        self.arguments.iter().flatten().any(|piece| *piece == Piece::Field(1))
    }
}

impl Serialize for HostCommand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

/// The pieces of one argument, or what is wrong with it.
fn pieces(argument: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = argument;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        text.push_str(before);
        let doubled = ["{{", "}}"].into_iter().find(|pair| brace.starts_with(pair));
        if let Some(after) = doubled.and_then(|pair| brace.strip_prefix(pair)) {
            text.extend(brace.chars().next());
            rest = after;
            continue;
        }
        let inside = brace.strip_prefix('{').ok_or_else(|| one_brace('}'))?;
        let (name, after) = inside.split_once('}').ok_or_else(|| one_brace('{'))?;
        let known = FIELDS.iter().position(|field| *field == name);
        let index = known.ok_or_else(|| {
            let known = names::known(&format!("{{{name}}}"), all());
            format!("unknown field {{{name}}}; {known}. A brace itself is written {{{{ or }}}}")
        })?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Field(index));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn one_brace(brace: char) -> String {
    format!(
        "a {brace} that belongs to no field; known: {}. A brace itself is written {brace}{brace}",
        all().join(", ")
    )
}

/// All fields as they are written.
fn all() -> [String; 3] {
    FIELDS.map(|name| format!("{{{name}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str]) -> Result<HostCommand, BadCommand> {
        HostCommand::new(&argv.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn fields_become_the_hosts_values() {
        let host = CommandHost { name: "cp-aws-1", address: "192.0.2.7", cloud: "aws" };
        let cases: &[(&[&str], &[&str])] = &[
            (&["restart", "{name}"], &["restart", "cp-aws-1"]),
            (&["ssh", "root@{address}", "a b; c"], &["ssh", "root@192.0.2.7", "a b; c"]),
            (&["{name}{cloud}-{{name}}"], &["cp-aws-1aws-{name}"]),
            (&["inspect", "{{{{.Name}}}}", "{name}"], &["inspect", "{{.Name}}", "cp-aws-1"]),
        ];
        for (argv, expected) in cases {
            assert_eq!(command(argv).map(|command| command.of(host)).unwrap_or_default(), *expected);
        }
    }

    #[test]
    fn what_is_no_command_is_refused_with_its_place() {
        let cases: &[(&[&str], Option<usize>, &str)] = &[
            (&[], None, "names no program"),
            (&["", "{name}"], None, "names no program"),
            (&["restart"], None, "must say which host it is for: {name} or {address}"),
            (&["restart", "{cloud}"], None, "must say which host it is for: {name} or {address}"),
            (&["ssh", "{adress}"], Some(1), "unknown field {adress}; did you mean {address}?"),
            (&["ssh", "{}", "{name}"], Some(1), "unknown field {};"),
            (&["ssh", "{name"], Some(1), "a { that belongs to no field"),
            (&["ssh", "name}"], Some(1), "a } that belongs to no field"),
        ];
        for (argv, argument, message) in cases {
            match command(argv) {
                Ok(_) => panic!("{argv:?} was taken"),
                Err(bad) => {
                    assert_eq!(bad.argument, *argument, "{argv:?}");
                    assert!(bad.message.starts_with(message), "{argv:?}: {bad}");
                }
            }
        }
    }
}
