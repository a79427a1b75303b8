//! `farquorum kv`.

use serde_json::json;

use crate::lab::Sim;
use crate::ran;
use crate::ran::run_with;

/// limits.key_bytes_max and limits.value_bytes_max of the built-in configuration.
const KEY_BYTES_MAX: usize = 1024;
const VALUE_BYTES_MAX: usize = 1 << 20;

/// What is written is read, until it is deleted or replaced; what is not as expected is left alone.
pub(crate) fn semantics(sim: &Sim) {
    ran(sim, &["kv", "get", "city"]).code(1).says(&["there is no key \"city\""]);
    ran(sim, &["kv", "get", "city", "-o", "json"]).code(1).says(&["there is no key"]);
    ran(sim, &["kv", "set", "city", "Lyon"]).ok().prints(&["ok (revision "]);
    assert_eq!(ran(sim, &["kv", "get", "city"]).ok().out, b"Lyon");

    let refused = ran(sim, &["kv", "cas", "city", "--expect", "Paris", "Rome"]);
    refused.code(4).says(&["\"city\" was not set", "its value is \"Lyon\", not the expected one"]);
    ran(sim, &["kv", "cas", "city", "Rome"]).code(4).says(&["its value is \"Lyon\""]);
    ran(sim, &["kv", "cas", "village", "--expect", "x", "Rome"]).code(4).says(&["its value is absent"]);
    assert_eq!(ran(sim, &["kv", "get", "city"]).ok().out, b"Lyon", "a refused write was done");
    let before = revision(sim, "city");
    ran(sim, &["kv", "cas", "city", "--expect", "Lyon", "Rome"]).ok();
    assert!(revision(sim, "city") > before);

    ran(sim, &["kv", "set", "citadel", "Besançon"]).ok();
    ran(sim, &["kv", "set", "river", "Rhône"]).ok();
    let listed = ran(sim, &["kv", "list", "cit", "-o", "json"]).ok().json();
    let pairs: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|kv| [&kv["key"], &kv["value"]]).collect();
    assert_eq!(json!(pairs), json!([["citadel", "Besançon"], ["city", "Rome"]]));

    // Every node has applied it by the time that all of them say so; then an old answer is the same.
    let all_applied = |status: &serde_json::Value| {
        let nodes = status["nodes"].as_array().unwrap();
        nodes.iter().all(|node| node["applied"].as_u64() >= Some(revision(sim, "river")))
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !all_applied(&sim.json(&["status"])) {
        assert!(std::time::Instant::now() < until, "a follower stays behind");
    }
    assert_eq!(ran(sim, &["kv", "get", "river", "--stale"]).ok().text(), "Rhône");

    assert_eq!(ran(sim, &["kv", "del", "city", "-o", "json"]).ok().json()["existed"], json!(true));
    ran(sim, &["kv", "del", "city"]).ok().prints(&["was not there"]);
    ran(sim, &["kv", "get", "city"]).code(1);
    ran(sim, &["kv", "list", "nothing-begins-so"]).ok().prints(&["no keys"]);
}

fn revision(sim: &Sim, key: &str) -> u64 {
    sim.json(&["kv", "get", key])["revision"].as_u64().unwrap()
}

/// Values are bytes; what is too long is refused with the limit and the size, and the longest allowed is not.
pub(crate) fn sizes_and_bytes(sim: &Sim) {
    let set = |key: &str, value: &[u8]| run_with(sim.command(&["kv", "set", key, "-"]), value);
    // All but ESC, which no run of these tests may print.
    let all_bytes: Vec<u8> = (0..=255).filter(|byte| *byte != 0x1b).collect();
    set("bytes", &all_bytes).ok();
    let printed = ran(sim, &["kv", "get", "bytes"]).ok().out;
    assert!(printed == all_bytes, "what was written is not what is read: {printed:?}");
    let pair = ran(sim, &["kv", "get", "bytes", "-o", "json"]).ok().json();
    assert!(pair["value"].as_str().unwrap().starts_with("AAECAwQF"), "{pair}");
    assert_eq!((&pair["encoding"], &pair["key_encoding"]), (&json!("base64"), &json!("text")));
    set("looks", b"base64:AP8K").ok();
    let pair = ran(sim, &["kv", "get", "looks", "-o", "json"]).ok().json();
    assert_eq!((&pair["value"], &pair["encoding"]), (&json!("base64:AP8K"), &json!("text")));
    set("empty", b"").ok();
    assert_eq!(ran(sim, &["kv", "get", "empty"]).ok().out, b"");

    set("long", &vec![b'x'; VALUE_BYTES_MAX]).ok();
    assert_eq!(ran(sim, &["kv", "get", "long"]).ok().out.len(), VALUE_BYTES_MAX);
    set("lines", b"one\r\n\x1b[31mtwo").ok();
    let listed =
        ran(sim, &["kv", "list", "l"]).ok().prints(&[r"one\r\n\u{1b}[31mtwo", "xxx... (1048576 bytes)"]);
    assert!(
        listed.text().lines().count() == 4 && listed.text().lines().all(|line| line.len() < 120),
        "{listed}"
    );
    ran(sim, &["kv", "del", "lines"]).ok();
    ran(sim, &["kv", "del", "long"]).ok();
    set("long", &vec![b'x'; VALUE_BYTES_MAX + 1]).code(2).says(&[
        "the value has 1048577 bytes",
        "at most 1048576",
        "limits.value_bytes_max",
    ]);
    ran(sim, &["kv", "get", "long"]).code(1);

    let key = "k".repeat(KEY_BYTES_MAX);
    ran(sim, &["kv", "set", &key, "v"]).ok();
    ran(sim, &["kv", "del", &key]).ok();
    ran(sim, &["kv", "set", &format!("{key}k"), "v"]).code(2).says(&[
        "the key has 1025 bytes",
        "at most 1024",
        "limits.key_bytes_max",
    ]);
    ran(sim, &["kv", "set", "", "v"]).code(2).says(&["the key is empty"]);
}
