//! Finds the running simulation, so that on the host no flag is needed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::context::{Context, ContextError};

/// Name of the simulation that is taken when several run.
const DEFAULT_NAME: &str = "default";

/// The context of the simulation that runs: `<state_dir>/sim/*/context.toml`. With several, the one named `default`.
///
/// # Errors
/// [`ContextError::None`], [`ContextError::Several`], or those of [`Context::load`].
pub fn discover(state_dir: &Path) -> Result<Context, ContextError> {
    let mut found = contexts(&state_dir.join("sim"));
    found.sort();
    match found.as_slice() {
        [] => Err(ContextError::None { state_dir: state_dir.to_owned() }),
        [only] => Context::load(only),
        several => {
            match several.iter().find(|path| path.parent().is_some_and(|dir| dir.ends_with(DEFAULT_NAME))) {
                Some(default) => Context::load(default),
                None => Err(ContextError::Several { found }),
            }
        }
    }
}

/// A folder that is missing or not readable holds no simulation of this user.
fn contexts(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join("context.toml")).filter(|path| path.is_file()).collect()
}
