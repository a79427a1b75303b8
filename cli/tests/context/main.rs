//! `farquorum context` on files: what is imported, listed, used and shown, and what is refused. Starts no simulation;
//! that an imported context works stands in `tests/commands`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

#[path = "../lab/ran.rs"]
#[allow(dead_code, reason = "every test binary uses its part")]
mod ran;

use std::path::{Path, PathBuf};
use std::process::Command;

use ran::Ran;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A folder with the repository's own farquorum.toml, certificates of its cluster, and what Terraform printed of it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: TempDir::new().unwrap() };
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../farquorum.toml");
        std::fs::copy(own, desk.path("farquorum.toml")).unwrap();
        desk.ran(&["certs", "init"]).ok();
        desk.ran(&["certs", "issue", "--role", "admin", "--name", "admin"]).ok();
        desk.terraform("outputs.json", |text| text);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes what Terraform prints of this cluster, changed.
    fn terraform(&self, name: &str, change: impl Fn(String) -> String) {
        let digest = hex::encode(Sha256::digest(self.text("farquorum.toml").as_bytes()));
        let text = include_str!("outputs.json").replace("DIGEST", &digest);
        std::fs::write(self.path(name), change(text)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farquorum"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FARQUORUM_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.folder.path()).env("FARQUORUM_STATE_DIR", self.path("state"));
        command
    }

    fn ran(&self, args: &[&str]) -> Ran {
        ran::run(self.command(args))
    }

    fn import(&self, args: &[&str]) -> Ran {
        self.ran(&[&["context", "import"], args].concat())
    }
}

#[test]
fn what_terraform_made_becomes_a_context() {
    let desk = Desk::new();
    desk.import(&["outputs.json"])
        .ok()
        .prints(&["context farquorum is in", "farquorum context use farquorum"]);
    let here = desk.folder.path().display().to_string();
    let written = desk.text("state/contexts/farquorum.toml").replace(&here, "HERE");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/context/imported.toml");
    if std::env::var_os("FARQUORUM_UPDATE").is_some() {
        std::fs::write(&golden, &written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(&golden).unwrap_or_default(), "FARQUORUM_UPDATE=1 accepts");
    // From standard input, under a name of one's own, it is the same.
    let outputs = desk.text("outputs.json");
    let command = desk.command(&["context", "import", "-", "--name", "prod", "--certs", "./certs"]);
    ran::run_with(command, outputs.as_bytes()).ok();
    assert_eq!(desk.text("state/contexts/prod.toml").replace(&here, "HERE").replace("/./", "/"), written);
}

#[test]
fn contexts_are_listed_used_and_shown() {
    let desk = Desk::new();
    assert_eq!(desk.ran(&["context", "list", "-o", "json"]).ok().json()["contexts"], serde_json::json!([]));
    desk.ran(&["context", "show"]).code(3).says(&["no context is in use", "make sim-up"]);
    desk.import(&["outputs.json", "--name", "prod"]).ok();
    desk.import(&["outputs.json", "--name", "staging"]).ok();
    desk.ran(&["context", "use", "prdo"]).code(2).says(&["no context \"prdo\"; there are: prod, staging"]);
    desk.ran(&["context", "use", "staging"]).ok().prints(&["commands talk to staging"]);

    std::fs::write(desk.path("state/contexts/bad.toml"), "cluster = 1\n").unwrap();
    let listed = desk.ran(&["context", "list", "-o", "json"]).ok().json();
    let rows: Vec<String> = listed["contexts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {} {}", row["name"], row["chosen"], row["cluster"], row["nodes"]))
        .collect();
    let expected =
        [r#""bad" false null null"#, r#""prod" false "farquorum" 3"#, r#""staging" true "farquorum" 3"#];
    assert_eq!(rows, expected);
    desk.ran(&["context", "list"]).ok().prints(&["staging  *", "bad.toml (cannot be used)"]);

    let shown = desk.ran(&["context", "show", "-o", "yaml"]).ok().yaml();
    assert_eq!(shown["name"], "staging");
    assert_eq!(shown["context"]["nodes"][1]["grpc"], "198.51.100.11:50051");
    desk.ran(&["context", "show", "prod"]).ok().prints(&["name         prod", "203.0.113.11:8080"]);
    desk.ran(&["context", "show", "--context", "prod"]).ok().prints(&["name         prod"]);
    desk.ran(&["context", "show", "state/contexts/prod.toml"]).ok().prints(&["cluster      farquorum"]);
    desk.ran(&["context", "show", "bad"]).code(2).says(&["bad.toml is not a context file"]);

    std::fs::remove_file(desk.path("state/contexts/staging.toml")).unwrap();
    desk.ran(&["status"]).code(2).says(&["staging, is not there any more", "context use --none"]);
    desk.ran(&["context", "list"]).ok();
    desk.ran(&["context", "use", "--none"]).ok();
    desk.ran(&["status"]).code(3).says(&["no context is in use"]);
    desk.ran(&["context", "use"]).code(2).says(&["--none"]);
}

#[test]
fn the_store_is_the_one_that_workers_use() {
    let desk = Desk::new();
    let chosen = desk.text("farquorum.toml").replace(
        "bucket = \"pipeline-data\"",
        "service = \"azure\"\naccount = \"acmeaz\"\nbucket = \"jobs\"",
    );
    std::fs::write(desk.path("farquorum.toml"), chosen).unwrap();
    let output =
        |value: &str| format!("\"farquorum_storage\": {{\"value\": {value}}},\n  \"farquorum_cluster\"");
    let made = |name: &str, value: &str| {
        desk.terraform(name, |text| text.replace("\"farquorum_cluster\"", &output(value)));
    };
    desk.terraform("none.json", |text| text);
    desk.import(&["none.json"]).code(4).says(&["Terraform made no bucket az://jobs", "storage.bucket"]);
    made("other.json", r#"{"url": "az://pipeline-data", "region": null, "account": "acmeaz"}"#);
    desk.import(&["other.json"])
        .code(4)
        .says(&["objects are in az://jobs, and Terraform made az://pipeline-data"]);
    made("bad.json", r#"{"url": "jobs", "region": null, "account": null}"#);
    desk.import(&["bad.json"]).code(2).says(&["farquorum_storage.url = \"jobs\" must be s3://BUCKET"]);
    made("right.json", r#"{"url": "az://jobs", "region": null, "account": "acmeaz"}"#);
    std::fs::write(desk.path("keys.toml"), "azure_sas = 1\n").unwrap();
    desk.import(&["right.json", "--storage-credentials", "keys.toml"])
        .code(2)
        .says(&["keys.toml", "azure_sas"]);
    std::fs::write(desk.path("keys.toml"), "azure_sas = \"sv=1&sig=x\"\n").unwrap();
    desk.import(&["right.json", "--storage-credentials", "keys.toml"]).ok();
    let shown = desk.ran(&["context", "show", "farquorum", "-o", "json"]).ok().json();
    let storage = &shown["context"]["storage"];
    assert_eq!((&storage["url"], &storage["account"]), (&"az://jobs".into(), &"acmeaz".into()), "{storage}");
    assert!(storage["credentials"].as_str().unwrap().ends_with("keys.toml"), "{storage}");
    assert!(!desk.text("state/contexts/farquorum.toml").contains("sig="), "a secret is in the context");
}

#[test]
fn a_store_with_https_is_trusted_by_a_file_of_this_machine() {
    let desk = Desk::new();
    let plain = desk.text("farquorum.toml");
    let configured = |lines: &str| {
        std::fs::write(desk.path("farquorum.toml"), plain.replace("[storage]", lines)).unwrap();
        desk.terraform("outputs.json", |text| text);
    };
    let imported = |args: &[&str]| {
        desk.import(&[&["outputs.json", "--force"], args].concat()).ok();
        desk.ran(&["context", "show", "farquorum", "-o", "json"]).ok().json()["context"]["storage"].clone()
    };
    desk.import(&["outputs.json", "--storage-ca", "certs/ca/peer.crt"])
        .code(2)
        .says(&["--storage-ca is for an object store of your own with HTTPS", "storage.tls = true"]);
    configured("[storage]\ntls = true");
    assert_eq!(imported(&[])["endpoint"], "https://10.10.0.31:9000");
    assert!(imported(&[])["ca"].is_null());

    configured("[storage]\nca = \"/nowhere/store-ca.pem\"");
    desk.import(&["outputs.json"]).code(2).says(&[
        "/nowhere/store-ca.pem",
        "No such file",
        "--storage-ca FILE",
    ]);
    std::fs::write(desk.path("store-ca.pem"), "none").unwrap();
    desk.import(&["outputs.json", "--storage-ca", "store-ca.pem"]).code(2).says(&["store-ca.pem: not PEM"]);
    std::fs::copy(desk.path("certs/ca/peer.crt"), desk.path("store-ca.pem")).unwrap();
    let storage = imported(&["--storage-ca", "store-ca.pem"]);
    assert_eq!(storage["endpoint"], "https://10.10.0.31:9000");
    assert_eq!(storage["ca"], desk.path("store-ca.pem").display().to_string());
    configured(&format!("[storage]\nca = \"{}\"", desk.path("store-ca.pem").display()));
    assert_eq!(imported(&[])["ca"], desk.path("store-ca.pem").display().to_string());
}

#[test]
fn another_cluster_than_the_one_of_the_file_is_refused() {
    let desk = Desk::new();
    std::fs::write(desk.path("farquorum.toml"), format!("{}\n# new\n", desk.text("farquorum.toml"))).unwrap();
    desk.import(&["outputs.json"]).code(4).says(&[
        "cluster farquorum was built from another farquorum.toml: SHA-256 ",
        "try: farquorum render and terraform apply",
        "--ignore-digest",
    ]);
    assert!(!desk.path("state/contexts").exists(), "something was written");
    desk.import(&["outputs.json", "--ignore-digest"]).ok();
    std::fs::remove_file(desk.path("farquorum.toml")).unwrap();
    desk.import(&["outputs.json"]).code(2).says(&["no farquorum.toml here", "--config FILE"]);
}

#[test]
fn another_context_of_that_name_is_kept() {
    let desk = Desk::new();
    desk.import(&["outputs.json"]).ok();
    desk.import(&["outputs.json"]).ok();
    desk.terraform("moved.json", |text| text.replace("192.0.2.11", "192.0.2.99"));
    let before = desk.text("state/contexts/farquorum.toml");
    desk.import(&["moved.json"]).code(4).says(&["another context farquorum", "--force replaces it"]);
    assert_eq!(desk.text("state/contexts/farquorum.toml"), before);
    desk.import(&["moved.json", "--force"]).ok();
    assert!(desk.text("state/contexts/farquorum.toml").contains("192.0.2.99:50051"));
}

#[test]
fn certificates_must_be_there_and_of_that_cluster() {
    let desk = Desk::new();
    desk.import(&["outputs.json", "--as", "eve"]).code(2).says(&["eve.crt", "certs issue"]);
    desk.import(&["outputs.json", "--certs", "none"]).code(2).says(&["none/admin.crt", "--certs DIR"]);
    desk.ran(&["certs", "init", "--dir", "other", "--cluster", "other"]).ok();
    desk.ran(&["certs", "issue", "--dir", "other", "--role", "admin", "--name", "admin"]).ok();
    desk.import(&["outputs.json", "--certs", "other"]).code(2).says(&["other", "farquorum"]);
    assert!(!desk.path("state/contexts").exists(), "something was written");
}

#[test]
fn what_is_no_output_of_terraform_is_named() {
    let desk = Desk::new();
    type Change = fn(String) -> String;
    let cases: [(Change, &str); 12] = [
        (|_| String::new(), "not what `terraform output -json` prints: EOF"),
        (|text| text.replacen('{', "[", 1), "not what `terraform output -json` prints"),
        (|_| "{}".to_owned(), "there is no output farquorum_cluster; there are none"),
        (
            |text| text.replace("farquorum_cluster", "cluster"),
            "only a part was applied: terraform apply, then import again",
        ),
        (
            |text| text.replace("farquorum_nodes", "nodes"),
            "there is no output farquorum_nodes; there are: buckets, farquorum_cluster, nodes",
        ),
        (|text| text.replace("\"value\"", "\"vaule\""), "the output farquorum_cluster has no \"value\""),
        (|text| text.replace("toml_sha256\": \"", "toml\": \""), "missing field `toml_sha256`"),
        (|text| text.replace("\"id\": 3", "\"id\": \"3\""), "the output farquorum_nodes: invalid type"),
        (
            |text| text.replace("\"id\": 3", "\"id\": 1"),
            "farquorum_nodes.cp-azure-1.id = 1 is that of cp-aws-1 too",
        ),
        (
            |text| text.replace("203.0.113.11:50051", "203.0.113.11"),
            "farquorum_nodes.cp-azure-1.api = \"203.0.113.11\" must be HOST:PORT",
        ),
        (|text| text.replace("\"name\": \"farquorum\"", "\"name\": \"../up\""), "1 to 63 of a-z"),
        (|text| format!("{text}{}", " ".repeat(5 << 20)), "has more than 4194304 bytes"),
    ];
    for (change, message) in cases {
        desk.terraform("bad.json", change);
        desk.import(&["bad.json"]).code(2).says(&[message]);
    }
    desk.import(&["none.json"]).code(2).says(&["none.json cannot be read"]);
    desk.import(&["bad.json", "--name", "a/b"]).code(2);
    assert!(!desk.path("state/contexts").exists(), "something was written");
}
