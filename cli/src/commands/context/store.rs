//! The object store of an imported context: the bucket that Terraform made, or the server that farquorum.toml names, and
//! the files of this machine that open it.

use std::path::{Path, PathBuf};

use clap::Args;
use farquorum_client::StorageContext;
use farquorum_config::{Config, StorageService};
use farquorum_storage::{Authorities, Keys, bucket_url};

use super::outputs::Storage;
use crate::failure::{Failure, Kind};

/// Files of this machine for the object store.
#[derive(Debug, Args)]
pub(super) struct StoreFiles {
    /// File with keys of the object store; without it, this machine's own identity in that cloud asks
    #[arg(long = "storage-credentials", value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// File with the authorities of an object store of your own; without it, the one that storage.ca names
    #[arg(long = "storage-ca", value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// The bucket that Terraform made, or the server that the configuration names.
pub(super) fn context(
    made: Option<Storage>,
    config: &Config,
    files: &StoreFiles,
) -> Result<StorageContext, Failure> {
    let own = &config.storage;
    let credentials = files.credentials.as_deref().map(credentials).transpose()?;
    let url = bucket_url(own.service, &own.bucket);
    let Some(made) = made else {
        if own.service != StorageService::S3 {
            let message =
                format!("Terraform made no bucket {url}, which farquorum.toml names as storage.bucket");
            return Err(Failure::new(Kind::Refused, message).hint("farquorum render, terraform apply"));
        }
        let endpoint = Some(format!("{}://{}", own.scheme(), own.host_port()));
        let ca = authorities(config, files.ca.as_deref())?;
        let region = own.region.clone();
        return Ok(StorageContext { url, endpoint, ca, region, account: None, credentials });
    };
    if made.url != url {
        let message = format!(
            "the workers' farquorum.toml says that objects are in {url}, and Terraform made {}",
            made.url
        );
        return Err(Failure::new(Kind::Refused, message).hint("farquorum render, terraform apply"));
    }
    let ca = authorities(config, files.ca.as_deref())?;
    let region = made.region.unwrap_or_else(|| own.region.clone());
    Ok(StorageContext { url, endpoint: None, ca, region, account: made.account, credentials })
}

fn credentials(file: &Path) -> Result<PathBuf, Failure> {
    let file = std::path::absolute(file).map_err(Failure::failed)?;
    Keys::load(&file).map_err(Failure::usage)?;
    Ok(file)
}

/// The file with the authorities, after it was seen to be of use; none when nothing is asked for a certificate of ours.
fn authorities(config: &Config, given: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let own = &config.storage;
    if own.service != StorageService::S3 || !own.tls {
        return match given {
            None => Ok(None),
            Some(_) => {
                let message =
                    "--storage-ca is for an object store of your own with HTTPS, and farquorum.toml has none";
                Err(Failure::usage(message)
                    .hint("leave it out, or set storage.service = \"s3\" and storage.tls = true"))
            }
        };
    }
    let Some(file) = given.or(own.ca.as_deref()) else { return Ok(None) };
    let file = std::path::absolute(file).map_err(Failure::failed)?;
    let hint = "storage.ca names a file of the workers: --storage-ca FILE names a copy on this machine";
    Authorities::load(&file).map_err(|error| match given {
        Some(_) => Failure::usage(error),
        None => Failure::usage(error).hint(hint),
    })?;
    Ok(Some(file))
}
