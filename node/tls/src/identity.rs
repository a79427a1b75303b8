//! Who somebody is: one URI in the certificate, `spiffe://<cluster>/<role>/<name>`.
//!
//! Parsed here, strictly, because rustls-webpki enforces no name constraints on URIs. Names are lower-case host names,
//! so there is one spelling of each identity and no escaping: what is not allowed is an error, never normalised.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Longest cluster, node, worker or client name: one DNS label's length.
const NAME_MAX: usize = 63;

/// What the holder of a certificate may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A control-plane member; the only role of the peer authority.
    Node,
    /// Runs tasks.
    Worker,
    /// Submits and reads.
    Client,
    /// A client that may also change the cluster.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Node, Self::Worker, Self::Client, Self::Admin];

    /// The role as it stands in the URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Worker => "worker",
            Self::Client => "client",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| IdentityError::UnknownRole { role: text.to_owned() })
    }
}

/// Who somebody is, in which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Name of the cluster.
    pub cluster: String,
    /// What it may be.
    pub role: Role,
    /// Its name, unique in the cluster and role; for nodes and workers the host name in the configuration.
    pub name: String,
}

/// An identity that is not there, not one, or not the one that is needed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Not the form that we issue.
    #[error("identity {uri:?} is not of the form spiffe://<cluster>/<role>/<name>")]
    Form {
        /// What stands in the certificate.
        uri: String,
    },
    /// A role that we do not know.
    #[error("role {role:?} is not one of node, worker, client, admin")]
    UnknownRole {
        /// The role.
        role: String,
    },
    /// A part with characters or a length that are not allowed.
    #[error("{part} {value:?} is not 1 to 63 of a-z, 0-9, '-' and '.', with a letter or digit at both ends")]
    Name {
        /// `cluster` or `name`.
        part: &'static str,
        /// The value.
        value: String,
    },
    /// None, or several: which of them would count?
    #[error(
        "the certificate has {found} URI names; exactly one, spiffe://<cluster>/<role>/<name>, is needed"
    )]
    Count {
        /// How many.
        found: usize,
    },
    /// Not a certificate that can be read.
    #[error("not a readable X.509 certificate: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
    /// Somebody of another cluster.
    #[error("{identity} belongs to cluster {:?}, this is cluster {expected:?}", identity.cluster)]
    WrongCluster {
        /// Who it is.
        identity: Identity,
        /// This cluster.
        expected: String,
    },
    /// A role that has no business here.
    #[error("{identity} has role {}, here only {allowed} is allowed", identity.role)]
    WrongRole {
        /// Who it is.
        identity: Identity,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A node, but another one.
    #[error("{identity} answered where node {expected:?} was expected")]
    WrongName {
        /// Who it is.
        identity: Identity,
        /// Who was expected.
        expected: String,
    },
}

impl Identity {
    /// An identity of these parts.
    ///
    /// # Errors
    /// [`IdentityError::Name`] when the cluster or the name has characters or a length that are not allowed.
    pub fn new(cluster: &str, role: Role, name: &str) -> Result<Self, IdentityError> {
        check_name("cluster", cluster)?;
        check_name("name", name)?;
        Ok(Self { cluster: cluster.to_owned(), role, name: name.to_owned() })
    }

    /// The identity in a certificate (DER). Says nothing about who signed it.
    ///
    /// # Errors
    /// When the certificate is not readable, has no URI name or several, or the one is not an identity.
    pub fn from_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        let unreadable = |reason: String| IdentityError::Certificate { reason };
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(unreadable(format!("{} bytes after its end", rest.len())));
        }
        let names = certificate.subject_alternative_name().map_err(|error| unreadable(error.to_string()))?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            })
            .collect();
        match uris.as_slice() {
            [uri] => uri.parse(),
            several => Err(IdentityError::Count { found: several.len() }),
        }
    }

    /// This identity, when it belongs to the cluster.
    pub(crate) fn require_cluster(self, cluster: &str) -> Result<Self, IdentityError> {
        if self.cluster == cluster {
            return Ok(self);
        }
        Err(IdentityError::WrongCluster { identity: self, expected: cluster.to_owned() })
    }

    /// This identity, when it is a node.
    pub(crate) fn require_node(self) -> Result<Self, IdentityError> {
        if self.role == Role::Node {
            return Ok(self);
        }
        Err(IdentityError::WrongRole { identity: self, allowed: "node" })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/{}/{}", self.cluster, self.role, self.name)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let form = || IdentityError::Form { uri: uri.to_owned() };
        let path = uri.strip_prefix("spiffe://").ok_or_else(form)?;
        let parts: Vec<&str> = path.split('/').collect();
        let [cluster, role, name] = parts.as_slice() else { return Err(form()) };
        Self::new(cluster, role.parse()?, name)
    }
}

fn check_name(part: &'static str, value: &str) -> Result<(), IdentityError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = value.as_bytes();
    let ends = bytes.first().is_some_and(|&b| plain(b)) && bytes.last().is_some_and(|&b| plain(b));
    let inside = bytes.iter().all(|&b| plain(b) || b == b'-' || b == b'.') && !value.contains("..");
    if ends && inside && bytes.len() <= NAME_MAX {
        return Ok(());
    }
    Err(IdentityError::Name { part, value: value.to_owned() })
}
