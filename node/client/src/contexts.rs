//! The contexts of this machine: those that were imported, and one for each simulation that runs. One of them may be in
//! use: commands talk to it when none is named. Without one, they talk to the simulation that runs.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use farquorum_config::write_whole;

use crate::context::{Context, ContextError};

/// Name of the simulation that is taken when several run and no context is in use.
const DEFAULT_NAME: &str = "default";
/// Begins the names of simulations' contexts; no other name holds a colon.
const SIM: &str = "sim:";
/// Longest name: a DNS label, as names of clusters are.
const NAME_MAX: usize = 63;

/// The contexts below one state folder.
#[derive(Clone, Debug)]
pub struct Contexts {
    state_dir: PathBuf,
}

/// Where one context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `prod`, or `sim:default` for a simulation; of a file elsewhere its path.
    pub name: String,
    /// The context file.
    pub path: PathBuf,
}

impl Place {
    /// The file that a person names: with a `/`, or ending with `.toml`, or there. None: it is a name.
    pub fn of_file(name: &Path) -> Option<Self> {
        let text = name.to_string_lossy();
        let file = text.contains('/') || text.ends_with(".toml") || name.is_file();
        file.then(|| Self { name: text.into_owned(), path: name.to_owned() })
    }

    /// Reads it.
    ///
    /// # Errors
    /// Those of [`Context::load`].
    pub fn load(&self) -> Result<Context, ContextError> {
        Context::load(&self.path)
    }
}

impl Contexts {
    /// Those below this state folder; nothing is read or made.
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// Folder of the imported ones.
    pub fn folder(&self) -> PathBuf {
        self.state_dir.join("contexts")
    }

    /// Where the imported context of this name is, or would be.
    ///
    /// # Errors
    /// [`ContextError::Name`]: the name becomes part of a path.
    pub fn imported(&self, name: &str) -> Result<Place, ContextError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(plain) {
            return Err(ContextError::Name { name: name.to_owned() });
        }
        Ok(Place { name: name.to_owned(), path: self.folder().join(format!("{name}.toml")) })
    }

    /// All of them by name, the simulations last. A folder that is missing or not readable holds none of this user.
    pub fn all(&self) -> Vec<Place> {
        let mut imported: Vec<Place> = entries(&self.folder())
            .filter_map(|path| self.imported(path.file_name()?.to_str()?.strip_suffix(".toml")?).ok())
            .filter(|place| place.path.is_file())
            .collect();
        imported.sort_by(|one, other| one.name.cmp(&other.name));
        imported.extend(self.simulations());
        imported
    }

    fn simulations(&self) -> Vec<Place> {
        let mut found: Vec<Place> = entries(&self.state_dir.join("sim"))
            .filter_map(|folder| {
                let name = format!("{SIM}{}", folder.file_name()?.to_str()?);
                Some(Place { name, path: folder.join("context.toml") })
            })
            .filter(|place| place.path.is_file())
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// The one of this name.
    ///
    /// # Errors
    /// [`ContextError::Unknown`] with the names that there are.
    pub fn named(&self, name: &str) -> Result<Place, ContextError> {
        let all = self.all();
        let known = all.iter().map(|place| place.name.clone()).collect();
        let unknown = || ContextError::Unknown { name: name.to_owned(), known };
        all.into_iter().find(|place| place.name == name).ok_or_else(unknown)
    }

    /// The context of commands that name none: the one in use, else the simulation that runs; with several, the one
    /// named `default`.
    ///
    /// # Errors
    /// [`ContextError::None`], [`ContextError::Several`], [`ContextError::Gone`] when the one in use is not there any
    /// more, [`ContextError::Read`].
    pub fn chosen(&self) -> Result<Place, ContextError> {
        if let Some(name) = self.in_use()? {
            return self
                .all()
                .into_iter()
                .find(|place| place.name == name)
                .ok_or(ContextError::Gone { name });
        }
        let mut found = self.simulations();
        let default = format!("{SIM}{DEFAULT_NAME}");
        match found.iter().position(|place| place.name == default).or((found.len() == 1).then_some(0)) {
            Some(at) => Ok(found.swap_remove(at)),
            None if found.is_empty() => Err(ContextError::None { state_dir: self.state_dir.clone() }),
            None => Err(ContextError::Several { found: found.into_iter().map(|place| place.path).collect() }),
        }
    }

    /// Name of the context in use.
    ///
    /// # Errors
    /// [`ContextError::Read`].
    pub fn in_use(&self) -> Result<Option<String>, ContextError> {
        match fs::read_to_string(self.in_use_file()) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ContextError::Read { path: self.in_use_file(), source }),
        }
    }

    /// Takes a context into use, or none. [`Self::folder`] must be there.
    ///
    /// # Errors
    /// [`ContextError::Unknown`], [`ContextError::Write`].
    pub fn set_in_use(&self, name: Option<&str>) -> Result<(), ContextError> {
        let path = self.in_use_file();
        let write = |source: io::Error| ContextError::Write { path: path.clone(), source };
        let Some(name) = name else {
            return fs::remove_file(&path).or_else(|error| {
                if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(write(error)) }
            });
        };
        self.named(name)?;
        write_whole(&path, 0o644, format!("{name}\n")).map_err(write)
    }

    /// Holds the name of the one in use. No context's file has this name: they end with `.toml`.
    pub fn in_use_file(&self) -> PathBuf {
        self.folder().join("in-use")
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
