//! Identity: certificate authorities, mutual TLS 1.3, roles; the only crate that knows rustls.
//!
//! Every gRPC port of the product is served by an [`Acceptor`] and dialled by a [`Connector`]. Who somebody is stands in
//! exactly one URI of the certificate, `spiffe://<cluster>/<role>/<name>` ([`Identity`]). Two authorities per cluster
//! keep the planes apart: only the peer authority can make a node, so no worker's or client's certificate ever speaks
//! Raft (that mix-up was CVE-2021-37218 in Nomad and CVE-2021-37219 in Consul).
//!
//! A folder of certificates looks like this ([`Layout`]):
//!
//! ```text
//! ca/peer.crt    ca/peer.key    ca/peer.crl      signs role node
//! ca/client.crt  ca/client.key  ca/client.crl    signs roles worker, client, admin
//! <name>.crt     <name>.key                      one pair for each holder
//! ```
//!
//! A host needs the two `.crt` and `.crl` files of `ca/` and its own pair; the authorities' keys stay where certificates
//! are issued. It can make its own key and have it signed elsewhere ([`request()`], [`sign`], [`install`]): the key never
//! leaves it. Limits: a connection that is open stays open when its certificate is revoked or expires; the next
//! handshake is refused.

mod authority;
mod bundle;
mod config;
mod connector;
mod error;
mod files;
mod identity;
mod reload;
mod request;
mod server;
mod show;
mod stream;
mod verify;

pub use authority::{Authority, AuthorityKind, IssueRequest, Issued, init, issue};
pub use bundle::{Installed, bundle, install};
pub use config::{AuthorityFiles, ClientFiles, ServerFiles};
pub use connector::{ClientStream, ClientTls, ConnectError, Connector};
pub use error::TlsError;
pub use files::Layout;
pub use identity::{Identity, IdentityError, Role};
pub use request::{Holder, Requested, Signed, SigningRequest, Terms, request, sign};
pub use server::{AcceptLimits, Acceptor, Port};
pub use show::{CertInfo, show};
pub use stream::{PeerInfo, ServerStream};
