//! NODE-9: the standard services `grpc.health.v1` and `grpc.reflection.v1`: what they say, and who may ask.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail")]

mod nodes;

use std::collections::BTreeSet;

use farquorum_tls::{Role, init};
use nodes::{Nodes, holder};
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// The whole node, as the health protocol names it.
const NODE: &str = "";

async fn health(channel: Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    Ok(HealthClient::new(channel).check(request).await?.into_inner().status())
}

/// Asks one thing of the reflection service.
async fn reflect(channel: Channel, question: MessageRequest) -> Result<MessageResponse, Status> {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await?.into_inner();
    Ok(answers.message().await?.unwrap().message_response.unwrap())
}

async fn services(channel: Channel) -> Result<BTreeSet<String>, Status> {
    match reflect(channel, MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Full names of the services in the proto files of this build.
fn our_services() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(farquorum_proto::FILE_DESCRIPTOR_SET).unwrap().file;
    let ours = files.iter().filter(|file| file.package() == "farquorum.v1");
    ours.flat_map(|file| file.service.iter().map(|service| format!("farquorum.v1.{}", service.name())))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_of_the_cluster_and_nobody_else_may_ask() {
    let nodes = Nodes::start(1).await;
    let leader = nodes.leader().await;
    let node = nodes.config.nodes[leader].name.clone();
    let ours = our_services();
    assert!(ours.len() >= 6, "{ours:?}");
    for holder in [node.as_str(), "worker-1", "client-1", "admin-1"] {
        let channel = nodes.channel(leader, holder);
        assert_eq!(health(channel.clone(), NODE).await.unwrap(), ServingStatus::Serving, "{holder}");
        let listed = services(channel).await.unwrap();
        assert!(listed.is_superset(&ours), "{holder}: {listed:?}");
        assert!(listed.contains("grpc.health.v1.Health"), "{holder}: {listed:?}");
    }
    let foreign = TempDir::new().unwrap();
    init(foreign.path(), &nodes.config.cluster.name).unwrap();
    holder(foreign.path(), Role::Admin, "admin-1");
    for file in ["peer.crt", "peer.crl"] {
        std::fs::copy(nodes.dir.path().join("certs/ca").join(file), foreign.path().join("ca").join(file))
            .unwrap();
    }
    let address = nodes.config.nodes[leader].grpc_address();
    let stranger = nodes.channel_to(&address, leader, foreign.path(), "admin-1");
    assert!(
        health(stranger.clone(), NODE).await.is_err(),
        "a caller of another authority was told the health"
    );
    assert!(services(stranger).await.is_err(), "a caller of another authority was told the services");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reflection_describes_is_what_is_called() {
    let nodes = Nodes::start(1).await;
    let leader = nodes.leader().await;
    let channel = nodes.channel(leader, "client-1");
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.to_owned());
    let MessageResponse::FileDescriptorResponse(found) =
        reflect(channel.clone(), symbol("farquorum.v1.KvService")).await.unwrap()
    else {
        panic!("no file");
    };
    let files = found.file_descriptor_proto.iter();
    let files: Vec<FileDescriptorProto> =
        files.map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).unwrap()).collect();
    let kv =
        files.iter().flat_map(|file| &file.service).find(|service| service.name() == "KvService").unwrap();
    let methods: Vec<&str> = kv.method.iter().map(|method| method.name()).collect();
    assert!(methods.contains(&"CompareAndSet"), "{methods:?}");
    let unknown = reflect(channel.clone(), symbol("farquorum.v1.NoService")).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    assert_eq!(health(channel, "farquorum.v1.NoService").await.unwrap_err().code(), Code::NotFound);
}

/// SERVING means that a leader is known: without one neither a write nor a read is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_follows_the_quorum() {
    let mut nodes = Nodes::prepare(3);
    nodes.start_node(0);
    nodes::until("the first node to listen", async || nodes.status(0).await.ok()).await;
    let request = HealthCheckRequest { service: NODE.to_owned() };
    let watched = HealthClient::new(nodes.channel(0, "client-1")).watch(request).await;
    let mut watched = watched.unwrap().into_inner();
    await_status(&mut watched, ServingStatus::NotServing).await;
    nodes.start_node(1);
    await_status(&mut watched, ServingStatus::Serving).await;
    nodes.stop_node(1).await;
    await_status(&mut watched, ServingStatus::NotServing).await;
}

/// Waits until a node says this of itself.
async fn await_status(watched: &mut Streaming<HealthCheckResponse>, expected: ServingStatus) {
    let wait = async { while watched.message().await.unwrap().unwrap().status() != expected {} };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("never {expected:?}"));
}
