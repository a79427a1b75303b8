//! The nodes' HTTP pages: one GET, one JSON body.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A node that does not answer by then is dead, paused or cut off.
const LIMIT: Duration = Duration::from_secs(1);

/// The JSON at `path`; `None` when nothing useful comes back in time.
pub(super) async fn get(address: &str, path: &str) -> Option<Value> {
    tokio::time::timeout(LIMIT, fetch(address, path)).await.ok()?.ok()
}

async fn fetch(address: &str, path: &str) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).map_err(std::io::Error::other)
}
