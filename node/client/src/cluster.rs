//! Calls to a cluster: to the leader, wherever it is, until the deadline.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farquorum_tls::{AuthorityFiles, ClientFiles, ClientTls};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{self, Channel};
use tonic::{Request, Response, Status};

use crate::context::Context;
use crate::error::ClientError;
use crate::judge::{Verdict, judge, judge_connection};
use crate::pool::{NodeAddress, Pool};
use crate::route::{Route, Step};

/// How long a call waits for the connection to a node before it turns to the next one as well (RFC 8305 recommends this
/// value): a host that is gone must not cost every command the time that making a connection may take.
const STAGGER: Duration = Duration::from_millis(250);

/// In the last such part of its deadline a call that must not be done twice is not sent any more: its answer would hardly
/// come in time, and "not done" would become "unknown".
const LATE: u32 = 10;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A call, with all its attempts, when it sets no deadline of its own.
    pub deadline: Duration,
    /// One attempt of an idempotent call, so that a node that swallows requests does not eat the deadline.
    pub attempt: Duration,
    /// Making one connection.
    pub connect: Duration,
    /// Longest pause after all nodes were asked: at most one election timeout.
    pub pause_max: Duration,
}

impl Default for Timing {
    /// 10 s a call, 3 s an attempt, 2 s a connection, pauses of at most 500 ms: links of up to 300 ms RTT.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            attempt: Duration::from_secs(3),
            connect: Duration::from_secs(2),
            pause_max: Duration::from_millis(500),
        }
    }
}

/// What a [`Cluster`] is made of.
#[derive(Clone)]
pub struct Settings {
    /// Nodes to begin with; one that answers is enough.
    pub nodes: Vec<NodeAddress>,
    /// Certificates of the caller.
    pub tls: ClientTls,
    /// How long things may take.
    pub timing: Timing,
}

/// What a call is, apart from its message.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    what: &'static str,
    idempotent: bool,
    deadline: Option<Duration>,
    patient: bool,
}

impl Call {
    /// A call that may be done twice: a read, or one that carries an idempotency key or a fence. `what` names it in errors.
    pub fn idempotent(what: &'static str) -> Self {
        Self { what, idempotent: true, deadline: None, patient: false }
    }

    /// A call that must not be done twice.
    pub fn once(what: &'static str) -> Self {
        Self { what, idempotent: false, deadline: None, patient: false }
    }

    /// With a deadline of its own, for all attempts.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// One attempt may take the whole deadline: for calls that the server answers late on purpose.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }
}

/// A cluster to call; clones share channels and what is known of the leader.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    timing: Timing,
    /// Place of the node that answered last, most likely the leader.
    leader: Mutex<Option<usize>>,
}

impl Cluster {
    /// A cluster with these settings. Connects on the first call; needs a tokio runtime.
    ///
    /// # Errors
    /// When there is no node, or an address is not host:port.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        let Settings { nodes, tls, timing } = settings;
        let pool = Pool::new(tls.clone(), nodes, timing.connect)?;
        Ok(Self { shared: Arc::new(Shared { pool, timing: *timing, leader: Mutex::default() }) })
    }

    /// The cluster of a context. Connects on the first call; needs a tokio runtime.
    ///
    /// # Errors
    /// When the certificates are missing or unusable, or a node's address is.
    pub fn from_context(context: &Context, timing: Timing) -> Result<Self, ClientError> {
        let files = ClientFiles {
            certificate: context.tls.cert.clone(),
            key: context.tls.key.clone(),
            peer_ca: AuthorityFiles::beside(&context.tls.ca),
        };
        let nodes = context.nodes.iter();
        let nodes =
            nodes.map(|node| NodeAddress { name: Some(node.name.clone()), address: node.grpc.clone() });
        let tls = ClientTls::new(&context.cluster, files)?;
        Self::new(&Settings { nodes: nodes.collect(), tls, timing })
    }

    /// Makes a call at whichever node does it. `send` is called once for each attempt.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::OutcomeUnknown`] only when the call is not idempotent.
    pub async fn call<M, R, F, Fut>(&self, call: Call, message: M, send: F) -> Result<R, ClientError>
    where
        M: Clone,
        F: Fn(Channel, Request<M>) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        let start = Instant::now();
        let deadline = call.deadline.unwrap_or(self.shared.timing.deadline);
        let last = if call.idempotent { deadline } else { deadline - deadline / LATE };
        let mut route = Route::new(self.leader());
        let mut tried = Vec::new();
        // Asked in vain so far: their connections are being made.
        let mut pending = Vec::new();
        loop {
            let left = last.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(ClientError::NotAvailable { what: call.what, tried, deadline });
            }
            let (asked, patience) = match route.next(self.shared.pool.len(), self.shared.timing.pause_max) {
                Step::Ask(place) => (Some(place), STAGGER),
                Step::Pause(pause) => (None, jittered(pause)),
            };
            pending.extend(asked.filter(|place| !pending.contains(place)));
            let Some((place, link)) = self.wait(&pending, patience.min(left)).await else {
                let waits = asked.map(|place| self.shared.pool.label(place));
                if let Some(node) = waits.filter(|node| !tried.iter().any(|(known, _)| known == node)) {
                    tried.push((node, "no connection yet".to_owned()));
                }
                continue;
            };
            pending.retain(|other| *other != place);
            let node = self.shared.pool.label(place);
            let left = deadline.saturating_sub(start.elapsed());
            let answer = match link {
                Ok(channel) => self.attempt(&call, left, &node, channel, message.clone(), &send).await,
                Err(error) => Err(judge_connection(call.what, &node, &error)),
            };
            match answer {
                Ok(answer) => {
                    self.set_leader(Some(place));
                    return Ok(answer);
                }
                Err(verdict) => {
                    let reason = self.go_on(&call, &mut route, place, &node, verdict)?;
                    tracing::debug!(what = call.what, node, reason, "attempt failed");
                    remember(&mut tried, node, reason);
                }
            }
        }
    }

    /// The first of these nodes whose connection is there or failed, within `patience`.
    async fn wait(
        &self,
        pending: &[usize],
        patience: Duration,
    ) -> Option<(usize, Result<Channel, transport::Error>)> {
        match pending {
            [] => {
                sleep(patience).await;
                None
            }
            pending => self.shared.pool.settled(pending, patience).await,
        }
    }

    /// Where the call goes after an attempt that failed, and why it failed; or the error that ends it.
    fn go_on(
        &self,
        call: &Call,
        route: &mut Route,
        place: usize,
        node: &str,
        verdict: Verdict,
    ) -> Result<String, ClientError> {
        route.failed(place);
        match verdict {
            Verdict::Follow(leader) => {
                if let Some(leader) = self.shared.pool.learn(&leader) {
                    route.follow(leader);
                }
                Ok(format!("says that {} leads", leader.name))
            }
            Verdict::Elsewhere(reason) => Ok(reason),
            Verdict::Unsure(reason) if call.idempotent => Ok(reason),
            Verdict::Unsure(cause) => {
                self.set_leader(None);
                Err(ClientError::OutcomeUnknown { what: call.what, node: node.to_owned(), cause })
            }
            Verdict::Over(error) => Err(error),
        }
    }

    /// Makes a call at the node with this name and no other: for what each node knows of itself.
    ///
    /// # Errors
    /// See [`ClientError`]; a node that does not answer is [`ClientError::NotAvailable`].
    pub async fn call_node<M, R, F, Fut>(
        &self,
        name: &str,
        call: Call,
        message: M,
        send: F,
    ) -> Result<R, ClientError>
    where
        M: Clone,
        F: Fn(Channel, Request<M>) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        let deadline = call.deadline.unwrap_or(self.shared.timing.attempt);
        let place = self.shared.pool.named(name);
        let place = place
            .ok_or_else(|| ClientError::Settings(format!("there is no node {name:?} in the context")))?;
        let start = Instant::now();
        let answer = match self.shared.pool.settled(&[place], deadline).await {
            Some((_, Ok(channel))) => {
                let left = deadline.saturating_sub(start.elapsed());
                self.attempt(&call, left, name, channel, message, &send).await
            }
            Some((_, Err(error))) => Err(judge_connection(call.what, name, &error)),
            None => Err(Verdict::Elsewhere(format!("no connection within {deadline:.1?}"))),
        };
        let verdict = match answer {
            Ok(answer) => return Ok(answer),
            Err(verdict) => verdict,
        };
        let reason = match verdict {
            Verdict::Over(error) => return Err(error),
            Verdict::Follow(leader) => format!("says that {} leads", leader.name),
            Verdict::Elsewhere(reason) | Verdict::Unsure(reason) => reason,
        };
        Err(ClientError::NotAvailable { what: call.what, tried: vec![(name.to_owned(), reason)], deadline })
    }

    async fn attempt<M, R, F, Fut>(
        &self,
        call: &Call,
        left: Duration,
        node: &str,
        channel: Channel,
        message: M,
        send: &F,
    ) -> Result<R, Verdict>
    where
        F: Fn(Channel, Request<M>) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        // A call that cannot be sent again gains nothing from a shorter attempt.
        let short = call.idempotent && !call.patient;
        let limit = if short { left.min(self.shared.timing.attempt) } else { left };
        let mut request = Request::new(message);
        request.set_timeout(limit);
        match timeout(limit, send(channel, request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(judge(call.what, node, &status)),
            Err(_) => Err(Verdict::Unsure(format!("no answer within {limit:.1?}"))),
        }
    }

    fn leader(&self) -> Option<usize> {
        *self.shared.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_leader(&self, place: Option<usize>) {
        *self.shared.leader.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

/// Half to all of a pause, so that clients that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

fn remember(tried: &mut Vec<(String, String)>, node: String, reason: String) {
    match tried.iter_mut().find(|(known, _)| *known == node) {
        Some((_, last)) => *last = reason,
        None => tried.push((node, reason)),
    }
}
