//! The node's metrics, in the text format of Prometheus (NODE-10). Raft's and the storage's own are made there and
//! registered here; links, tasks and workers are looked at when somebody asks.
//!
//! Peers, clouds, methods and states are labels, never ids of tasks: the number of series is bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use farquorum_config::{Config, NodeId};
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use tonic::Code;

use crate::raft::RaftMetrics;
use crate::transport::LinkStatus;

/// Upper bounds of request times, in seconds: from a local read to the longest poll.
const SECONDS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of round trips, in seconds: from one zone to around the world, close where links between clouds are.
const RTT_SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.09, 0.11,
    0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0, 2.5,
];

/// All metrics of a node; clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    grpc_requests: IntCounterVec,
    grpc_seconds: HistogramVec,
    peer_rtt: GaugeVec,
    rtt_probes: HistogramVec,
    peer_connected: IntGaugeVec,
    peer_sent: IntCounterVec,
    peer_dropped: IntCounterVec,
    tasks: IntGaugeVec,
    workers: IntGaugeVec,
}

impl Metrics {
    /// All metrics at zero, Raft's among them.
    ///
    /// # Errors
    /// When a name is taken twice or not allowed: our own mistake.
    pub fn new(raft: &RaftMetrics) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        raft.register(&registry)?;
        let peer = &["peer", "cloud"];
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let seconds = HistogramOpts::new(
            "farquorum_grpc_request_seconds",
            "Time of gRPC requests until the answer begins.",
        );
        let rtt =
            Opts::new("farquorum_transport_rtt_seconds", "Round-trip time of the last probe to a peer.");
        let probes = HistogramOpts::new(
            "farquorum_rtt_probe_seconds",
            "Round-trip times of all answered probes to a peer, its own processing subtracted.",
        );
        Ok(Self {
            grpc_requests: counter(
                "farquorum_grpc_requests_total",
                "gRPC requests by method and status code, refused ones too.",
                &["method", "code"],
            )?,
            grpc_seconds: register(
                &registry,
                HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["method"])?,
            )?,
            peer_rtt: register(&registry, GaugeVec::new(rtt, peer)?)?,
            rtt_probes: register(&registry, HistogramVec::new(probes.buckets(RTT_SECONDS.to_vec()), peer)?)?,
            peer_connected: gauge(
                "farquorum_transport_connected",
                "1 while both streams to a peer are open.",
                peer,
            )?,
            peer_sent: counter(
                "farquorum_transport_sent_bytes_total",
                "Bytes of messages handed to a peer's streams.",
                peer,
            )?,
            peer_dropped: counter(
                "farquorum_transport_dropped_messages_total",
                "Messages dropped as a peer's queue was full.",
                peer,
            )?,
            tasks: gauge("farquorum_manifest_tasks", "Tasks in the manifest by state.", &["state"])?,
            workers: gauge("farquorum_manifest_workers", "Registered workers by state.", &["state"])?,
            registry,
        })
    }

    /// Where the round-trip times of probes go, with the labels peer and cloud.
    pub(crate) fn rtt_probes(&self) -> &HistogramVec {
        &self.rtt_probes
    }

    /// Counts a request; `took` is none when it was refused at the door.
    pub(crate) fn grpc_done(&self, method: &str, code: Code, took: Option<Duration>) {
        self.grpc_requests.with_label_values(&[method, code_name(code)]).inc();
        if let Some(took) = took {
            self.grpc_seconds.with_label_values(&[method]).observe(took.as_secs_f64());
        }
    }

    /// Takes over the links as they are now.
    pub(crate) fn show_links(&self, links: &BTreeMap<NodeId, LinkStatus>, config: &Config) {
        for (id, link) in links {
            let Some(node) = config.node_by_id(*id) else { continue };
            let labels = &[node.name.as_str(), node.cloud.as_str()];
            self.peer_connected.with_label_values(labels).set(i64::from(link.connected));
            if let Some(rtt) = link.rtt {
                self.peer_rtt.with_label_values(labels).set(rtt.latest.as_secs_f64());
            }
            raise(&self.peer_sent, labels, link.sent_bytes);
            raise(&self.peer_dropped, labels, link.dropped);
        }
    }

    /// Takes over how many tasks and workers there are in each state.
    pub(crate) fn show_manifest(&self, tasks: &[(&str, u64)], workers: &[(&str, u64)]) {
        for (gauges, counts) in [(&self.tasks, tasks), (&self.workers, workers)] {
            for (state, count) in counts {
                gauges.with_label_values(&[*state]).set(i64::try_from(*count).unwrap_or(i64::MAX));
            }
        }
    }

    /// The exposition.
    ///
    /// # Errors
    /// When a metric cannot be written as text: our own mistake.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Sets a counter that is counted elsewhere. Two scrapes at once may both add; the difference is that of one moment.
fn raise(counters: &IntCounterVec, labels: &[&str], value: u64) {
    let counter = counters.with_label_values(labels);
    counter.inc_by(value.saturating_sub(counter.get()));
}

/// The code's name as gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn sample() -> String {
        let metrics = Metrics::new(&RaftMetrics::new().unwrap()).unwrap();
        metrics.grpc_done("/farquorum.v1.KvService/Get", Code::Ok, Some(Duration::from_millis(3)));
        metrics.grpc_done("unknown", Code::PermissionDenied, None);
        let link = LinkStatus { connected: true, last_contact: None, rtt: None, sent_bytes: 700, dropped: 2 };
        let links = BTreeMap::from([(NodeId(2), link)]);
        metrics.show_links(&links, &testing::config(3));
        metrics.show_links(&links, &testing::config(3));
        metrics.show_manifest(&[("pending", 5)], &[("healthy", 4)]);
        metrics.rtt_probes().with_label_values(&["node-2", "cloud-2"]).observe(0.0505);
        metrics.text().unwrap()
    }

    /// Types by name; every line must be a comment of the two known forms or a sample of a family announced above it.
    fn parse(text: &str) -> BTreeMap<&str, &str> {
        let mut types = BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(types.insert(name, kind).is_none(), "{name} twice");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                let name = series.split('{').next().unwrap();
                let family =
                    |suffix| name.strip_suffix(suffix).filter(|base| types.get(base) == Some(&"histogram"));
                let known = types.contains_key(name)
                    || ["_bucket", "_sum", "_count"].into_iter().any(|suffix| family(suffix).is_some());
                assert!(known, "{line} belongs to no family");
                assert!(series == name || series.ends_with("\"}"), "{line}");
            }
        }
        types
    }

    #[test]
    fn the_exposition_parses_and_holds_the_required_names() {
        let text = sample();
        let types = parse(&text);
        for (name, kind) in [
            ("raft_elections_total", "counter"),
            ("raft_term", "gauge"),
            ("raft_state", "gauge"),
            ("raft_replication_latency_ms", "histogram"),
            ("farquorum_rtt_probe_seconds", "histogram"),
        ] {
            assert_eq!(types.get(name), Some(&kind), "{name}");
        }
        let well_named = |name: &str| name.starts_with("raft_") || name.starts_with("farquorum_");
        assert_eq!(types.keys().find(|name| !well_named(name)), None);
    }

    #[test]
    fn what_happened_is_counted_once() {
        let text = sample();
        for line in [
            "farquorum_grpc_requests_total{code=\"OK\",method=\"/farquorum.v1.KvService/Get\"} 1",
            "farquorum_grpc_requests_total{code=\"PERMISSION_DENIED\",method=\"unknown\"} 1",
            "farquorum_transport_sent_bytes_total{cloud=\"cloud-2\",peer=\"node-2\"} 700",
            "farquorum_transport_dropped_messages_total{cloud=\"cloud-2\",peer=\"node-2\"} 2",
            "farquorum_rtt_probe_seconds_bucket{cloud=\"cloud-2\",peer=\"node-2\",le=\"0.05\"} 0",
            "farquorum_rtt_probe_seconds_bucket{cloud=\"cloud-2\",peer=\"node-2\",le=\"0.06\"} 1",
            "farquorum_manifest_tasks{state=\"pending\"} 5",
            "farquorum_manifest_workers{state=\"healthy\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
