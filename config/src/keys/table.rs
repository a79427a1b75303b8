//! The table of keys, in the order in which `farquorum config show` prints them. Nothing but data.

use super::{Fallback, Form, Key, Kind};
use Fallback::{Derived, Required, Unset, Value};

const MS: &str = "milliseconds";
const BYTES: &str = "bytes";
const PORT: Kind = whole(1, 65_535, "");
/// One-way delays end at a minute: beyond it no timeout of the product makes sense.
const DELAY: Kind = Kind::Number { min: 0.0, max: 60_000.0, unit: MS };
const RTT: Kind = Kind::Number { min: 0.0, max: 120_000.0, unit: MS };
const RATE: Kind = Kind::Number { min: 0.001, max: 400_000.0, unit: "Mbit/s" };
const QUEUE: Kind = whole(1_500, 1 << 32, BYTES);
const SPREAD: Kind = Kind::Choice(&["normal", "uniform"]);
const MEMORY: Kind = Kind::Number { min: 0.0, max: 600_000.0, unit: MS };
/// Above zero: from a bad state without a way out nothing would ever come back.
const LEAVE: Kind = Kind::Number { min: 1e-6, max: 1.0, unit: "" };
const DISCIPLINE: Kind = Kind::Choice(&["tail", "codel"]);
const TARGET: Kind = Kind::Number { min: 0.01, max: 10_000.0, unit: MS };
const INTERVAL: Kind = Kind::Number { min: 0.01, max: 60_000.0, unit: MS };
/// Below 0.1 ms no ordinary machine is on time.
const LATENESS: Kind = Kind::Number { min: 0.1, max: 1_000.0, unit: MS };
const PROVIDER: Kind = Kind::Choice(&["aws", "gcp", "azure"]);
const LABEL: Kind = Kind::Text(Form::Label);
const HOST: Kind = Kind::Text(Form::Host);
const COMMAND: Kind = Kind::TextList { form: Form::Argument, min: 1, max: 64 };

const fn whole(min: i64, max: i64, unit: &'static str) -> Kind {
    Kind::Whole { min, max, unit }
}

const fn key(name: &'static str, kind: Kind, default: Fallback, meaning: &'static str) -> Key {
    Key { name, kind, default, meaning }
}

/// All known keys.
#[rustfmt::skip] // One key, one line or two: a table is read by column.
pub(super) static KEYS: &[Key] = &[
    key("cluster.name", LABEL, Value("\"farquorum\""),
        "Name of the cluster: part of every certificate (spiffe://NAME/...) and of every frame between nodes."),
    key("cluster.allow_single_node", Kind::Switch, Value("false"),
        "Allows a single voter. For development only: nothing survives its loss."),

    key("clouds.<label>.network", Kind::Text(Form::Network), Required,
        "Network of this cloud. Networks of different clouds must not overlap."),
    key("clouds.<label>.region", Kind::Text(Form::Free), Value("\"\""),
        "Region as the provider names it. Free text, shown in tables and baselines."),
    key("clouds.<label>.provider", PROVIDER, Unset("the label says it, when it is aws, gcp or azure"),
        "Who runs this cloud: which Terraform module makes it. Only `farquorum render terraform` needs it."),

    key("links[].between", Kind::TextList { form: Form::Label, min: 2, max: 2 }, Unset("the link has `from` and `to`"),
        "Two clouds: shapes both directions, each with half of rtt_ms."),
    key("links[].from", LABEL, Unset("the link has `between`"),
        "Cloud that sends: with `to`, shapes this one direction."),
    key("links[].to", LABEL, Unset("the link has `between`"),
        "Cloud that receives."),
    key("links[].rtt_ms", RTT, Unset("the link has `from`, `to` and delay_ms"),
        "Round-trip time of a link with `between`."),
    key("links[].delay_ms", DELAY, Unset("the link has `between` and rtt_ms"),
        "One-way delay of a link with `from` and `to`."),
    key("links[].jitter_ms", DELAY, Value("0"),
        "How much the one-way delay varies: standard deviation of a normal, half the width of a uniform distribution; at most the delay."),
    key("links[].jitter_distribution", SPREAD, Unset("normal"),
        "How jitter_ms is distributed around the delay."),
    key("links[].jitter_quantiles_ms", Kind::Quantiles, Unset("jitter_ms says how the delay varies"),
        "Measured jitter: what is added to the delay at equally spaced cumulative shares from 0 to 1, linear in between. Excludes jitter_ms and jitter_distribution."),
    key("links[].jitter_memory_ms", MEMORY, Unset("10 x jitter_ms, or 10 x (p90 - p50) of jitter_quantiles_ms"),
        "How long jitter is remembered: packets this far apart are correlated by 1/e, closer ones more. 0: every packet by itself."),
    key("links[].loss", Kind::Share, Value("0"),
        "Share of packets lost, each by itself: 0.05 is 5 %."),
    key("links[].rate_mbit", RATE, Unset("unlimited"),
        "Rate of one direction."),
    key("links[].queue_bytes", QUEUE, Unset("1.5 x rate x delay, at least 64 KiB"),
        "Bytes that may wait for the rate before packets are dropped; only with rate_mbit."),
    key("links[].queue", DISCIPLINE, Value("\"tail\""),
        "Which packets the queue before the rate drops. tail: those that find it full; codel: also those that wait too long (RFC 8289)."),
    key("links[].codel_target_ms", TARGET, Unset("5"),
        "Wait that CoDel accepts for good; at most codel_interval_ms."),
    key("links[].codel_interval_ms", INTERVAL, Unset("100"),
        "How long the wait may be above the target before CoDel drops: about the largest RTT of what passes."),
    key("links[].reorder", Kind::Share, Value("0"),
        "Share of packets that overtake the ones before them."),
    key("links[].duplicate", Kind::Share, Value("0"),
        "Share of packets that arrive twice."),
    key("links[].corrupt", Kind::Share, Value("0"),
        "Share of packets that arrive with one bit flipped behind the IP header."),
    key("links[].loss_gilbert.enter", Kind::Share, Required,
        "Loss in bursts (Gilbert-Elliott): chance of each packet to be the last one of a good time. Excludes loss."),
    key("links[].loss_gilbert.leave", LEAVE, Required,
        "Chance of each packet to be the last one of a bad time, which so lasts 1/leave packets on average."),
    key("links[].loss_gilbert.lost_in_bad", Kind::Share, Unset("1"),
        "Share of packets lost in a bad time."),
    key("links[].loss_gilbert.lost_in_good", Kind::Share, Unset("0"),
        "Share of packets lost in a good time."),

    key("local_link.delay_ms", DELAY, Value("0.1"),
        "One-way delay between two hosts of the same cloud."),
    key("local_link.jitter_ms", DELAY, Value("0"),
        "How much the one-way delay varies inside a cloud: standard deviation of a normal, half the width of a uniform distribution; at most the delay."),
    key("local_link.jitter_distribution", SPREAD, Unset("normal"),
        "How jitter_ms is distributed around the delay."),
    key("local_link.jitter_quantiles_ms", Kind::Quantiles, Unset("jitter_ms says how the delay varies"),
        "Measured jitter: what is added to the delay at equally spaced cumulative shares from 0 to 1, linear in between. Excludes jitter_ms and jitter_distribution."),
    key("local_link.jitter_memory_ms", MEMORY, Unset("10 x jitter_ms, or 10 x (p90 - p50) of jitter_quantiles_ms"),
        "How long jitter is remembered: packets this far apart are correlated by 1/e, closer ones more. 0: every packet by itself."),
    key("local_link.loss", Kind::Share, Value("0"),
        "Share of packets lost inside a cloud, each by itself: 0.05 is 5 %."),
    key("local_link.rate_mbit", RATE, Unset("unlimited"),
        "Rate of one direction inside a cloud."),
    key("local_link.queue_bytes", QUEUE, Unset("1.5 x rate x delay, at least 64 KiB"),
        "Bytes that may wait for the rate before packets are dropped; only with rate_mbit."),
    key("local_link.queue", DISCIPLINE, Value("\"tail\""),
        "Which packets the queue before the rate drops. tail: those that find it full; codel: also those that wait too long (RFC 8289)."),
    key("local_link.codel_target_ms", TARGET, Unset("5"),
        "Wait that CoDel accepts for good; at most codel_interval_ms."),
    key("local_link.codel_interval_ms", INTERVAL, Unset("100"),
        "How long the wait may be above the target before CoDel drops: about the largest RTT of what passes."),
    key("local_link.reorder", Kind::Share, Value("0"),
        "Share of packets that overtake the ones before them inside a cloud."),
    key("local_link.duplicate", Kind::Share, Value("0"),
        "Share of packets that arrive twice inside a cloud."),
    key("local_link.corrupt", Kind::Share, Value("0"),
        "Share of packets that arrive with one bit flipped behind the IP header inside a cloud."),
    key("local_link.loss_gilbert.enter", Kind::Share, Required,
        "Loss in bursts (Gilbert-Elliott): chance of each packet to be the last one of a good time. Excludes loss."),
    key("local_link.loss_gilbert.leave", LEAVE, Required,
        "Chance of each packet to be the last one of a bad time, which so lasts 1/leave packets on average."),
    key("local_link.loss_gilbert.lost_in_bad", Kind::Share, Unset("1"),
        "Share of packets lost in a bad time."),
    key("local_link.loss_gilbert.lost_in_good", Kind::Share, Unset("0"),
        "Share of packets lost in a good time."),

    key("nodes[].id", whole(1, i64::MAX, ""), Required,
        "Raft id of the node: unique, and never reused for another machine."),
    key("nodes[].name", LABEL, Required,
        "Host name, unique among nodes and workers; also the name in its certificate."),
    key("nodes[].cloud", LABEL, Required,
        "Label of the cloud that the node is in."),
    key("nodes[].address", HOST, Required,
        "Host name, or address inside its cloud's network, by which the others reach it."),
    key("nodes[].raft_port", PORT, Derived("ports.raft"),
        "Port of the Raft transport (other nodes only)."),
    key("nodes[].grpc_port", PORT, Derived("ports.grpc"),
        "Port of the public gRPC services (clients, workers, administrators)."),
    key("nodes[].http_port", PORT, Derived("ports.http"),
        "Port of HTTP (state, health, metrics)."),
    key("nodes[].voter", Kind::Switch, Value("true"),
        "Whether it votes from the start; false: it only follows (learner)."),

    key("workers[].name", LABEL, Required,
        "Host name, unique among nodes and workers; also its worker id."),
    key("workers[].cloud", LABEL, Required,
        "Label of the cloud that the worker is in."),
    key("workers[].address", HOST, Required,
        "Host name, or address inside its cloud's network."),
    key("workers[].http_port", PORT, Derived("ports.http"),
        "Port of HTTP (health, metrics)."),
    key("workers[].capacity", whole(1, 1_024, "attempts"), Value("4"),
        "Task attempts that it runs at once."),
    key("workers[].orchestrators", Kind::TextList { form: Form::HostPort, min: 0, max: 64 }, Value("[]"),
        "Nodes that it asks first; empty: all nodes of the file. ORCHESTRATOR_ADDR sets it for all workers."),

    key("storage.service", Kind::Choice(&["s3", "aws", "gcp", "azure"]), Value("\"s3\""),
        "Who keeps the objects. s3: the server at storage.address; else the cloud's own service, by HTTPS. \
         Simulation and containers always have s3."),
    key("storage.bucket", Kind::Text(Form::Bucket), Value("\"pipeline-data\""),
        "Bucket (Azure: container) that jobs read and write; a server at storage.address makes it on first start."),
    key("storage.account", Kind::Text(Form::Account), Unset("needed for az:// only"),
        "Storage account of Azure, which holds the containers of az:// URLs."),
    key("storage.region", Kind::Text(Form::Region), Derived("the region of the cloud whose provider is aws"),
        "Region of s3:// URLs. Most servers other than Amazon's take any."),
    key("storage.cloud", LABEL, Required,
        "Label of the cloud that the object store is in."),
    key("storage.address", HOST, Required,
        "Host name, or address inside its cloud's network, of the object store."),
    key("storage.port", PORT, Derived("ports.s3"),
        "Port of S3."),
    key("storage.tls", Kind::Switch, Derived("storage.ca: true when that is set"),
        "Whether the server at storage.address speaks HTTPS. Simulation and containers have plain HTTP."),
    key("storage.ca", Kind::Text(Form::File), Unset("the authorities that the system trusts"),
        "PEM file on each worker with the authorities that may sign that server's certificate, in place of the system's. \
         Read when a worker starts."),
    key("storage.log", Kind::Choice(&["rocksdb", "memory"]), Value("\"rocksdb\""),
        "Where a node keeps its Raft log. memory: nothing survives a restart; for experiments only."),

    key("raft.heartbeat_ms", whole(1, 60_000, MS), Derived("the election timeout: a tenth of it"),
        "Time between heartbeats of a leader."),
    key("raft.election_timeout_ms", whole(2, 600_000, MS), Derived("the largest RTT and jitter of the links"),
        "Least time without a leader before an election. Each node draws anew between this and twice this."),
    key("raft.bootstrap", Kind::Switch, Value("false"),
        "Whether this is the first start of a new cluster; needs empty data folders on all members."),
    key("raft.log_keep_entries", whole(0, 100_000_000, "entries"), Value("10000"),
        "Entries kept behind the applied index when the log is compacted: a node that was away for fewer needs no snapshot."),
    key("raft.snapshot_every_entries", whole(1, 100_000_000, "entries"), Value("100000"),
        "Entries after which a snapshot is taken and the log compacted."),
    key("raft.data_dir", Kind::Text(Form::Folder), Unset("the program's own folder"),
        "Folder of RocksDB and state."),

    key("tasks.heartbeat_ms", whole(100, 600_000, MS), Value("5000"),
        "How often a worker sends a heartbeat; after three missed it is offline."),
    key("tasks.lease_ms", whole(200, 86_400_000, MS), Value("15000"),
        "How long a grant holds without a heartbeat; at least 2 x tasks.heartbeat_ms."),
    key("tasks.timeout_s", whole(1, 604_800, "seconds"), Value("3600"),
        "Longest run of one attempt when the task sets none."),
    key("tasks.keep_finished_s", whole(0, 31_536_000, "seconds"), Value("86400"),
        "How long finished tasks and jobs are kept."),
    key("tasks.keep_finished_max", whole(0, 10_000_000, "tasks"), Value("100000"),
        "How many finished tasks are kept at most."),

    key("limits.value_bytes_max", whole(1, 1 << 20, BYTES), Value("1048576"),
        "Longest value of the key-value store."),
    key("limits.key_bytes_max", whole(1, 1 << 16, BYTES), Value("1024"),
        "Longest key of the key-value store."),
    key("limits.payload_bytes_max", whole(1, 1 << 20, BYTES), Value("262144"),
        "Longest task payload. Data belongs into the object store, not into the log."),
    key("limits.proposals_max", whole(1, 1 << 20, "proposals"), Value("8192"),
        "Proposals that may wait at one node; beyond it answers \"overloaded\"."),
    key("limits.connections_max", whole(1, 1 << 20, "connections"), Value("1024"),
        "Connections that one port serves at once."),
    key("limits.message_bytes_max", whole(1 << 16, 64 << 20, BYTES), Value("4194304"),
        "Longest gRPC message; must hold the longest key with its value, and the longest payload."),
    key("limits.request_timeout_ms", whole(1, 600_000, MS), Value("10000"),
        "Longest time of one request when the client sets no deadline."),
    key("limits.free_bytes_min", whole(0, 1 << 50, BYTES), Value("2147483648"),
        "Free space below which a data folder is refused."),

    key("ports.raft", PORT, Value("7379"), "Port of the Raft transport, for nodes that set none."),
    key("ports.grpc", PORT, Value("50051"), "Port of the public gRPC services, for nodes that set none."),
    key("ports.http", PORT, Value("8080"), "Port of HTTP, for nodes and workers that set none."),
    key("ports.s3", PORT, Value("9000"), "Port of S3, when storage.port is not set."),

    key("lab.seed", whole(0, i64::MAX, ""), Value("1"),
        "Seed of all random draws of the emulated WAN."),
    key("lab.operator_cloud", LABEL, Derived("storage.cloud"),
        "Cloud where the operator's host is: commands from outside enter there."),
    key("lab.mtu", whole(576, 9_000, BYTES), Value("1500"),
        "Largest IP packet inside the lab; below 1280 its hosts have no IPv6."),
    key("lab.backend", Kind::Choice(&["auto", "user", "kernel", "relay"]), Value("\"auto\""),
        "What delays the packets: the WAN in user space, or the kernel's netem; or TCP relays, which delay bytes and need no namespaces. `auto` is user space, and relays where no namespaces can be made."),
    key("lab.lateness_p99_max_ms", LATENESS, Value("3"),
        "Results are invalid when more than one packet in a hundred left the emulated WAN later than this."),

    key("rollout.update", COMMAND, Unset("rollout needs --update; a simulation restarts its own hosts"),
        "What `farquorum rollout` runs to update one host: a program and its arguments, without a shell. {name}, {address} and {cloud} stand for the host's own; {{ and }} are braces."),
    key("rollout.rollback", COMMAND, Unset("rollout needs --rollback or --no-rollback; a simulation restarts its own hosts"),
        "What `farquorum rollout` runs to bring back what one host ran before, written as rollout.update."),
    key("rollout.wait_s", whole(1, 86_400, "seconds"), Value("120"),
        "How long a host may take to serve and to be caught up, before its step and after it."),
    key("rollout.command_timeout_s", whole(1, 86_400, "seconds"), Value("1800"),
        "Longest run of one command of a rollout; then it is killed, and has failed."),

    key("detours[].address", Kind::Text(Form::HostPort), Required,
        "Address of a service, as everybody knows it. With any detour, what has none is not reached."),
    key("detours[].to", Kind::Text(Form::HostPort), Required,
        "Where this process connects, or listens, in its place."),
];
