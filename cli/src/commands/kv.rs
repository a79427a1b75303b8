//! `farquorum kv`: the linearizable key-value store. Keys and values are bytes: arguments are taken as they are typed,
//! `get` writes them as they are, and JSON says how it encodes them.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::{Args, Subcommand};
use farquorum_proto::v1::{KeyValue, ListRequest};
use serde::Serialize;

use super::cluster::Connection;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Show, rows, write_line};
use crate::runtime;

/// `farquorum kv`
#[derive(Debug, Args)]
pub(crate) struct KvArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set a key
    Set {
        /// At most 1024 bytes (limits.key_bytes_max)
        key: String,
        /// At most 1 MiB (limits.value_bytes_max); `-` reads standard input
        value: String,
    },
    /// Print a value; exit code 1 when the key is absent
    ///
    /// The bytes as they are, so `kv get KEY > FILE` gives back what `kv set KEY - < FILE` took; only on a terminal a line
    /// end follows a value that has none. With -o json and -o yaml, `value` is the text itself when `encoding` is "text",
    /// and base64 (RFC 4648) when it is "base64": the value is not UTF-8 then.
    Get {
        /// Key
        key: String,
        /// Answer from any node's own state, which may be old
        #[arg(long)]
        stale: bool,
    },
    /// Delete a key
    Del {
        /// Key
        key: String,
    },
    /// Set a key only when its value is the expected one; exit code 4 when it is not
    Cas {
        /// Key
        key: String,
        /// Value that must be there; without it, the key must be absent
        #[arg(long)]
        expect: Option<String>,
        /// New value
        value: String,
    },
    /// List keys and values in byte order
    ///
    /// The table shows control characters escaped, and the start of long values. -o json and -o yaml give all, encoded as
    /// by `kv get`, and likewise `key` by `key_encoding`.
    List {
        /// Only keys that begin with this
        #[arg(default_value = "")]
        prefix: String,
    },
}

/// Longest start of a value that a table shows.
const VALUE_CHARS_MAX: usize = 60;

/// How bytes stand in JSON and YAML.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// They are UTF-8.
    Text,
    /// They are not.
    Base64,
}

#[derive(Serialize)]
struct Pair {
    key: String,
    key_encoding: Encoding,
    value: String,
    encoding: Encoding,
    revision: u64,
    /// Length of the value.
    #[serde(skip)]
    bytes: usize,
}

impl From<KeyValue> for Pair {
    fn from(kv: KeyValue) -> Self {
        let ((key, key_encoding), (value, encoding)) = (encoded(&kv.key), encoded(&kv.value));
        Self { key, key_encoding, value, encoding, revision: kv.revision, bytes: kv.value.len() }
    }
}

impl Pair {
    /// One line for a person.
    fn shown(&self) -> [String; 3] {
        let text = |text: &str, encoding, chars_max| {
            let mark = if encoding == Encoding::Base64 { "base64:" } else { "" };
            output::cell(&format!("{mark}{text}"), chars_max)
        };
        let mut value = text(&self.value, self.encoding, VALUE_CHARS_MAX);
        if self.value.chars().count() > VALUE_CHARS_MAX {
            value.push_str(&format!(" ({} bytes)", self.bytes));
        }
        [text(&self.key, self.key_encoding, usize::MAX), value, self.revision.to_string()]
    }
}

impl Show for Pair {
    fn table(&self) -> String {
        self.value.clone()
    }
}

#[derive(Serialize)]
struct Pairs {
    items: Vec<Pair>,
}

impl Show for Pairs {
    fn table(&self) -> String {
        rows(["KEY", "VALUE", "REVISION"], self.items.iter().map(Pair::shown))
    }
}

#[derive(Serialize)]
struct Written {
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
}

impl Show for Written {
    fn table(&self) -> String {
        match self.existed {
            Some(false) => format!("was not there (revision {})", self.revision),
            _ => format!("ok (revision {})", self.revision),
        }
    }
}

fn encoded(bytes: &Bytes) -> (String, Encoding) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), Encoding::Text),
        Err(_) => (STANDARD.encode(bytes), Encoding::Base64),
    }
}

/// Bytes inside a message.
fn quoted(bytes: &Bytes) -> String {
    match encoded(bytes) {
        (text, Encoding::Text) => output::cell(&format!("{text:?}"), VALUE_CHARS_MAX),
        (text, Encoding::Base64) => output::cell(&format!("base64 {text}"), VALUE_CHARS_MAX),
    }
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: KvArgs) -> Result<ExitCode, Failure> {
    runtime::block_on(async {
        let connection = Connection::open(global).await?;
        verb(global, &connection, args.verb).await
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn verb(global: &Global, connection: &Connection, verb: Verb) -> Result<(), Failure> {
    let kv = connection.cluster.kv();
    match verb {
        Verb::Set { key, value } => {
            let revision = kv.set(key, read(value)?).await?.revision;
            output::print(global.output, &Written { revision, existed: None })
        }
        Verb::Get { key, stale } => get(global, connection, key, stale).await,
        Verb::Del { key } => {
            let deleted = kv.delete(key).await?;
            output::print(
                global.output,
                &Written { revision: deleted.revision, existed: Some(deleted.existed) },
            )
        }
        Verb::Cas { key, expect, value } => {
            let answer = kv.compare_and_set(key.clone(), expect.map(Bytes::from), read(value)?).await?;
            if answer.swapped {
                let revision = answer.current.map(|kv| kv.revision).unwrap_or_default();
                return output::print(global.output, &Written { revision, existed: None });
            }
            let there = answer.current.map_or_else(|| "absent".to_owned(), |kv| quoted(&kv.value));
            Err(Failure::new(
                Kind::Refused,
                format!("{key:?} was not set: its value is {there}, not the expected one"),
            ))
        }
        Verb::List { prefix } => list(global, connection, prefix).await,
    }
}

async fn get(global: &Global, connection: &Connection, key: String, stale: bool) -> Result<(), Failure> {
    let Some(pair) = connection.cluster.kv().get(key.clone(), stale).await?.kv else {
        return Err(Failure::failed(format!("there is no key {key:?}")));
    };
    if global.output == Format::Table {
        let mut out = std::io::stdout().lock();
        let end: &[u8] = if out.is_terminal() && !pair.value.ends_with(b"\n") { b"\n" } else { b"" };
        let written = out.write_all(&pair.value).and_then(|()| out.write_all(end));
        return output::until_closed(written.and_then(|()| out.flush()));
    }
    output::print(global.output, &Pair::from(pair))
}

async fn list(global: &Global, connection: &Connection, prefix: String) -> Result<(), Failure> {
    let mut items = Vec::new();
    let mut request = ListRequest { prefix: prefix.into(), page_size: 1000, page_token: String::new() };
    loop {
        let page = connection.cluster.kv().list(request.clone()).await?;
        items.extend(page.kvs.into_iter().map(Pair::from));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if items.is_empty() && global.output == Format::Table {
        return write_line("no keys");
    }
    output::print(global.output, &Pairs { items })
}

/// The value itself, or standard input for `-`.
fn read(value: String) -> Result<Bytes, Failure> {
    if value != "-" {
        return Ok(Bytes::from(value));
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)?;
    Ok(Bytes::from(bytes))
}
