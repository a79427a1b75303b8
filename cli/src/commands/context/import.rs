//! `farquorum context import`: a context from what Terraform made. The cluster must be the one of the farquorum.toml that
//! is here: the ports of HTTP come from it, and whoever imports another one by mistake would change the wrong cluster.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use farquorum_client::{Context, Contexts, Place, TlsContext};
use farquorum_config::{Config, Sources, load_text, read};
use farquorum_tls::{AuthorityFiles, AuthorityKind, ClientFiles, ClientTls, Layout};
use sha2::{Digest as _, Sha256};

use super::outputs::Outputs;
use super::store::{self, StoreFiles};
use crate::args::Global;
use crate::commands::certs::ADMIN;
use crate::failure::{Failure, Kind};
use crate::paths;

/// Longest document that is read: thousands of nodes, and no trap when the path is wrong.
const BYTES_MAX: u64 = 4 << 20;

/// `farquorum context import`
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What `terraform output -json` printed; - is standard input
    file: PathBuf,
    /// Name of the context; without it, that of the cluster
    #[arg(long)]
    name: Option<String>,
    /// Folder with the authorities' certificates and that of the caller
    #[arg(long, value_name = "DIR", default_value = "certs")]
    certs: PathBuf,
    /// Whose certificate in that folder to use
    #[arg(long = "as", value_name = "NAME", default_value = ADMIN)]
    holder: String,
    #[command(flatten)]
    store: StoreFiles,
    /// Replace a context of this name that says something else
    #[arg(long)]
    force: bool,
    /// Import a cluster that was not built from the farquorum.toml that is here
    #[arg(long)]
    ignore_digest: bool,
}

/// Writes the context.
pub(super) fn import(global: &Global, contexts: &Contexts, args: &Import) -> Result<Place, Failure> {
    let outputs = Outputs::parse(&document(&args.file)?)
        .map_err(|message| Failure::usage(format!("{}: {message}", shown(&args.file))).hint(NEXT))?;
    let place = contexts.imported(args.name.as_ref().unwrap_or(&outputs.cluster)).map_err(Failure::usage)?;
    let config = configuration(global, &outputs, args.ignore_digest)?;
    let http_port = |name: &str| config.node(name).map_or(config.ports.http, |node| node.http_port);
    let context = Context {
        nodes: outputs.context_nodes(http_port),
        tls: certificates(&outputs.cluster, args)?,
        cluster: outputs.cluster,
        storage: Some(store::context(outputs.storage, &config, &args.store)?),
        sim: None,
    };
    if place.path.exists() && !args.force && Context::load(&place.path).ok().as_ref() != Some(&context) {
        let message = format!("there is another context {} in {}", place.name, place.path.display());
        let hint = "--force replaces it, --name NAME keeps both; farquorum context show prints it";
        return Err(Failure::new(Kind::Refused, message).hint(hint));
    }
    paths::make_folder(&contexts.folder())?;
    context.save(&place.path).map_err(Failure::failed)?;
    paths::give_to_caller(&place.path)?;
    Ok(place)
}

/// What makes the document.
const NEXT: &str = "terraform -chdir=terraform/roots/ROOT output -json | farquorum context import -";

fn shown(file: &Path) -> String {
    if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

fn document(file: &Path) -> Result<String, Failure> {
    let fails = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", shown(file)));
    let mut text = String::new();
    let mut source: Box<dyn std::io::Read> = if is_standard_input(file) {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(fails)?)
    };
    let mut bounded = source.by_ref().take(BYTES_MAX + 1);
    let size = bounded.read_to_string(&mut text).map_err(fails)?;
    if u64::try_from(size).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(Failure::usage(format!("{} has more than {BYTES_MAX} bytes", shown(file))).hint(NEXT));
    }
    Ok(text)
}

/// The configuration that is here, when the cluster was built from it.
fn configuration(global: &Global, outputs: &Outputs, any: bool) -> Result<Config, Failure> {
    let Some(file) = global.sources().file else {
        let message = "there is no farquorum.toml here, and the ports of the cluster stand in it";
        return Err(Failure::usage(message).hint("farquorum context import --config FILE"));
    };
    let text = read(&file).map_err(Failure::usage)?;
    let here = hex::encode(Sha256::digest(text.as_bytes()));
    if here != outputs.toml_sha256 && !any {
        let message = format!(
            "cluster {} was built from another farquorum.toml: SHA-256 {}, and that of {} is {here}",
            outputs.cluster,
            outputs.toml_sha256,
            file.display()
        );
        let hint =
            "farquorum render and terraform apply, or --config FILE; --ignore-digest imports it as it is";
        return Err(Failure::new(Kind::Refused, message).hint(hint));
    }
    // As for `render`: what the environment of this machine sets is nothing to do with that cluster.
    Ok(load_text(&text, Some(&file), &Sources::default()).map_err(Failure::usage)?.config)
}

/// Paths of the certificates, after they were seen to be there and of this cluster.
fn certificates(cluster: &str, args: &Import) -> Result<TlsContext, Failure> {
    let absolute = std::path::absolute(&args.certs).map_err(Failure::failed)?;
    let layout = Layout::new(&absolute);
    let (cert, key) = (layout.certificate(&args.holder), layout.key(&args.holder));
    let ca = layout.authority_certificate(AuthorityKind::Peer);
    let files =
        ClientFiles { certificate: cert.clone(), key: key.clone(), peer_ca: AuthorityFiles::beside(&ca) };
    ClientTls::new(cluster, files).map_err(|error| {
        let hint = format!(
            "--certs DIR with the certificates of {cluster}; farquorum certs issue --dir DIR --role admin --name {} \
             makes one",
            args.holder
        );
        Failure::usage(error).hint(hint)
    })?;
    Ok(TlsContext { ca, cert, key })
}
