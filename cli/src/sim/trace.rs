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
use crate::failure::Failure;
use crate::output;

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
    output::write_line(&format!("{from} - {to}: {} values, {seconds:.1} s", trace.lines()))?;
    let start = Instant::now();
    while let Some(playing) = trace.at(start.elapsed(), args.repeat) {
        let change = ShapeKeys { delay_ms: Some(playing.rtt_ms / 2.0), ..ShapeKeys::default() };
        for (from, to) in [(from, to), (to, from)] {
            let change = Box::new(change.clone());
            ask(&socket, &Request::Link { from: from.clone(), to: to.clone(), change })?;
        }
        std::thread::sleep(playing.until.saturating_sub(start.elapsed()));
    }
    Ok(ExitCode::SUCCESS)
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
