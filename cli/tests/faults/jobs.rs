//! WRK-1, WRK-2, WRK-5, JOB-1: workers come and go; a job's result is that of one process.

use std::fmt::Write as _;
use std::path::PathBuf;

use farquorum_proto::v1::{Job, JobState, StageProgress};
use serde_json::Value;

use crate::lab::{Sim, await_that};
use crate::run;

/// Text files, and lines in each: about 4 MB.
const FILES: usize = 16;
/// Lines in each.
const LINES: usize = 5000;
/// Input of one map task: many tasks, so that faults hit the middle of the job.
const SPLIT_BYTES: &str = "32768";

/// Leases are short, so that the attempts of a worker that was stopped are taken from it while the test watches.
const SHORT_LEASES: [&str; 4] = ["--set", "tasks.heartbeat_ms=500", "--set", "tasks.lease_ms=2000"];

#[test]
fn a_word_count_survives_dead_stopped_and_isolated_workers() {
    let Some(sim) = Sim::up(&SHORT_LEASES) else { return };
    let input = write_text(&sim);
    let output = format!("{}/faults", sim.context().storage.unwrap().url);
    let job = ["job", "run", "wordcount", "--reducers", "3", "--split-bytes", SPLIT_BYTES, "--detach"];
    sim.ok(&[&job[..], &["--input", input.to_str().unwrap(), "--output", &output]].concat());
    run(async {
        let cluster = sim.cluster(20.0);
        let job = || async { cluster.jobs().list().await.ok()?.jobs.into_iter().next() };
        let maps = |share: u32| async move {
            let map = stage(&job().await?);
            (map.tasks > 0 && map.completed * 100 >= map.tasks * share).then_some(map)
        };
        let (map, _) = await_that("a tenth of the map tasks", 60, || maps(10)).await;
        assert!(map.completed < map.tasks, "the job was over before the first fault: {map:?}");
        sim.verb(&["kill", "worker-aws-1"]);
        sim.verb(&["pause", "worker-azure-1"]);
        sim.verb(&["isolate", "gcp"]);
        await_that("half of the map tasks, by one worker", 60, || maps(50)).await;
        sim.verb(&["restart", "worker-aws-1"]);
        sim.heal_all();
        await_that("a lease that ended", 60, || async {
            (stage(&job().await?).failed_attempts > 0).then_some(())
        })
        .await;
        sim.verb(&["resume", "worker-azure-1"]);
        let (job, took) = await_that("the end of the job", 120, || async { job().await.filter(over) }).await;
        assert_eq!(job.state(), JobState::Completed, "{}", job.error);
        println!("{:?}; over {} ms after the last fault", stage(&job), took.as_millis());
        sim.equals_the_reference(&job.parts, input.to_str().unwrap()).await;
    });
}

#[test]
fn a_worker_that_stops_shows_offline_and_comes_back() {
    let Some(sim) = Sim::up(&[]) else { return };
    run(async {
        let worker = || async { worker(&sim.cluster_state().await?, "worker-gcp-1") };
        sim.verb(&["kill", "worker-gcp-1"]);
        // WRK-2 allows 20 s: three missed heartbeats of 5 s, and a look.
        let (_, took) =
            await_that("offline", 20, || async { worker().await.filter(|w| w.0 == "offline") }).await;
        println!("offline {} ms after its end", took.as_millis());
        sim.verb(&["restart", "worker-gcp-1"]);
        let (_, took) =
            await_that("healthy", 20, || async { worker().await.filter(|w| w.0 == "healthy") }).await;
        println!("healthy {} ms after its restart", took.as_millis());
        // The cluster goes away as a whole and comes back: the worker finds it again by itself.
        let before = worker().await.unwrap().1;
        for verb in ["kill", "restart"] {
            for node in sim.nodes() {
                sim.verb(&[verb, &node]);
            }
        }
        let again = || async { worker().await.filter(|w| w.0 == "healthy" && w.1 > before) };
        let (_, took) = await_that("a heartbeat to the new cluster", 30, again).await;
        println!("heard {} ms after the cluster's restart", took.as_millis());
        let log = sim.log("worker-gcp-1");
        assert!(log.contains("Worker ready"), "{log}");
    });
}

/// Status and last heartbeat of a worker.
fn worker(state: &Value, name: &str) -> Option<(String, u64)> {
    let workers = state["workers"].as_array()?;
    let worker = workers.iter().find(|worker| worker["worker_id"] == name)?;
    Some((worker["status"].as_str()?.to_owned(), worker["last_seen"].as_u64()?))
}

fn over(job: &Job) -> bool {
    matches!(job.state(), JobState::Completed | JobState::Failed | JobState::Cancelled)
}

fn stage(job: &Job) -> StageProgress {
    job.stages.first().cloned().unwrap_or_default()
}

/// Text with a few thousand different words, some common and most rare; the same in every run.
fn write_text(sim: &Sim) -> PathBuf {
    let folder = sim.lab.state.path().join("input");
    std::fs::create_dir_all(&folder).unwrap();
    let mut seed: u64 = 7;
    let mut word = || {
        // Knuth's MMIX generator; of two draws the smaller, so that small numbers are common.
        let mut draw = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % 5000
        };
        draw().min(draw())
    };
    for file in 0..FILES {
        let mut content = String::new();
        for _ in 0..LINES {
            writeln!(content, "Wort{} word{} слово{} the {}", word(), word(), word(), word()).unwrap();
        }
        std::fs::write(folder.join(format!("{file}.txt")), content).unwrap();
    }
    folder
}
