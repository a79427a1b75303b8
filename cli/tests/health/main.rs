//! `farquorum health` against answers of every kind, each from a listener of the test's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

#[path = "../lab/ran.rs"]
#[allow(dead_code, reason = "every test binary uses its part")]
mod ran;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ran::Ran;
use tempfile::TempDir;

/// Answers one request with these bytes; what was asked for comes back when it is done.
fn answers(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut first).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        first.trim_end().to_owned()
    };
    (address, std::thread::spawn(serve))
}

fn ran_in(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farquorum"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FARQUORUM_") {
            command.env_remove(name);
        }
    }
    command.arg("health").args(args).current_dir(folder);
    ran::run(command)
}

fn ran(args: &[&str]) -> Ran {
    ran_in(TempDir::new().unwrap().path(), args)
}

const WELL: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok\n";

#[test]
fn well_is_one_line_and_exit_code_0() {
    for (flags, line) in [(&[][..], "GET /livez HTTP/1.1"), (&["--ready"], "GET /readyz HTTP/1.1")] {
        let (address, asked) = answers(WELL);
        let said = ran(&[&["--address", &address], flags].concat()).ok();
        assert_eq!(asked.join().unwrap(), line);
        assert!(said.text().starts_with("healthy: http://127.0.0.1:") && said.text().lines().count() == 1);
    }
    let (address, asked) = answers(WELL);
    ran(&["--url", &format!("http://{address}/minio/health/live")]).ok();
    assert_eq!(asked.join().unwrap(), "GET /minio/health/live HTTP/1.1");
}

#[test]
fn anything_else_is_exit_code_1_with_the_reason() {
    let cases = [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\nno leader\nfor 3 s\n", "answered 503: no leader for 3 s"),
        ("SSH-2.0-x\r\n", "does not speak HTTP"),
        ("", "does not speak HTTP"),
    ];
    for (answer, reason) in cases {
        let (address, asked) = answers(answer);
        ran(&["--address", &address]).code(1).says(&["not healthy: http://127.0.0.1:", reason]);
        asked.join().unwrap();
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    ran(&["--address", &free]).code(1).says(&["Connection refused"]);
}

/// Accepted by the kernel and never answered.
#[test]
fn silence_ends_at_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let start = Instant::now();
    ran(&["--address", &address, "--timeout", "0.3"]).code(1).says(&["no answer within 300 ms"]);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

/// A server that keeps the connection open has answered all the same.
#[test]
fn an_answer_of_known_length_ends_without_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n").unwrap();
        let mut rest = Vec::new();
        // Until the other side hangs up; nothing was closed here.
        std::io::Read::read_to_end(&mut stream, &mut rest).unwrap();
    };
    let served = std::thread::spawn(serve);
    ran(&["--address", &address, "--timeout", "30"]).ok();
    served.join().unwrap();
}

#[test]
fn a_worker_is_ready_when_the_cluster_knows_it() {
    for (registered, ready) in [("true", 0), ("false", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let body =
            format!("HTTP/1.1 200 OK\r\n\r\n{{\"worker\":\"w\",\"registered\":{registered},\"running\":0}}");
        let serve = move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let mut first = String::new();
                BufReader::new(stream.try_clone().unwrap()).read_line(&mut first).unwrap();
                assert_eq!(first, "GET /health HTTP/1.1\r\n");
                stream.write_all(body.as_bytes()).unwrap();
            }
        };
        let served = std::thread::spawn(serve);
        let folder = TempDir::new().unwrap();
        let file = format!(
            "[cluster]\nallow_single_node = true\n[clouds.a]\nnetwork = \"127.0.0.0/24\"\n\
             [[nodes]]\nid = 1\nname = \"n\"\ncloud = \"a\"\naddress = \"127.0.0.2\"\n\
             [[workers]]\nname = \"w\"\ncloud = \"a\"\naddress = \"127.0.0.1\"\nhttp_port = {port}\n\
             [storage]\ncloud = \"a\"\naddress = \"127.0.0.3\"\n"
        );
        std::fs::write(folder.path().join("farquorum.toml"), file).unwrap();
        ran_in(folder.path(), &["--name", "w"]).code(0);
        ran_in(folder.path(), &["--name", "w", "--ready"]).code(ready);
        served.join().unwrap();
    }
}

#[test]
fn bad_usage_says_what_is_allowed() {
    for (args, words) in [
        (&["--address", "nowhere"][..], "must be HOST:PORT"),
        (&["--address", "a:0"], "must be HOST:PORT"),
        (&["--url", "https://a:1/x"], "must be http://HOST:PORT/PATH"),
        (&["--url", "http://a:1/x y\r\nz: 1"], "must be http://HOST:PORT/PATH"),
        (&["--url", "http://a/x"], "must be http://HOST:PORT/PATH"),
        (&["--name", "cp-aws-9"], "there are cp-aws-1, cp-gcp-1, cp-azure-1, worker-aws-1"),
    ] {
        ran(args).code(2).says(&[words]);
    }
}
