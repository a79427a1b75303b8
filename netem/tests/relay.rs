//! The relay backend over real sockets: delays, cuts, changes and ends as programs see them. Needs no privileges.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use farquorum_config::{LinkShape, Loss};
use farquorum_netem::lab::LabSpec;
use farquorum_netem::relay::{Door, Relays, Route};
use farquorum_netem::selftest;

/// No test waits longer for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long something that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(300);
/// How much longer than configured the shortest round trip may be: two wake-ups of the thread on a busy machine.
const LATE_MS: f64 = 3.0;

/// Tests run one after another: they measure, and one of them fills all buffers.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shape(delay_ms: f64) -> LinkShape {
    LinkShape { delay_ms, ..LinkShape::default() }
}

/// A service that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Two clouds with one host each, and relays from aws-11 to the service on gcp-11.
fn relays(rtt_ms: f64, target: SocketAddr) -> (Relays, SocketAddr) {
    let spec = LabSpec::sample(&[("aws", 10), ("gcp", 20)], 1, &[("aws", "gcp", rtt_ms)]);
    let route = Route { from: "aws-11".to_string(), to: "gcp-11".to_string(), port: 7000, target };
    let relays = Relays::start(spec, vec![Door::bind(route).unwrap()], "asked for").unwrap();
    let door = relays.address("aws-11", "gcp-11", 7000).unwrap();
    (relays, door)
}

fn dial(door: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(door).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One byte there and back, milliseconds.
fn round_trip_ms(stream: &mut TcpStream) -> f64 {
    let start = Instant::now();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    start.elapsed().as_secs_f64() * 1e3
}

/// The shortest of 21 round trips: none may be too short, and a busy machine makes many too long.
fn fastest_ms(stream: &mut TcpStream) -> f64 {
    fastest((0..21).map(|_| round_trip_ms(stream)))
}

fn fastest(times_ms: impl Iterator<Item = f64>) -> f64 {
    times_ms.fold(f64::INFINITY, f64::min)
}

fn assert_near(measured_ms: f64, configured_ms: f64) {
    let near = (configured_ms..configured_ms + LATE_MS).contains(&measured_ms);
    assert!(near, "{measured_ms} ms measured, {configured_ms} ms configured");
}

fn assert_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let error = stream.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(error, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{error:?}");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn a_round_trip_takes_what_is_configured_also_after_a_change() {
    let _turn = turn();
    let (relays, door) = relays(40.0, echo());
    let mut streams: Vec<_> = (0..5).map(|_| dial(door)).collect();
    // The opening crosses the link first, and the byte right behind it.
    assert_near(fastest(streams.iter_mut().map(round_trip_ms)), 40.0);
    let mut stream = streams.remove(0);
    assert_near(fastest_ms(&mut stream), 40.0);
    let took = relays.control().set_link("aws", "gcp", shape(5.0)).unwrap();
    assert!(took < Duration::from_millis(10), "{took:?}");
    assert_near(fastest_ms(&mut stream), 25.0);
    relays.control().set_link("gcp", "aws", shape(5.0)).unwrap();
    assert_near(fastest_ms(&mut stream), 10.0);
    let links = relays.control().links().unwrap();
    let there = links.iter().find(|link| link.from == "aws" && link.to == "gcp").unwrap();
    // A byte for each round trip, and five openings without any.
    assert_eq!(
        (there.counters.offered_bytes, there.counters.delivered_bytes, there.counters.offered),
        (68, 68, 73)
    );
    relays.stop();
    assert!(TcpStream::connect(door).is_err(), "the port is closed");
}

#[test]
fn a_cut_holds_old_and_new_connections_and_healing_lets_them_go_on() {
    let _turn = turn();
    let (relays, door) = relays(10.0, echo());
    let control = relays.control();
    let mut old = dial(door);
    assert_near(fastest_ms(&mut old), 10.0);
    let cuts: [(&str, &str); 4] = [("aws", "gcp"), ("gcp", "aws"), ("aws-11", "gcp-11"), ("gcp", "aws-11")];
    for (from, to) in cuts {
        control.cut(from, to).unwrap();
        let mut new = dial(door);
        for stream in [&mut old, &mut new] {
            stream.write_all(b"held").unwrap();
            assert_silent(stream);
        }
        control.heal(from, to).unwrap();
        for stream in [&mut old, &mut new] {
            let mut back = [0; 4];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"held", "{from} {to}");
        }
    }
    control.isolate("gcp-11").unwrap();
    old.write_all(b"y").unwrap();
    assert_silent(&mut old);
    control.heal_all().unwrap();
    old.read_exact(&mut [0]).unwrap();
    assert_near(fastest_ms(&mut old), 10.0);
    relays.stop();
}

#[test]
fn nobody_there_is_told_by_a_reset_after_a_round_trip() {
    let _turn = turn();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (relays, door) = relays(60.0, nobody);
    let refused = |_| {
        let start = Instant::now();
        let error = dial(door).read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(error, Err(ErrorKind::ConnectionReset));
        start.elapsed().as_secs_f64() * 1e3
    };
    assert_near(fastest((0..5).map(refused)), 60.0);
    relays.stop();
}

#[test]
fn a_long_stream_arrives_whole_within_its_rate_and_its_bound() {
    let _turn = turn();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (relays, door) = relays(40.0, listener.local_addr().unwrap());
    let rate = LinkShape { delay_ms: 20.0, rate_mbit: Some(40.0), ..LinkShape::default() };
    relays.control().set_link("aws", "gcp", rate).unwrap();
    let data: Vec<u8> =
        (0..2_000_000_u32).flat_map(|number| number.to_le_bytes().into_iter().take(1)).collect();
    let sent = data.clone();
    let start = Instant::now();
    let writer = std::thread::spawn(move || dial(door).write_all(&sent).unwrap());
    let (mut reader, _) = listener.accept().unwrap();
    let control = relays.control();
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        for _ in 0..100 {
            let links = control.links().unwrap();
            let link = links.iter().find(|link| link.from == "aws" && link.to == "gcp").unwrap();
            most = most.max(link.counters.offered_bytes - link.counters.delivered_bytes);
            std::thread::sleep(Duration::from_millis(3));
        }
        most
    });
    let mut received = Vec::new();
    reader.read_to_end(&mut received).unwrap();
    // 2 MB at 5 MB/s.
    let seconds = start.elapsed().as_secs_f64();
    assert!((0.42..1.5).contains(&seconds), "{seconds} s");
    assert!(received == data, "{} bytes of {}", received.len(), data.len());
    writer.join().unwrap();
    // 100,000 bytes are on the line, 150,000 wait for the rate.
    let most = watcher.join().unwrap();
    assert!((50_000..=250_000).contains(&most), "{most} bytes inside");
    relays.stop();
}

#[test]
fn what_needs_packets_is_refused() {
    let _turn = turn();
    let (relays, door) = relays(10.0, echo());
    let lossy = LinkShape { loss: Loss::Independent(0.01), ..shape(80.0) };
    let error = relays.control().set_link("aws", "gcp", lossy.clone()).unwrap_err().to_string();
    assert!(error.contains("cannot do loss = 0.01") && error.contains("lab.backend = \"user\""), "{error}");
    assert_near(fastest_ms(&mut dial(door)), 10.0);
    relays.stop();
    let mut spec = LabSpec::sample(&[("aws", 10), ("gcp", 20)], 1, &[("aws", "gcp", 10.0)]);
    spec.links[0].shape = lossy;
    let error = Relays::start(spec, Vec::new(), "asked for").unwrap_err().to_string();
    assert!(error.contains("link aws -> gcp: ") && error.contains("cannot do loss = 0.01"), "{error}");
}

/// A third of the way to what 40 connections would hold by themselves, 160 MiB, beyond what all may hold together.
const MEMORY_MAX: usize = 110 << 20;

#[test]
fn receivers_that_stand_still_cost_no_more_than_all_may_hold() {
    let _turn = turn();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (relays, door) = relays(0.2, listener.local_addr().unwrap());
    let before = resident_bytes();
    let mut senders: Vec<_> = (0..40).map(|_| dial(door)).collect();
    let receivers: Vec<_> = (0..40).map(|_| listener.accept().unwrap().0).collect();
    let data = vec![7; 1 << 20];
    for sender in &senders {
        sender.set_nonblocking(true).unwrap();
    }
    let mut moved = Instant::now();
    while moved.elapsed() < SILENCE {
        for sender in &mut senders {
            if sender.write(&data).is_ok() {
                moved = Instant::now();
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let grown = resident_bytes().saturating_sub(before);
    println!("{} MiB more", grown >> 20);
    assert!(grown < MEMORY_MAX, "{grown} bytes more");
    // Nobody is stopped by those: a new connection still gets through.
    let mut new = dial(door);
    let (mut received, _) = listener.accept().unwrap();
    new.write_all(b"x").unwrap();
    received.read_exact(&mut [0]).unwrap();
    drop(receivers);
    relays.stop();
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Two hosts in each of two clouds, without a service.
fn bare(rtt_ms: f64) -> Relays {
    let spec = LabSpec::sample(&[("aws", 10), ("gcp", 20)], 2, &[("aws", "gcp", rtt_ms)]);
    Relays::start(spec, Vec::new(), "asked for").unwrap()
}

/// As the command does it: a busy moment of the machine says nothing, so it is asked again.
fn tested(relays: &Relays) -> selftest::SelfTest {
    let run = || selftest::run_relayed(relays).unwrap();
    (0..4).map(|_| run()).find(selftest::SelfTest::passed).unwrap_or_else(run)
}

#[test]
fn the_self_test_passes_and_knows_cuts_and_changes() {
    let _turn = turn();
    let relays = bare(30.0);
    let test = tested(&relays);
    assert!(test.passed(), "{:?}", test.problems());
    assert_eq!(test.pairs.len(), 2);
    relays.control().set_link("aws", "gcp", shape(35.0)).unwrap();
    let test = tested(&relays);
    assert!(test.passed() && test.pairs[0].configured_ms == 50.0, "{test:?}");
    relays.control().cut("gcp", "aws").unwrap();
    let test = tested(&relays);
    assert!(test.passed(), "{:?}", test.problems());
    assert!(test.pairs.iter().all(|pair| pair.note.as_deref() == Some("cut")), "{test:?}");
    relays.stop();
}

#[test]
fn the_self_test_finds_a_path_that_is_not_shaped() {
    let _turn = turn();
    let mut relays = bare(30.0);
    relays.breach("aws-11", "gcp-11");
    let test = selftest::run_relayed(&relays).unwrap();
    assert!(!test.passed());
    let problems = test.problems();
    let unshaped: Vec<_> = problems.iter().filter(|problem| problem.contains("not shaped")).collect();
    assert!(unshaped.len() == 1 && unshaped[0].starts_with("aws -> gcp: "), "{problems:?}");
    relays.stop();
}

/// A process of its own, since this one's connections count as the relays'.
#[test]
fn the_self_test_finds_a_connection_past_a_relay() {
    let _turn = turn();
    let target = echo();
    let (relays, door) = relays(4.0, target);
    let mut through = dial(door);
    round_trip_ms(&mut through);
    assert!(tested(&relays).passed());
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; echo open; read line", target.port());
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut past = command.spawn().unwrap();
    past.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let test = selftest::run_relayed(&relays).unwrap();
    drop(past.stdin.take());
    past.wait().unwrap();
    let problems = test.problems();
    let past = |problem: &&String| problem.contains("a connection goes to gcp-11:7000 past its relay");
    assert_eq!(problems.iter().filter(past).count(), 1, "{problems:?}");
    relays.stop();
}
