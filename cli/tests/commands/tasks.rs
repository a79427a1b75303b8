//! `farquorum task`.

use serde_json::{Value, json};

use crate::lab::Sim;
use crate::ran;

/// Submits and waits; the task as JSON.
fn done(sim: &Sim, kind: &str, payload: &Value, extra: &[&str]) -> Value {
    let payload = payload.to_string();
    let args = [&["task", "submit", kind, &payload, "--wait", "-o", "json"], extra].concat();
    ran(sim, &args).code(0).says(&["is submitted; waiting until it is over"]).json()
}

/// What the kinds do, and how they fail.
pub(crate) fn kinds(sim: &Sim) {
    let command = json!({
        "argv": ["sh", "-c", "cat; echo \"$GREETING\"; echo to stderr >&2"],
        "stdin": "from stdin, ",
        "env": { "GREETING": "from the environment" },
    });
    let task = done(sim, "command", &command, &["--cloud", "azure"]);
    assert_eq!(task["result"]["stdout"], "from stdin, from the environment\n");
    assert_eq!(task["result"]["stderr"], "to stderr\n");
    assert_eq!((&task["state"], &task["result"]["status"]), (&json!("completed"), &json!(0)));
    assert_eq!(task["worker"], "worker-azure-1", "an idle worker of the preferred cloud was not preferred");

    let one = done(sim, "matmul", &json!({ "n": 64, "seed": 7 }), &[]);
    let again = done(sim, "matmul", &json!({ "n": 64, "seed": 7 }), &[]);
    let other = done(sim, "matmul", &json!({ "n": 64, "seed": 8 }), &[]);
    assert_eq!(one["result"], again["result"]);
    assert_ne!(one["result"]["sha256"], other["result"]["sha256"]);

    let fails = |payload: Value, extra: &[&str], words: &[&str]| {
        let payload = payload.to_string();
        let args = [&["task", "submit", "command", &payload, "--wait", "--retries", "0"], extra].concat();
        ran(sim, &args).code(1).prints(&["state     failed"]).says(words);
    };
    fails(
        json!({ "argv": ["sh", "-c", "echo broken >&2; exit 3"] }),
        &[],
        &["failed", "exit status: 3", "broken"],
    );
    fails(json!({ "argv": ["sleep", "600"] }), &["--timeout-ms", "200"], &["timed out after 200 ms"]);
    fails(json!({ "argv": ["/nonexistent"] }), &[], &["/nonexistent"]);
    fails(json!({ "argvv": [] }), &[], &["unknown field `argvv`", "expected one of `argv`"]);
}

/// A wait ends when its time is over; the task does not.
pub(crate) fn bounded_wait(sim: &Sim) {
    let long = r#"{"argv": ["sleep", "600"]}"#;
    let late = ran(sim, &["task", "submit", "command", long, "--wait", "--timeout", "0.5"]).code(3);
    let id = late.err.split_whitespace().nth(1).unwrap().to_owned();
    let late = late.says(&[&format!("task {id} is not over within 0.5 s; it goes on")]);
    let late = late.says(&[&format!("try: farquorum task get {id}")]);
    assert!(late.text().is_empty(), "{late}");
    assert!(ran(sim, &["task", "cancel", &id, "-o", "json"]).ok().json()["state"] == "cancelled");
}

/// What is not done says why, with the exit code for it.
pub(crate) fn refusals(sim: &Sim) {
    let yes = r#"{"argv": ["true"]}"#;
    let known = "command, matmul, publish, storage-check, wordcount-map, wordcount-reduce";
    ran(sim, &["task", "submit", "comand", yes]).code(2).says(&["\"comand\" is not one of", known]);
    ran(sim, &["task", "submit", "command", "{"]).code(2).says(&["the payload is not JSON"]);
    ran(sim, &["task", "submit", "command", yes, "--cloud", "mars"])
        .code(2)
        .says(&["\"mars\" is not one of aws, azure, gcp"]);
    ran(sim, &["task", "get", "999999"]).code(1).says(&["there is no task 999999"]);
    ran(sim, &["task", "cancel", "999999"]).code(1).says(&["there is no task 999999"]);
    ran(sim, &["task", "list", "--state", "lost"]).code(2).says(&["possible values: pending"]);

    let keyed = |payload: &str| ran(sim, &["task", "submit", "command", payload, "--key", "k", "-o", "json"]);
    let first = keyed(yes).ok().json()["id"].clone();
    assert_eq!(keyed(yes).ok().json()["id"], first, "the same key and content made a second task");
    keyed(r#"{"argv": ["false"]}"#).code(4).says(&["idempotency key \"k\"", &format!("task {first}")]);

    let over = done(sim, "command", &json!({ "argv": ["true"] }), &[])["id"].to_string();
    ran(sim, &["task", "cancel", &over]).code(4).says(&[&format!("task {over}"), "cancel is not possible"]);
}
