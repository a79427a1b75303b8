//! Object storage: the client, its check, and the S3 server of the lab.
//!
//! Workers and the command line reach objects by URL through [`Store`]: `s3://bucket/key`, `gs://bucket/key`,
//! `az://container/key`, `file:///path`, or a plain path. Publishing a job's output once rests on one primitive, [`Store::put_if_absent`]; [`check`] shows whether a
//! given store keeps that promise. The server ([`S3Server`]) is for the lab: one folder, one pair of keys, no TLS.

mod asker;
mod authority;
mod bucket;
pub mod check;
mod client;
mod connector;
mod credentials;
mod error;
mod guard;
mod keys;
mod location;
mod reader;
mod server;
mod services;
mod settings;
mod trust;
mod writer;

pub use authority::Authorities;
pub use client::{Listing, ObjectInfo, Store};
pub use credentials::Credentials;
pub use error::StoreError;
pub use keys::Keys;
pub use location::{is_bucket, join};
pub use reader::{ObjectReader, PIECE_BYTES};
pub use server::{S3Server, ServerError, ServerOptions};
pub use settings::{StorageSettings, bucket_url};
pub use writer::{ObjectWriter, PART_BYTES};
