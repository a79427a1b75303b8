//! The context file of a simulation: how commands outside reach its cluster.

use farquorum_client::{Context, ContextNode, SimContext, StorageContext, TlsContext};
use farquorum_config::Config;
use farquorum_netem::lab::OBJECT_STORE;
use farquorum_tls::{AuthorityKind, Layout};

use super::folder::Folder;
use super::report::HostPlan;
use crate::commands::certs::ADMIN;
use crate::failure::Failure;

/// Writes it.
pub(crate) fn write(folder: &Folder, config: &Config, name: &str, hosts: &[HostPlan]) -> Result<(), Failure> {
    let port = |host: &str, service: &str| -> String {
        let host = hosts.iter().find(|plan| plan.name == host);
        host.and_then(|host| host.ports.get(service)).cloned().unwrap_or_default()
    };
    let node = |node: &farquorum_config::Node| ContextNode {
        id: node.id.0,
        name: node.name.clone(),
        cloud: node.cloud.clone(),
        grpc: port(&node.name, "grpc"),
        http: port(&node.name, "http"),
    };
    let certs = Layout::new(&folder.certs());
    let context = Context {
        cluster: config.cluster.name.clone(),
        nodes: config.nodes.iter().map(node).collect(),
        tls: TlsContext {
            ca: certs.authority_certificate(AuthorityKind::Peer),
            cert: certs.certificate(ADMIN),
            key: certs.key(ADMIN),
        },
        storage: Some(StorageContext {
            url: farquorum_storage::bucket_url(config.storage.service, &config.storage.bucket),
            endpoint: Some(format!("http://{}", port(OBJECT_STORE, "s3"))),
            ca: None,
            region: config.storage.region.clone(),
            account: None,
            credentials: Some(folder.credentials()),
        }),
        sim: Some(SimContext { name: name.to_owned(), control: folder.socket()? }),
    };
    context.save(&folder.context()).map_err(Failure::failed)
}
