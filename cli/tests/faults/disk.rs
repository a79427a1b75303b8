//! A disk that becomes full stops its node, and nothing acknowledged is lost; a data folder on a network file system
//! is refused.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use farquorum_client::Cluster;
use tokio::task::JoinSet;

use crate::fuse::Fuse;
use crate::lab::writes::{History, read_all};
use crate::lab::{Lab, Sim, await_that, file, text};
use crate::mounts::{Mount, with_mounts};
use crate::ran::{self, Ran};
use crate::run;

/// Hosts of the default topology.
const STORE: &str = "object-store";
const NODES: [&str; 3] = ["cp-aws-1", "cp-gcp-1", "cp-azure-1"];
/// A node's disk.
const DISK_MIB: u64 = 256;
/// A value: RocksDB takes the room of a log file ahead, 17 MiB, and a full disk is met only after it.
const VALUE_BYTES: usize = 32 << 10;
/// Writers at once.
const WRITERS: usize = 32;
/// Acknowledged writes before the disk is filled, and after it when a majority is left.
const WRITES: u64 = 100;

#[test]
fn a_full_disk_stops_its_node_and_loses_nothing() {
    let Some(sim) = on_small_disks(&NODES, DISK_MIB) else { return };
    run(async {
        let clients = [sim.cluster(10.0), sim.cluster(10.0)];
        let mut all = History::default();
        for who in ["leader", "follower", "all"] {
            let victims = victims(&sim, who).await;
            let load = Load::start(&clients, &format!("disk/{who}/"));
            load.reaches(WRITES).await;
            victims.iter().for_each(|victim| fill(&sim, victim));
            // Without a majority the last one has nothing to write.
            let ended = stopped(&sim, &victims, victims.len().min(2)).await;
            for node in &ended {
                let folder = disk(&sim, node).join("log").display().to_string();
                says(
                    &sim,
                    node,
                    &[&folder, "no room is left on its disk", "No space left on device", "free some space"],
                );
            }
            if victims.len() == 1 {
                load.reaches(load.acknowledged() + WRITES).await;
            }
            for node in &ended {
                // What it was just writing is gone again.
                fill(&sim, node);
                sim.verb(&["restart", node]);
                stopped(&sim, std::slice::from_ref(node), 1).await;
                let folder = disk(&sim, node).display().to_string();
                says(&sim, node, &[&folder, "bytes are free", "limits.free_bytes_min"]);
            }
            for victim in &victims {
                sim.verb(&["exec", victim, "--", "rm", &filler(&sim, victim)]);
                sim.verb(&["restart", victim]);
            }
            load.reaches(load.acknowledged() + WRITES).await;
            let mut history = load.end().await;
            history.revisions_follow_real_time();
            all.done.append(&mut history.done);
            all.failed.append(&mut history.failed);
            let (states, took) = sim.agreed(60).await;
            all.is_in(&read_all(&clients[0], "disk/").await);
            println!(
                "{who}: {} acknowledged, {} unsure; equal hash at {} after {} ms",
                all.done.len(),
                all.failed.len(),
                states[0].applied,
                took.as_millis()
            );
        }
    });
}

/// FUSE can be mounted without a server of the real thing; the kernel names its type as whoever mounted it did.
#[test]
fn a_data_folder_on_a_network_file_system_is_refused() {
    let Some(lab) = Lab::enter() else { return };
    let node = ["node", "run", "--name", "cp-aws-1", "--certs", "none", "--data-dir", "node"];
    let sim = ["sim", "--name", "net", "up"];
    let (refused, elsewhere) =
        ("a network or shared file system", "set raft.data_dir to a folder on a local disk");
    for (args, folder, kind, code, words) in [
        (&node[..], "node", "fuse.sshfs", 1, ["is on fuse.sshfs", refused, elsewhere]),
        (&node, "node", "fuse.s3fs", 1, ["is on fuse.s3fs", refused, elsewhere]),
        (&sim, "sim/net", "fuse.sshfs", 4, ["is on fuse.sshfs", refused, "FARQUORUM_STATE_DIR=FOLDER"]),
        // A local one is taken: it is the next check that ends this start.
        (&node, "node", "fuse.ntfs", 1, ["cannot read", "none/cp-aws-1.crt", ""]),
    ] {
        let Some(fuse) = Fuse::new() else {
            println!("skipped: FUSE cannot be mounted here, or not without root");
            return;
        };
        let point = lab.state.path().join(folder);
        let mut command = lab.command();
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        with_mounts(&mut command, vec![fuse.mount(&point, kind)]);
        let child = command.spawn().unwrap();
        fuse.serve();
        let ran = Ran::new(&command, child.wait_with_output().unwrap()).code(code).says(&words);
        println!("{kind}: {}", ran.err.trim_end());
        // The folder below the mount.
        assert_eq!(std::fs::read_dir(&point).unwrap().count(), 0, "{args:?} on {kind} wrote");
    }
}

/// The attempts fail, and with them the job; nothing else does.
#[test]
fn a_full_object_store_fails_the_job_and_says_so() {
    let Some(sim) = on_small_disks(&[STORE], 64) else { return };
    let input = file(&sim.lab, "input/a.txt", "to be or not to be\n".repeat(1000));
    let bucket = sim.context().storage.unwrap().url;
    let (first, second) = (format!("{bucket}/first"), format!("{bucket}/second"));
    let job = |input: &str, output: &str| {
        let mut command = sim.command(&["job", "run", "wordcount", "--reducers", "2", "--input", input]);
        command.args(["--output", output]);
        ran::run(command)
    };
    job(&input, &first).code(0);
    fill(&sim, STORE);
    let full = format!("no room is left on the disk of {}", disk(&sim, STORE).display());
    job(&input, &second).says(&[&full, "free some space there"]);
    let ran = job(&first, &second).code(1).says(&[&full]);
    println!("{ran}");
    assert!(sim.log(STORE).contains(&full));
    sim.ok(&["kv", "set", "greeting", "hello"]);
    sim.verb(&["exec", STORE, "--", "rm", &filler(&sim, STORE)]);
    job(&first, &second).code(0);
}

/// A simulation in which each of these hosts has a small disk of its own, which only it sees. `None` as for
/// [`Lab::enter`].
fn on_small_disks(hosts: &[&str], size_mib: u64) -> Option<Sim> {
    let lab = Lab::enter()?;
    let sim = lab.adopt(&lab.name());
    let mount = |host: &&str| Mount::on(&disk(&sim, host), "tmpfs", &format!("size={size_mib}m"));
    let disks = hosts.iter().map(mount).collect();
    let mut command = sim.command(&["sim", "up", "--set", "limits.free_bytes_min=16777216"]);
    with_mounts(&mut command, disks);
    let output = command.output().unwrap();
    assert!(output.status.success(), "sim up: {}\n{}", output.status, text(&output.stderr));
    Some(sim)
}

/// What a host fills, where its disk is mounted. The object store's keys, beside its objects, are for all to read.
fn disk(sim: &Sim, host: &str) -> PathBuf {
    let data = sim.folder().join("data").join(host);
    if host == STORE { data.join("objects") } else { data }
}

fn filler(sim: &Sim, node: &str) -> String {
    disk(sim, node).join("filler").display().to_string()
}

/// Takes all the room that a node's disk has; only programs inside the simulation see that disk.
fn fill(sim: &Sim, node: &str) {
    let output = sim.run(&[
        "sim",
        "exec",
        node,
        "--",
        "dd",
        "if=/dev/zero",
        "bs=64K",
        &format!("of={}", filler(sim, node)),
    ]);
    let said = text(&output.stderr);
    assert!(said.contains("No space left on device"), "{node}: {said}");
}

/// Waits until this many of the nodes have ended by themselves; gives them.
async fn stopped(sim: &Sim, nodes: &[String], count: usize) -> Vec<String> {
    let (stopped, _) = await_that(&format!("the end of {count} of {}", nodes.join(" ")), 60, || async {
        let status = sim.json(&["sim", "status"]);
        let ended = |node: &&String| {
            let hosts = status["hosts"].as_array().unwrap();
            hosts.iter().any(|host| host["name"] == **node && host["state"] == "stopped (exit status 1)")
        };
        let stopped: Vec<String> = nodes.iter().filter(ended).cloned().collect();
        (stopped.len() >= count).then_some(stopped)
    })
    .await;
    stopped
}

/// The last error that a node printed has all these words.
fn says(sim: &Sim, node: &str, words: &[&str]) {
    let log = sim.log(node);
    let said = log.lines().rfind(|line| line.starts_with("error: ")).unwrap_or_default();
    println!("{node}: {said}");
    for word in words {
        assert!(said.contains(word), "{node} does not say {word:?}: {said}");
    }
}

async fn victims(sim: &Sim, who: &str) -> Vec<String> {
    let leader = sim.leader().await.0.name;
    match who {
        "leader" => vec![leader],
        "follower" => sim.nodes().into_iter().filter(|node| *node != leader).take(1).collect(),
        _ => sim.nodes(),
    }
}

/// Writers of large values, each key once.
struct Load {
    acknowledged: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    writers: JoinSet<History>,
}

impl Load {
    fn start(clusters: &[Cluster], prefix: &str) -> Self {
        let (acknowledged, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let mut writers = JoinSet::new();
        for (writer, cluster) in clusters.iter().cycle().take(WRITERS).cloned().enumerate() {
            let (acknowledged, over, prefix) = (acknowledged.clone(), over.clone(), prefix.to_owned());
            writers.spawn(async move {
                let mut history = History::default();
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let value = format!("{number:0VALUE_BYTES$}");
                    if history.write(&cluster, format!("{prefix}{writer:02}/{number:06}"), value).await {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                history
            });
        }
        Self { acknowledged, over, writers }
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    async fn reaches(&self, count: u64) {
        let what = format!("{count} acknowledged writes");
        await_that(&what, 60, || async { (self.acknowledged() >= count).then_some(()) }).await;
    }

    async fn end(self) -> History {
        self.over.store(true, Ordering::Relaxed);
        let mut all = History::default();
        for mut history in self.writers.join_all().await {
            all.done.append(&mut history.done);
            all.failed.append(&mut history.failed);
        }
        all
    }
}
