//! `farquorum storage list`: the objects below a prefix, such as the parts of a job's result.

use std::process::ExitCode;

use farquorum_storage::ObjectInfo;
use serde::Serialize;

use super::cluster::Connection;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Format, Show, rows, write_line};
use crate::runtime;

#[derive(Serialize)]
struct Object {
    url: String,
    bytes: u64,
}

#[derive(Serialize)]
struct Objects {
    objects: Vec<Object>,
}

impl Show for Objects {
    fn table(&self) -> String {
        let row = |object: &Object| [object.bytes.to_string(), object.url.clone()];
        rows(["BYTES", "URL"], self.objects.iter().map(row))
    }
}

/// Prints what is there, in order of URLs. The limit and its message are those of a job's input.
pub(super) fn run(global: &Global, prefix: Option<&str>) -> Result<ExitCode, Failure> {
    let (prefix, found) = runtime::block_on(async {
        let store = Connection::open(global).await?.store()?;
        let prefix = prefix.unwrap_or(store.bucket_url()).to_owned();
        let found = match farquorum_worker::resolve(&store, &prefix).await {
            Err(farquorum_worker::InputError::Missing(_)) => Vec::new(),
            other => other?,
        };
        Ok((prefix, found))
    })?;
    if found.is_empty() && global.output == Format::Table {
        write_line(&format!("no objects below {prefix}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let object = |object: ObjectInfo| Object { url: object.url, bytes: object.length };
    output::print(global.output, &Objects { objects: found.into_iter().map(object).collect() })?;
    Ok(ExitCode::SUCCESS)
}
