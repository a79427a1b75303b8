//! `farquorum sim trace`: plays a recorded series of round trips on the links between two clouds. The command keeps
//! the time, so it runs as long as the trace; the links keep the last value when it ends or is interrupted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use farquorum_config::ShapeKeys;
use farquorum_netem::trace::Trace;

use super::folder::Folder;
use super::protocol::Request;
use super::socket::ask;
use crate::failure::{Failure, Kind};
use crate::{output, runtime};

/// Longest file that is read: the most lines that a trace may have, with 64 bytes each.
const FILE_BYTES_MAX: u64 = 64_000_000;

/// `sim trace`
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// One cloud
    from: String,
    /// The other cloud
    to: String,
    /// CSV with a line `seconds,rtt_ms` for each value; it holds until the next
    file: PathBuf,
    /// Start again at the end, until interrupted
    #[arg(long = "loop")]
    repeat: bool,
}

/// Plays the file: half of each round trip for each direction.
pub(crate) fn run(folder: &Folder, args: &TraceArgs) -> Result<ExitCode, Failure> {
    let trace = read(&args.file)?;
    let socket = folder.socket()?;
    let seconds = trace.length().as_secs_f64();
    let (from, to) = (&args.from, &args.to);
    // From the first line on an interrupt is answered.
    runtime::hold_interrupts()?;
    output::write_line(&format!("{from} - {to}: {} values, {seconds:.1} s", trace.lines()))?;
    let played = runtime::block_on(async { play(&socket, args, &trace).await });
    played.map(|()| ExitCode::SUCCESS).map_err(|failure| match failure.kind() {
        Kind::Interrupted => {
            let message =
                format!("interrupted: the links between {from} and {to} keep the delay that they have now");
            Failure::new(Kind::Interrupted, message).hint(format!(
                "farquorum sim link {from} {to} --both --delay-ms MS; farquorum sim status shows it"
            ))
        }
        _ => failure,
    })
}

async fn play(socket: &Path, args: &TraceArgs, trace: &Trace) -> Result<(), Failure> {
    let (from, to) = (&args.from, &args.to);
    let start = Instant::now();
    while let Some(playing) = trace.at(start.elapsed(), args.repeat) {
        let change = ShapeKeys { delay_ms: Some(playing.rtt_ms / 2.0), ..ShapeKeys::default() };
        for (from, to) in [(from, to), (to, from)] {
            let change = Box::new(change.clone());
            ask(socket, &Request::Link { from: from.clone(), to: to.clone(), change })?;
        }
        tokio::time::sleep(playing.until.saturating_sub(start.elapsed())).await;
    }
    Ok(())
}

fn read(file: &Path) -> Result<Trace, Failure> {
    let refuse = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| refuse(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refuse(format!("has {size} bytes; a trace has at most {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    Trace::parse(&text).map_err(|error| refuse(error.to_string()))
}
