//! `farquorum health`: asks one process whether it serves, for a container's HEALTHCHECK, where there is no shell and no
//! HTTP client. One request and one deadline from the connection to the last byte (a name is looked up before, with the
//! resolver's own bounds); what comes back is read up to a bound.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::config::loaded;
use crate::args::Global;
use crate::failure::Failure;
use crate::host_name::host_name;
use crate::output::write_line;

/// Most that is read of an answer: a status line, headers and one reason.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// `farquorum health`
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Node or worker of the configuration to ask; without it, the one that this host is called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Ask this HTTP port of a node instead of looking into the configuration
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["name", "url"])]
    address: Option<String>,
    /// Ask exactly this: http://HOST:PORT/livez or /readyz of a node, /health of a worker; 200 is well
    #[arg(long, value_name = "URL", conflicts_with_all = ["name", "ready"])]
    url: Option<String>,
    /// Whether requests should come here: a node that is caught up, a worker that the cluster knows
    #[arg(long)]
    ready: bool,
}

/// What to ask, and what the answer must hold beside status 200.
struct Question {
    address: String,
    path: String,
    holds: Option<&'static str>,
}

/// Asks, and says in one line what came back.
pub(crate) fn run(global: &Global, args: &HealthArgs) -> Result<ExitCode, Failure> {
    let question = question(global, args)?;
    let asked = format!("http://{}{}", question.address, question.path);
    let answer = get(&question, global.deadline())
        .map_err(|error| Failure::failed(format!("not healthy: {asked}: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("HTTP/") {
        return Err(Failure::failed(format!("not healthy: {asked} does not speak HTTP")));
    }
    let code = status.split(' ').nth(1).unwrap_or_default();
    let reason = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if code != "200" {
        return Err(Failure::failed(format!("not healthy: {asked} answered {code}: {reason}")));
    }
    if question.holds.is_some_and(|word| !body.contains(word)) {
        return Err(Failure::failed(format!("not ready: {asked}: {reason}")));
    }
    write_line(&format!("healthy: {asked} answered {code}"))?;
    Ok(ExitCode::SUCCESS)
}

fn question(global: &Global, args: &HealthArgs) -> Result<Question, Failure> {
    let node = if args.ready { "/readyz" } else { "/livez" };
    if let Some(url) = &args.url {
        let wrong = || Failure::usage(format!("--url {url:?} must be http://HOST:PORT/PATH"));
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains(|char: char| char.is_whitespace() || char.is_control()) {
            return Err(wrong());
        }
        return Ok(Question {
            address: host_port(address).ok_or_else(wrong)?,
            path: format!("/{path}"),
            holds: None,
        });
    }
    if let Some(address) = &args.address {
        let wrong = || Failure::usage(format!("--address {address:?} must be HOST:PORT"));
        let address = host_port(address).ok_or_else(wrong)?;
        return Ok(Question { address, path: node.to_owned(), holds: None });
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => host_name()
            .map_err(|failure| failure.hint("farquorum health --name NAME, or --address HOST:PORT"))?,
    };
    let config = loaded(global)?.config;
    if let Some(found) = config.node(&name) {
        let address = format!("{}:{}", found.address, found.http_port);
        return Ok(Question { address, path: node.to_owned(), holds: None });
    }
    if let Some(found) = config.worker(&name) {
        let address = format!("{}:{}", found.address, found.http_port);
        let holds = args.ready.then_some("\"registered\":true");
        return Ok(Question { address, path: "/health".to_owned(), holds });
    }
    let nodes = config.nodes.iter().map(|node| node.name.as_str());
    let known: Vec<&str> = nodes.chain(config.workers.iter().map(|worker| worker.name.as_str())).collect();
    let message = format!("no node and no worker is called {name:?}; there are {}", known.join(", "));
    Err(Failure::usage(message).hint("farquorum health --name NAME, or --address HOST:PORT"))
}

/// Whether requests should go to the node whose HTTP port this is; else why not.
pub(crate) fn ready(address: &str, deadline: Duration) -> Result<(), String> {
    let question = Question { address: address.to_owned(), path: "/readyz".to_owned(), holds: None };
    let answer = get(&question, deadline).map_err(|error| format!("http://{address}/readyz: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(body.lines().next().unwrap_or("it answers something else than HTTP").to_owned()),
    }
}

/// The text, when it is host:port without anything that would end a line of the request.
fn host_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let plain =
        !host.is_empty() && host.chars().all(|char| char.is_ascii_alphanumeric() || "-.:[]".contains(char));
    (plain && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| text.to_owned())
}

/// The whole answer. Every step has what is left of the deadline, so that a server that sends a byte at a time does not
/// hold the check.
fn get(question: &Question, deadline: Duration) -> Result<String, String> {
    let end = Instant::now() + deadline;
    let late = || format!("no answer within {} ms", deadline.as_millis());
    let left = || Some(end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
    let text = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => late(),
        _ => error.to_string(),
    };
    let addresses: Vec<_> = question.address.to_socket_addrs().map_err(text)?.collect();
    // `localhost` is two addresses, and most servers listen on one of them.
    let mut connected = Err("the name has no address".to_owned());
    for address in addresses {
        connected = TcpStream::connect_timeout(&address, left().ok_or_else(late)?).map_err(text);
        if connected.is_ok() {
            break;
        }
    }
    let mut stream = connected?;
    let request =
        format!("GET {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", question.path, question.address);
    stream.set_write_timeout(left()).map_err(text)?;
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while answer.len() < ANSWER_BYTES_MAX && !is_whole(&answer) {
        stream.set_read_timeout(Some(left().ok_or_else(late)?)).map_err(text)?;
        match stream.read(&mut part).map_err(text)? {
            0 => break,
            count => answer.extend_from_slice(part.get(..count).unwrap_or_default()),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether all that the answer announces is here; one that announces no length ends with its connection.
fn is_whole(answer: &[u8]) -> bool {
    const END: &[u8; 4] = b"\r\n\r\n";
    let Some(end) = answer.windows(END.len()).position(|four| four == END) else { return false };
    let (head, body) = answer.split_at(end + END.len());
    let head = String::from_utf8_lossy(head);
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let value: usize = value.trim().parse().ok()?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    };
    head.lines().find_map(length).is_some_and(|length| body.len() >= length)
}
