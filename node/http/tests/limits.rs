//! Connections that say nothing, and requests that run while the server stops.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use farquorum_http::{Limits, serve_router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Two connections at once.
async fn server(header_timeout: Duration, stop: &CancellationToken) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "done"
    };
    let routes = Router::new().route("/", get(|| async { "here" })).route("/slow", get(slow));
    let limits = Limits { header_timeout, ..Limits::of(2) };
    (address, tokio::spawn(serve_router(listener, routes, limits, stop.clone())))
}

async fn ask(address: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn connections_that_say_nothing_hold_their_places_for_a_time_only() {
    let stop = CancellationToken::new();
    let (address, _server) = server(Duration::from_millis(200), &stop).await;
    let silent = [TcpStream::connect(&address).await.unwrap(), TcpStream::connect(&address).await.unwrap()];
    let third = answer(ask(&address, "/").await).await;
    assert!(third.ends_with("here"), "{third}");
    for mut one in silent {
        assert_eq!(one.read(&mut [0; 100]).await.unwrap_or(0), 0, "was ended");
    }
}

#[tokio::test]
async fn no_more_than_the_limit_are_served_at_once() {
    let stop = CancellationToken::new();
    let (address, _server) = server(Duration::from_secs(60), &stop).await;
    let silent = [TcpStream::connect(&address).await.unwrap(), TcpStream::connect(&address).await.unwrap()];
    let third = tokio::spawn(answer(ask(&address, "/").await));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!third.is_finished(), "waits for a place");
    drop(silent);
    assert!(third.await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn a_request_that_runs_is_answered_before_the_server_ends() {
    let stop = CancellationToken::new();
    let (address, server) = server(Duration::from_secs(60), &stop).await;
    let slow = ask(&address, "/slow").await;
    // Longer than the request takes to arrive, shorter than its answer takes.
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    assert!(answer(slow).await.ends_with("done"));
    server.await.unwrap();
}
