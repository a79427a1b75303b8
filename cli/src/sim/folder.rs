//! The folder of one simulation: everything that it makes on this machine is in here.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::paths;

/// Paths of one simulation.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// The folder.
    pub(crate) root: PathBuf,
}

impl Folder {
    /// The folder of the simulation with this name.
    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        let fits = !name.is_empty()
            && name.len() <= 32
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !fits {
            return Err(Failure::usage(format!(
                "--name {name:?}: a simulation's name is 1 to 32 of a-z, 0-9 and '-'"
            )));
        }
        Ok(Self { root: paths::state_dir()?.join("sim").join(name) })
    }

    /// The supervisor's socket. Its path must fit into 107 bytes (unix(7)).
    pub(crate) fn socket(&self) -> Result<PathBuf, Failure> {
        let path = self.root.join("control.sock");
        let length = path.as_os_str().len();
        if length > 107 {
            return Err(Failure::usage(format!(
                "{}: {length} bytes, and the path of a socket may have 107",
                path.display()
            ))
            .hint("set FARQUORUM_STATE_DIR to a shorter path"));
        }
        Ok(path)
    }

    /// Held by whoever starts, stops, deletes or supervises the simulation ([`super::lock`]).
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The configuration that all processes of the simulation read.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("farquorum.toml")
    }

    /// The configuration of one host's process, where these differ: over relays.
    pub(crate) fn host_config(&self, host: &str) -> PathBuf {
        self.root.join("hosts").join(format!("{host}.toml"))
    }

    /// How commands outside reach the cluster.
    pub(crate) fn context(&self) -> PathBuf {
        self.root.join("context.toml")
    }

    /// Authorities, certificates and keys.
    pub(crate) fn certs(&self) -> PathBuf {
        self.root.join("certs")
    }

    /// Data of a node or of the object store.
    pub(crate) fn data(&self, host: &str) -> PathBuf {
        self.root.join("data").join(host)
    }

    /// What a host's process prints.
    pub(crate) fn log(&self, host: &str) -> PathBuf {
        self.root.join("logs").join(format!("{host}.log"))
    }

    /// The S3 credentials.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.data("object-store").join("credentials.toml")
    }

    /// Makes the folders.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        for folder in [self.root.clone(), self.certs(), self.root.join("data"), self.root.join("logs")] {
            paths::make_folder(&folder)?;
        }
        restrict(&self.root)
    }
}

/// Keys are in here: nobody else looks in.
fn restrict(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?)
}
