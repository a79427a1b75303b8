//! The async runtime of a command, made only when it needs one, and what interrupts it: Ctrl-C (SIGINT), `kill`
//! (SIGTERM), and the end of its terminal (SIGHUP). Which of them it was makes no difference: each takes down what was
//! begun, and the exit code is 130.

use std::future::Future;

use nix::sys::signal::{SigSet, Signal};
use tokio::signal::unix::SignalKind;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Kind};

/// Runs `work` to its end, or until an interrupt (exit code 130). One that comes afterwards waits for the next listener.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = interrupted() => Err(Failure::new(Kind::Interrupted, "")),
        }
    });
    hold_interrupts()?;
    runtime.shutdown_background();
    result
}

/// Runs a server until it ends by itself; an interrupt only asks it to, through the token.
pub(crate) fn block_on_until<T, F>(serve: impl FnOnce(CancellationToken) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        tokio::spawn(async move {
            interrupted().await;
            asked.cancel();
        });
        serve(stop).await
    });
    runtime.shutdown_background();
    result
}

/// Waits on the calling thread until something asks this process to stop.
pub(crate) fn await_interrupt() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(interrupted());
    Ok(())
}

/// What asks a command to stop.
fn interrupts() -> SigSet {
    let mut set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    if !hangup_is_ignored() {
        set.add(Signal::SIGHUP);
    }
    set
}

/// Whether this process was told to outlive its terminal, as by nohup(1).
fn hangup_is_ignored() -> bool {
    // SAFETY: a sigaction is plain data, and all zeroes are one of its values.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with no new action the call only writes the present one to where it may.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Lets interrupts wait until [`interrupted`] listens for them. Without it one that comes earlier ends this process at
/// once, and nobody takes down what it has started. Call it while there is one thread: later ones inherit it.
pub(crate) fn hold_interrupts() -> Result<(), Failure> {
    interrupts().thread_block().map_err(Failure::failed)
}

/// Undoes [`hold_interrupts`] in this thread.
pub(crate) fn release_interrupts() {
    // Fails only for a number that is no way of changing the mask.
    let _impossible = interrupts().thread_unblock();
}

/// Ends when the user or the system asks this process to stop.
pub(crate) async fn interrupted() {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !hangup_is_ignored() {
        kinds.push(SignalKind::hangup());
    }
    let listeners: std::io::Result<Vec<_>> = kinds.into_iter().map(tokio::signal::unix::signal).collect();
    let Ok(mut listeners) = listeners else {
        return std::future::pending().await;
    };
    release_interrupts();
    futures::future::select_all(listeners.iter_mut().map(|listener| Box::pin(listener.recv()))).await;
}
