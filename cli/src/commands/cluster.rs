//! The cluster that a command talks to: the context file that was named, or the running simulation.

use std::time::Duration;

use farquorum_client::{ClientError, Cluster, Context, ContextError, Contexts, Place, Timing};
use farquorum_config::Detours;
use farquorum_proto::v1::{NodeStatus, RaftRole};
use farquorum_storage::{StorageSettings, Store};

use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::paths;

/// Nothing that runs is something else than a file that cannot be used.
pub(crate) fn no_context(error: ContextError) -> Failure {
    match error {
        ContextError::None { .. } => Failure::new(Kind::NotAvailable, error),
        _ => Failure::usage(error),
    }
}

/// Where the context that the flags name is, else of the one in use or the running simulation.
pub(crate) fn place(global: &Global) -> Result<Place, Failure> {
    if let Some(file) = global.context.as_deref().and_then(Place::of_file) {
        // Needs no folder for state: a container has none.
        return Ok(file);
    }
    let contexts = Contexts::new(&paths::state_dir()?);
    let place = match &global.context {
        Some(name) => contexts.named(&name.to_string_lossy()),
        None => contexts.chosen(),
    };
    place.map_err(no_context)
}

/// Why a node did not say how it is.
#[derive(Debug)]
pub(crate) struct Silence {
    /// It did not want to, such as for a certificate that it does not accept.
    pub(crate) refused: bool,
    /// What happened, of several lines.
    pub(crate) why: String,
}

impl Silence {
    fn new(why: &str) -> Self {
        Self { refused: false, why: why.to_owned() }
    }

    /// What happened, in one line.
    pub(crate) fn brief(&self) -> String {
        brief(&self.why)
    }
}

/// The last line of an error says why; the lines before it, what was tried.
pub(crate) fn brief(why: &str) -> String {
    why.lines().last().unwrap_or_default().trim().to_owned()
}

/// A cluster and how it was found.
pub(crate) struct Connection {
    /// Where it is.
    pub(crate) context: Context,
    /// To call it.
    pub(crate) cluster: Cluster,
}

impl Connection {
    /// From the context that the flags or the running simulation give. Async because channels need a running runtime.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let context = place(global)?.load().map_err(no_context)?;
        Self::to(context, global.deadline()).await
    }

    /// To a known context.
    #[allow(clippy::unused_async, reason = "tonic's channels spawn tasks: only inside a runtime")]
    pub(crate) async fn to(context: Context, deadline: Duration) -> Result<Self, Failure> {
        let timing = Timing { deadline, ..Timing::default() };
        let cluster = Cluster::from_context(&context, timing)?;
        Ok(Self { context, cluster })
    }

    /// The object store of this cluster.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        let storage = self.context.storage.as_ref().ok_or_else(|| {
            Failure::usage("this context names no object store")
                .hint("add a [storage] table to the context file")
        })?;
        Ok(Store::open(&StorageSettings {
            url: storage.url.clone(),
            endpoint: storage.endpoint.clone(),
            ca: storage.ca.clone(),
            region: storage.region.clone(),
            account: storage.account.clone(),
            credentials: storage.credentials.clone(),
            detours: Detours::default(),
        })?)
    }

    /// What every node says of itself, asked at the same time; `Err` holds why one did not answer.
    pub(crate) async fn statuses(&self) -> Vec<(String, Result<NodeStatus, Silence>)> {
        let ask = |name: String| async move {
            let api = self.cluster.cluster();
            let answer = tokio::time::timeout(Duration::from_secs(2), api.status_of(&name)).await;
            let status = match answer {
                Ok(Ok(response)) => response.node.ok_or_else(|| Silence::new("an empty answer")),
                Ok(Err(error)) => Err(Silence {
                    refused: matches!(error, ClientError::Refused { .. }),
                    why: error.to_string(),
                }),
                Err(_) => Err(Silence::new("no answer within 2 s")),
            };
            (name, status)
        };
        futures::future::join_all(self.context.nodes.iter().map(|node| ask(node.name.clone()))).await
    }

    /// Label of the cloud whose node leads.
    pub(crate) async fn leader_cloud(&self) -> Option<String> {
        let leader = self.leader().await?;
        self.context.nodes.iter().find(|node| node.name == leader).map(|node| node.cloud.clone())
    }

    /// Name of the node that says that it leads; of two, the one in the later term.
    pub(crate) async fn leader(&self) -> Option<String> {
        let statuses = self.statuses().await;
        let leaders = statuses.into_iter().filter_map(|(name, status)| Some((name, status.ok()?)));
        leaders
            .filter(|(_, status)| status.role() == RaftRole::Leader)
            .max_by_key(|(_, status)| status.term)
            .map(|(name, _)| name)
    }
}
