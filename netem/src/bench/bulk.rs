//! Bulk TCP: one connection across the WAN at no delay.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::{host, inside, two_hosts};
use crate::clock;
use crate::error::{Doing, LabError};
use crate::lab::Lab;

const PORT: u16 = 7_000;
/// Written and read at once.
const CHUNK_BYTES: usize = 1 << 16;

/// Payload per second of one TCP connection in packets of at most 1,500 bytes over a link without delay, Mbit/s.
pub fn bulk_mbit(time: Duration) -> Result<f64, LabError> {
    let lab = Lab::start(two_hosts(0.0))?;
    let ((sink, sink_netns), (_, source_netns)) = (host(&lab, "east-11")?, host(&lab, "west-11")?);
    let target = SocketAddr::new(sink.address.into(), PORT);
    let listener = inside(sink_netns, "listen", move || TcpListener::bind(target))?;
    let receiving = thread::spawn(move || receive(&listener));
    let mut stream = inside(source_netns, "connect", move || TcpStream::connect(target))?;
    let start_ns = clock::now_ns();
    while Duration::from_nanos(clock::now_ns() - start_ns) < time {
        stream.write_all(&[0; CHUNK_BYTES]).doing(|| "send".to_string())?;
    }
    drop(stream);
    let panicked = |_| LabError::Child("the receiving thread panicked".to_string());
    let bytes = receiving.join().map_err(panicked)?.doing(|| "receive".to_string())?;
    let seconds = Duration::from_nanos(clock::now_ns() - start_ns).as_secs_f64();
    lab.stop();
    // Chunks are counted, since only whole numbers of 32 bits become floats without loss.
    let kilobytes = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
    Ok(f64::from(kilobytes) * 1_024.0 * 8e-6 / seconds)
}

/// Bytes until the other end closes.
fn receive(listener: &TcpListener) -> std::io::Result<u64> {
    let (mut stream, _) = listener.accept()?;
    let (mut buffer, mut bytes) = (vec![0; CHUNK_BYTES], 0);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => bytes += u64::try_from(read).unwrap_or(u64::MAX),
        }
    }
}
