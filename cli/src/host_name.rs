//! What this host calls itself.

use crate::failure::Failure;

/// Its name, proc(5); in a container the container's.
pub(crate) fn host_name() -> Result<String, Failure> {
    const FILE: &str = "/proc/sys/kernel/hostname";
    let name = std::fs::read_to_string(FILE);
    let name = name.map_err(|error| Failure::failed(format!("the name of this host: {FILE}: {error}")))?;
    Ok(name.trim().to_owned())
}
