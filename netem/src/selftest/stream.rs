//! Echoes with times in them over TCP: a responder, and probes one after another on a connection of their own.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::echo::{ANSWER_BYTES, ASK_BYTES, SPACING, STOP_CHECK, Sample, TURN, read_answer};
use crate::clock;
use crate::error::{Doing, LabError};

/// Connections that the responder serves at once, a thread each: the pairs of sixteen clouds. Nobody but the self-test
/// knows the port; who finds it anyway gets no thread beyond this.
const CONNECTIONS_MAX: usize = 256;

/// Answers on every connection until it is told to stop.
pub(super) fn respond(service: &TcpListener, stop: &AtomicBool) -> Result<(), LabError> {
    let open = AtomicUsize::new(0);
    thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            let mut watched = [PollFd::new(service.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(STOP_CHECK).unwrap_or(PollTimeout::ZERO);
            match poll(&mut watched, timeout) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                result => result.doing(|| "wait for the self-test's connections".to_string())?,
            };
            // One that is gone already, or for which there is no descriptor, misses its probes, which the asker counts.
            let Ok((stream, _)) = service.accept() else { continue };
            if open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
                continue;
            }
            open.fetch_add(1, Ordering::Relaxed);
            scope.spawn(|| {
                // A connection that breaks is a probe without an answer.
                let _ = answer(stream, stop);
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Ok(())
    })
}

/// Answers each probe of a connection with its time, when it was here, and when the answer left.
fn answer(mut stream: TcpStream, stop: &AtomicBool) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STOP_CHECK))?;
    let mut probe = [0; ASK_BYTES];
    let mut filled = 0;
    while !stop.load(Ordering::Relaxed) {
        match stream.read(probe.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
        if filled == ASK_BYTES {
            let had = clock::now_ns().to_be_bytes();
            stream.write_all(&[probe, had, clock::now_ns().to_be_bytes()].concat())?;
            filled = 0;
        }
    }
    Ok(())
}

/// Connects and sends probes, each after the answer to the one before; the first, which waits for the connection, does
/// not count. Ends at the first that is not answered in time: what comes later waits behind it.
pub(super) fn exchange(
    address: SocketAddr,
    probes: usize,
    patience: Duration,
    turn: usize,
) -> Result<Vec<Sample>, LabError> {
    thread::sleep(TURN * u32::try_from(turn).unwrap_or(0));
    let doing = || format!("connect to the relay at {address}");
    let mut stream = TcpStream::connect(address).doing(doing)?;
    stream.set_nodelay(true).doing(doing)?;
    stream.set_read_timeout(Some(patience)).doing(doing)?;
    let mut samples = Vec::with_capacity(probes);
    for number in 0..=probes {
        let start_ns = clock::now_ns();
        // A connection that broke is no answer; the verdict says so with names.
        let Ok(sample) = ask(&mut stream) else { break };
        samples.extend(sample.filter(|_| number > 0));
        let spent = Duration::from_nanos(clock::now_ns().saturating_sub(start_ns));
        thread::sleep(SPACING.saturating_sub(spent));
    }
    Ok(samples)
}

fn ask(stream: &mut TcpStream) -> io::Result<Option<Sample>> {
    stream.write_all(&clock::now_ns().to_be_bytes())?;
    let mut answer = [0; ANSWER_BYTES];
    stream.read_exact(&mut answer)?;
    Ok(read_answer(&answer, clock::now_ns()))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
