//! `farquorum certs renew`: new certificates for the same keys, before the old ones end. Whoever serves with them reads
//! them anew without a dropped request.
//!
//! The authorities in the same folder sign, or a command that is given the request on its standard input and prints what
//! `farquorum certs sign` prints: `farquorum certs renew --watch -- ssh signer farquorum certs sign -`.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use farquorum_tls::{CertInfo, Holder, Layout, SigningRequest, Terms};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::DAYS;
use crate::failure::{Failure, Kind};
use crate::output::write_line;
use crate::runtime;

/// Longest time of the command that signs.
const SIGNING_MAX: Duration = Duration::from_secs(120);
/// Longest sleep between two looks: a clock may be set, a file replaced.
const LOOK: Duration = Duration::from_secs(3600);
/// Sleep after a renewal that failed. A certificate of one day is tried about a hundred times before it ends.
const AGAIN: Duration = Duration::from_secs(300);

/// `farquorum certs renew`
#[derive(Debug, Args)]
pub(super) struct RenewArgs {
    /// Folder with the certificates and keys
    #[arg(long, default_value = "certs")]
    dir: PathBuf,
    /// Name of the holder (repeatable); without it, every pair in the folder
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Validity in days; with a command that signs, it decides
    #[arg(long, default_value_t = DAYS)]
    days: u32,
    /// Renew now, however long they still hold
    #[arg(long, conflicts_with = "watch")]
    now: bool,
    /// Go on: renew each when it is due, until asked to stop
    #[arg(long)]
    watch: bool,
    /// Command that signs, after --; without it, the authorities in the folder do
    #[arg(last = true, value_name = "COMMAND")]
    signer: Vec<String>,
}

/// Renews once, or until it is asked to stop.
pub(super) fn run(args: &RenewArgs) -> Result<ExitCode, Failure> {
    if args.watch {
        return runtime::block_on_until(|stop| watch(args, stop));
    }
    runtime::block_on(async {
        for name in names(args)? {
            look(args, &name).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn watch(args: &RenewArgs, stop: CancellationToken) -> Result<ExitCode, Failure> {
    loop {
        let mut pause = LOOK;
        for name in names(args)? {
            let next = tokio::select! {
                next = look(args, &name) => next,
                () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            };
            pause = pause.min(next.unwrap_or_else(|failure| {
                failure.print();
                AGAIN
            }));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// Renews one when it is due; gives the time until it is due again.
async fn look(args: &RenewArgs, name: &str) -> Result<Duration, Failure> {
    let path = Layout::new(&args.dir).certificate(name);
    let info = farquorum_tls::show(&path).map_err(|error| {
        Failure::failed(error).hint(format!("farquorum certs request --name {name} asks for a first one"))
    })?;
    let left = until_due(&info, unix_now());
    if !left.is_zero() && !args.now {
        if !args.watch {
            write_line(&format!("{name}: not due for another {} h; --now renews it", left.as_secs() / 3600))?;
        }
        return Ok(left);
    }
    renew(args, name, &info).await?;
    let info = farquorum_tls::show(&path).map_err(Failure::failed)?;
    let holds = info.not_after.saturating_sub(unix_now()) / 3600;
    write_line(&format!("{name}: renewed; it holds for {holds} h"))?;
    // One that is due as soon as it is made must not be asked for in a circle.
    Ok(until_due(&info, unix_now()).max(AGAIN))
}

/// The wall clock, in seconds since the Unix epoch.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Time until two thirds of the validity are used: what is left must outlast a signer that is away for a while.
pub(crate) fn until_due(info: &CertInfo, now: i64) -> Duration {
    let third = info.not_after.saturating_sub(info.not_before) / 3;
    let left = info.not_after.saturating_sub(third).saturating_sub(now);
    Duration::from_secs(u64::try_from(left).unwrap_or(0))
}

async fn renew(args: &RenewArgs, name: &str, info: &CertInfo) -> Result<(), Failure> {
    let Some(identity) = &info.identity else {
        return Err(Failure::failed(format!(
            "the certificate of {name} names nobody: an authority is not renewed"
        )));
    };
    let sans: Vec<String> = info.sans.iter().filter(|name| !name.starts_with("spiffe:")).cloned().collect();
    let holder = Holder { cluster: &identity.cluster, role: identity.role, name, sans: &sans };
    let asked = farquorum_tls::request(&args.dir, &holder).map_err(Failure::failed)?;
    if args.signer.is_empty() {
        let request = SigningRequest::parse(&asked.pem).map_err(Failure::failed)?;
        let terms = Terms { days: args.days, allowed: &sans, force: false };
        farquorum_tls::sign(&args.dir, &request, &terms).map_err(|error| {
            Failure::failed(error)
                .hint("name the command that signs, after --: -- ssh HOST farquorum certs sign -")
        })?;
        return Ok(());
    }
    let answer = answer(&args.signer, &asked.pem).await?;
    farquorum_tls::install(&args.dir, &answer, false).map_err(Failure::failed)?;
    Ok(())
}

/// What the command that signs prints when it is given the request.
async fn answer(command: &[String], request: &str) -> Result<String, Failure> {
    let failed = |reason: String| Failure::failed(format!("{}: {reason}", command.join(" ")));
    let [program, arguments @ ..] = command else { return Err(failed("no command".to_owned())) };
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let input = child.stdin.take();
    let talk = async {
        if let Some(mut input) = input {
            // A signer that does not read it says why by its exit code.
            let _unread = input.write_all(request.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(SIGNING_MAX, talk)
        .await
        .map_err(|_| failed(format!("not done within {} s", SIGNING_MAX.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("what it printed is not text".to_owned()))
}

/// The holders that were named, or every one with a certificate and a key in the folder.
fn names(args: &RenewArgs) -> Result<Vec<String>, Failure> {
    if !args.names.is_empty() {
        return Ok(args.names.clone());
    }
    let names = pairs(&args.dir)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", args.dir.display())))?;
    if names.is_empty() {
        let message = format!("{} holds no certificate with its key beside it", args.dir.display());
        return Err(Failure::new(Kind::Usage, message));
    }
    Ok(names)
}

fn pairs(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "crt")
            && path.with_extension("key").exists()
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(from: i64, to: i64) -> CertInfo {
        CertInfo {
            identity: None,
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            not_before: from,
            not_after: to,
            sans: Vec::new(),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn due_when_two_thirds_are_used() {
        let day = valid(1_000, 1_000 + 86_400);
        assert_eq!(until_due(&day, 1_000), Duration::from_secs(57_600));
        assert_eq!(until_due(&day, 1_000 + 57_599), Duration::from_secs(1));
        assert_eq!(until_due(&day, 1_000 + 57_600), Duration::ZERO);
        assert_eq!(until_due(&day, 1_000_000), Duration::ZERO);
    }
}
