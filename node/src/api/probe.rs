//! Probes on request (MEAS-2): every sample of a run, not only the histogram. The stream is the caller's clock of
//! progress; a caller that reads slowly makes the run slower, never the node's memory larger.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farquorum_config::{Node, NodeId};
use farquorum_proto::v1;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::cluster::micros;
use super::{Context, errors};

/// Probes to one peer in one run: half an hour of the fastest ones.
const COUNT_MAX: u32 = 100_000;

/// Milliseconds between two probes to a peer. Faster ones would measure each other: on two processors the wake-ups of
/// a probe and its answer are some tenths of a millisecond.
const INTERVAL_MS: std::ops::RangeInclusive<u32> = 10..=60_000;

/// Runs at once on one node: several operators, and the traffic of all of them stays small.
const RUNS_MAX: usize = 4;

/// Samples that wait for a slow caller.
const SAMPLES_WAITING: usize = 64;

/// The answer of a run.
pub(crate) type Samples = Pin<Box<dyn Stream<Item = Result<v1::ProbePeersResponse, Status>> + Send>>;

type SendProbe = dyn Fn(NodeId) -> Option<oneshot::Receiver<Duration>> + Send + Sync;

/// Sends probes on request.
#[derive(Clone)]
pub(crate) struct Prober {
    send: Arc<SendProbe>,
    runs: Arc<Semaphore>,
}

/// A run that was asked for, and may be.
#[derive(Debug)]
pub(crate) struct Plan {
    count: u32,
    interval: Duration,
    peers: Vec<Node>,
    /// How long an answer is waited for: an election timeout, as the stream itself ends after that much silence.
    patience: Duration,
}

impl Plan {
    /// Checks what was asked for.
    pub(crate) fn of(request: &v1::ProbePeersRequest, context: &Context) -> Result<Self, Status> {
        let &v1::ProbePeersRequest { count, interval_ms } = request;
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(errors::invalid(format!(
                "count is {count}, 1 to {COUNT_MAX} probes may be asked for"
            )));
        }
        if !INTERVAL_MS.contains(&interval_ms) {
            let (least, most) = (INTERVAL_MS.start(), INTERVAL_MS.end());
            return Err(errors::invalid(format!("interval_ms is {interval_ms}, must be {least} to {most}")));
        }
        let others = context.config.nodes.iter().filter(|node| node.id != context.me.id);
        Ok(Self {
            count,
            interval: Duration::from_millis(interval_ms.into()),
            peers: others.cloned().collect(),
            patience: context.config.raft.election_timeout,
        })
    }
}

impl Prober {
    /// `send` sends one probe to a peer, when its stream is open.
    pub(crate) fn new(
        send: impl Fn(NodeId) -> Option<oneshot::Receiver<Duration>> + Send + Sync + 'static,
    ) -> Self {
        Self { send: Arc::new(send), runs: Arc::new(Semaphore::new(RUNS_MAX)) }
    }

    /// Starts a run.
    pub(crate) fn run(&self, plan: Plan) -> Result<Samples, Status> {
        let busy =
            |_| Status::resource_exhausted(format!("{RUNS_MAX} runs of probes are under way on this node"));
        let place = Arc::clone(&self.runs).try_acquire_owned().map_err(busy)?;
        let (samples, waiting) = mpsc::channel(SAMPLES_WAITING);
        let send = Arc::clone(&self.send);
        tokio::spawn(async move {
            probe(&*send, &plan, &samples).await;
            drop(place);
        });
        Ok(Box::pin(ReceiverStream::new(waiting)))
    }
}

/// Probes until all are answered or given up, or the caller is gone.
async fn probe(
    send: &SendProbe,
    plan: &Plan,
    samples: &mpsc::Sender<Result<v1::ProbePeersResponse, Status>>,
) {
    let begun = Instant::now();
    let mut due = crate::clock::ticker(plan.interval);
    let mut open = FuturesUnordered::new();
    let mut number = 0;
    while number < plan.count || !open.is_empty() {
        tokio::select! {
            () = samples.closed() => return,
            _ = due.tick(), if number < plan.count => {
                let sent_us = micros(begun.elapsed());
                open.extend(plan.peers.iter().map(|peer| one(send(peer.id), peer, number, sent_us, plan.patience)));
                number += 1;
            }
            Some(sample) = open.next() => {
                if samples.send(Ok(sample)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// One probe until its end.
async fn one(
    answer: Option<oneshot::Receiver<Duration>>,
    peer: &Node,
    number: u32,
    sent_us: u64,
    patience: Duration,
) -> v1::ProbePeersResponse {
    let rtt = match answer {
        Some(answer) => tokio::time::timeout(patience, answer).await.ok().and_then(Result::ok),
        None => None,
    };
    v1::ProbePeersResponse {
        peer_id: peer.id.0,
        peer_name: peer.name.clone(),
        peer_cloud: peer.cloud.clone(),
        number,
        sent_us,
        rtt_us: rtt.map(micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn plan(count: u32) -> Plan {
        let config = testing::config(3);
        let patience = config.raft.election_timeout;
        Plan { count, interval: Duration::from_millis(10), peers: config.nodes[1..].to_vec(), patience }
    }

    /// Node 2 answers at once, node 3 never.
    fn prober() -> Prober {
        Prober::new(|to| {
            let (asker, answer) = oneshot::channel();
            match to {
                NodeId(2) => asker.send(Duration::from_micros(1500)).ok().map(|()| answer),
                _ => {
                    drop(asker);
                    Some(answer)
                }
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn every_probe_ends_in_a_sample() {
        let samples: Vec<_> = prober().run(plan(5)).unwrap().map(Result::unwrap).collect().await;
        let rtts = |peer: u64| -> Vec<Option<u64>> {
            samples.iter().filter(|sample| sample.peer_id == peer).map(|sample| sample.rtt_us).collect()
        };
        assert_eq!((rtts(2), rtts(3)), (vec![Some(1500); 5], vec![None; 5]));
        let mut numbers: Vec<u32> = samples.iter().map(|sample| sample.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn runs_are_bounded_and_end_with_their_caller() {
        let prober = prober();
        let runs: Vec<Samples> = (0..RUNS_MAX).map(|_| prober.run(plan(COUNT_MAX)).unwrap()).collect();
        let refused = prober.run(plan(1)).err().map(|status| status.code());
        assert_eq!(refused, Some(tonic::Code::ResourceExhausted));
        drop(runs);
        while prober.runs.available_permits() < RUNS_MAX {
            tokio::task::yield_now().await;
        }
    }
}
