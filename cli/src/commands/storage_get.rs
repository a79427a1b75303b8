//! `farquorum storage get`: one object to standard output, such as a part of a job's result. Piece by piece, so of any
//! length.

use std::io::Write as _;
use std::process::ExitCode;

use super::cluster::Connection;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::until_closed;
use crate::runtime;

/// Writes the object as it is.
pub(super) fn run(global: &Global, url: &str) -> Result<ExitCode, Failure> {
    runtime::block_on(async {
        let store = Connection::open(global).await?.store()?;
        let object = store.head(url).await?;
        let mut reader = store.reader(url, 0..object.length);
        while let Some(piece) = reader.next().await? {
            until_closed(std::io::stdout().lock().write_all(&piece))?;
        }
        until_closed(std::io::stdout().lock().flush())
    })?;
    Ok(ExitCode::SUCCESS)
}
