//! Fake nodes: real gRPC servers with real certificates on loopback, whose answers the test decides.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a module of tests")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farquorum_client::wire::{self, LeaderHint, Reason};
use farquorum_client::{Cluster, NodeAddress, Settings, Timing};
use farquorum_proto::v1::kv_service_server::{KvService, KvServiceServer};
use farquorum_proto::v1::{
    CompareAndSetRequest, CompareAndSetResponse, DeleteRequest, DeleteResponse, GetRequest, GetResponse,
    ListRequest, ListResponse, SetRequest, SetResponse,
};
use farquorum_tls::{
    AcceptLimits, Acceptor, ClientFiles, ClientTls, IssueRequest, PeerInfo, Port, Role, ServerFiles, init,
    issue,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tonic::{Request, Response, Status, async_trait};

pub const CLUSTER: &str = "lab";

/// What a fake node does with each request.
#[derive(Clone, Debug)]
pub enum Mood {
    Leads,
    Follows(LeaderHint),
    Says(Reason),
    /// Takes the request and never answers.
    Swallows,
}

/// A fake node.
#[derive(Clone)]
pub struct Node {
    pub name: &'static str,
    pub address: String,
    mood: Arc<Mutex<Mood>>,
    callers: Arc<Mutex<Vec<String>>>,
}

impl Node {
    pub async fn start(dir: &Path, name: &'static str, mood: Mood) -> Self {
        give(dir, Role::Node, name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let files = ServerFiles::in_dir(dir, name);
        let acceptor = Acceptor::new(CLUSTER, files, Port::Public, AcceptLimits::default()).unwrap();
        let node = Self { name, address, mood: Arc::new(Mutex::new(mood)), callers: Arc::default() };
        let service = KvServiceServer::new(node.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(acceptor.incoming(listener)));
        node
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Identities of the callers, one for each request.
    pub fn callers(&self) -> Vec<String> {
        self.callers.lock().unwrap().clone()
    }

    pub fn hint(&self) -> LeaderHint {
        LeaderHint { id: 2, name: self.name.to_owned(), address: self.address.clone(), term: 7 }
    }

    pub fn at(&self) -> NodeAddress {
        NodeAddress { name: Some(self.name.to_owned()), address: self.address.clone() }
    }

    async fn answer<M, R>(&self, request: Request<M>, answer: R) -> Result<Response<R>, Status> {
        let caller = request.extensions().get::<PeerInfo>().unwrap().identity.to_string();
        self.callers.lock().unwrap().push(caller);
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Leads => Ok(Response::new(answer)),
            Mood::Follows(leader) => Err(wire::not_leader(&leader)),
            Mood::Says(reason) => Err(wire::status(reason, "so it is")),
            Mood::Swallows => std::future::pending().await,
        }
    }
}

#[async_trait]
impl KvService for Node {
    async fn set(&self, request: Request<SetRequest>) -> Result<Response<SetResponse>, Status> {
        self.answer(request, SetResponse { revision: 1 }).await
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        self.answer(request, GetResponse::default()).await
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        self.answer(request, DeleteResponse::default()).await
    }

    async fn compare_and_set(
        &self,
        request: Request<CompareAndSetRequest>,
    ) -> Result<Response<CompareAndSetResponse>, Status> {
        self.answer(request, CompareAndSetResponse::default()).await
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        self.answer(request, ListResponse::default()).await
    }
}

/// A port that takes connections and says nothing, while it is held, and the node that is meant to be there.
pub async fn listener(name: &str) -> (TcpListener, NodeAddress) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, NodeAddress { name: Some(name.to_owned()), address })
}

/// An address at which each connection to the node is held up for this long, and how many were made.
pub async fn slowly(node: &Node, hold: Duration) -> (NodeAddress, Arc<AtomicUsize>) {
    let (listener, at) = listener(node.name).await;
    let (to, made) = (node.address.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&made);
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let to = to.clone();
            tokio::spawn(async move {
                tokio::time::sleep(hold).await;
                let mut to = TcpStream::connect(to).await.unwrap();
                // Ends with either side; what is lost then is the test's to notice.
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    (at, made)
}

/// Certificates of a cluster with a client, `me`.
pub fn pki() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), CLUSTER).unwrap();
    give(dir.path(), Role::Client, "me");
    dir
}

pub fn give(dir: &Path, role: Role, name: &str) {
    issue(dir, &IssueRequest { role, name, sans: &[], days: 1, force: true }).unwrap();
}

/// Short enough for a test that waits for the end of it.
pub fn timing() -> Timing {
    Timing {
        deadline: Duration::from_millis(900),
        attempt: Duration::from_millis(300),
        connect: Duration::from_millis(300),
        pause_max: Duration::from_millis(50),
    }
}

/// Long enough for calls that must end well before it.
pub fn generous() -> Timing {
    Timing { deadline: Duration::from_secs(60), connect: Duration::from_secs(20), ..timing() }
}

pub fn cluster(dir: &Path, nodes: Vec<NodeAddress>, timing: Timing) -> Cluster {
    let tls = ClientTls::new(CLUSTER, ClientFiles::in_dir(dir, "me")).unwrap();
    Cluster::new(&Settings { nodes, tls, timing }).unwrap()
}
