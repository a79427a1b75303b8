//! The kinds that run a subprocess or the processor (WRK-4).

use std::path::Path;
use std::time::Duration;

use crate::lab::Lab;
use farquorum_worker::tasks::{CommandResult, MatmulResult, Registry, TaskError};
use serde_json::json;

async fn command(lab: &Lab, payload: serde_json::Value) -> Result<CommandResult, TaskError> {
    let result = lab.run("command", (1, 1), payload.to_string().as_bytes()).await?;
    Ok(serde_json::from_slice(&result).unwrap())
}

fn sh(script: &str) -> serde_json::Value {
    json!({ "argv": ["sh", "-c", script] })
}

#[tokio::test]
async fn input_environment_and_folder_reach_the_program_and_its_output_comes_back() {
    let lab = Lab::start().await;
    let payload = json!({
        "argv": ["sh", "-c", "cat; echo $COLOUR; pwd; echo oops >&2"],
        "stdin": "given\n",
        "env": { "COLOUR": "blue" },
        "cwd": "/",
    });
    let result = command(&lab, payload).await.unwrap();
    assert_eq!(
        (result.status, result.stdout.as_str(), result.stderr.as_str()),
        (0, "given\nblue\n/\n", "oops\n")
    );
}

#[tokio::test]
async fn the_workers_environment_stays_with_the_worker() {
    let lab = Lab::start().await;
    assert!(std::env::vars().count() > 1, "this test has variables of its own");
    let result = command(&lab, json!({ "argv": ["env"] })).await.unwrap();
    assert!(result.stdout.starts_with("PATH=") && result.stdout.lines().count() == 1, "{}", result.stdout);
}

#[tokio::test]
async fn long_output_is_cut_and_counted() {
    let lab = Lab::start().await;
    let result = command(&lab, sh("head -c 1000000 /dev/zero | tr '\\0' x")).await.unwrap();
    assert_eq!((result.stdout.len(), result.bytes_left_out), (65_536, 1_000_000 - 65_536));
}

#[tokio::test]
async fn every_other_end_is_a_failure_that_says_why() {
    let lab = Lab::start().await;
    for (payload, reason, retryable) in [
        (sh("echo broken >&2; exit 3"), "exit status: 3; end of its standard error: \"broken\"", true),
        (sh("kill -9 $$"), "signal: 9", true),
        (json!({ "argv": ["/no/such/program"] }), "cannot start \"/no/such/program\"", false),
        (json!({ "argv": [] }), "argv is empty", false),
        (json!({ "argv": ["true"], "shell": true }), "unknown field `shell`", false),
        (
            json!({ "argv": ["sh", "-c", "while :; do :; done"], "limits": { "cpu_seconds": 1 } }),
            "signal",
            true,
        ),
    ] {
        let error = command(&lab, payload.clone()).await.unwrap_err();
        assert!(error.message.contains(reason) && error.retryable == retryable, "{payload}: {error}");
    }
}

#[tokio::test]
async fn the_memory_limit_reaches_the_program() {
    let lab = Lab::start().await;
    let payload = json!({ "argv": ["sh", "-c", "ulimit -v"], "limits": { "memory_bytes": 1_073_741_824 } });
    assert_eq!(command(&lab, payload).await.unwrap().stdout.trim(), "1048576");
}

/// Waits until the file holds a line.
async fn line_of(path: &Path) -> String {
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a process is gone (or a zombie, which runs no more).
async fn gone(pid: &str) {
    loop {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => return,
        }
    }
}

#[tokio::test]
async fn a_stopped_command_takes_its_grandchildren_with_it() {
    let lab = Lab::start().await;
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let script =
        format!("sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' & wait", pid_file.display());
    let run = Registry::default().get("command").unwrap().clone();
    let attempt = tokio::spawn(run(lab.context(1, 1), sh(&script).to_string().into_bytes()));
    let grandchild = line_of(&pid_file).await;
    attempt.abort();
    assert!(attempt.await.unwrap_err().is_cancelled());
    tokio::time::timeout(Duration::from_secs(30), gone(&grandchild)).await.expect("the grandchild lives on");
}

#[tokio::test]
async fn what_a_finished_command_left_behind_is_killed() {
    let lab = Lab::start().await;
    let result =
        tokio::time::timeout(Duration::from_secs(30), command(&lab, sh("sleep 1000 & echo $!"))).await;
    let left = result.expect("it waits for what was left behind").unwrap().stdout;
    tokio::time::timeout(Duration::from_secs(30), gone(left.trim())).await.expect("it lives on");
}

#[tokio::test]
async fn matmul_gives_the_same_for_every_block() {
    let lab = Lab::start().await;
    let run = async |payload: serde_json::Value| {
        let result = lab.run("matmul", (1, 1), payload.to_string().as_bytes()).await.unwrap();
        serde_json::from_slice::<MatmulResult>(&result).unwrap()
    };
    let expected = run(json!({ "n": 60, "seed": 7, "block": 60 })).await;
    for block in [1, 7, 32] {
        assert_eq!(run(json!({ "n": 60, "seed": 7, "block": block })).await, expected);
    }
    assert_ne!(run(json!({ "n": 60, "seed": 8 })).await.sha256, expected.sha256);
    let by_hand = run(json!({ "n": 2, "a": [[1, 2], [3, 4]], "b": [[5, 6], [7, 8]] })).await;
    assert_eq!(by_hand.trace, "69");
}
