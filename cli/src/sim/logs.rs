//! `sim logs`: what the processes printed.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use farquorum_config::known;

use super::folder::Folder;
use crate::failure::Failure;
use crate::output::until_closed;

/// `sim logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Host, as `sim status` names it, or `supervisor`
    host: String,
    /// Go on as more is printed
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, default_value_t = 50, value_name = "LINES")]
    lines: usize,
}

/// Prints the end of a log, and what follows on request.
pub(crate) fn run(folder: &Folder, args: &LogsArgs) -> Result<ExitCode, Failure> {
    let path = folder.log(&args.host);
    let mut file = std::fs::File::open(&path).map_err(|error| {
        let mut hosts: Vec<String> = std::fs::read_dir(folder.root.join("logs"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
            .collect();
        hosts.sort();
        let (host, path, known) = (&args.host, path.display(), known(&args.host, &hosts));
        Failure::usage(format!("no log of {host:?} ({path}: {error}); {known}"))
    })?;
    let mut text = String::new();
    // The last part is enough for any number of lines that a person reads.
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(4 << 20)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    text.push_str(&String::from_utf8_lossy(&bytes));
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(args.lines)..).unwrap_or_default();
    until_closed(show(last, args.follow.then_some(&mut file)))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints lines, and then what is appended to the file, for as long as somebody reads.
fn show(lines: &[&str], follow: Option<&mut std::fs::File>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    let Some(file) = follow else { return Ok(()) };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        file.read_to_end(&mut bytes)?;
        out.write_all(&bytes)?;
        out.flush()?;
        std::thread::sleep(Duration::from_millis(200));
    }
}
