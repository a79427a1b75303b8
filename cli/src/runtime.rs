//! The async runtime of a command, made only when it needs one, and the user's interrupt.

use std::future::Future;

use nix::sys::signal::{SigSet, Signal};
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Kind};

/// Runs `work` to its end, or until Ctrl-C or SIGTERM (exit code 130).
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = interrupted() => Err(Failure::new(Kind::Interrupted, "")),
        }
    });
    runtime.shutdown_background();
    result
}

/// Runs a server until it ends by itself; Ctrl-C or SIGTERM only asks it to, through the token.
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

/// What asks a command to stop.
fn interrupts() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM])
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
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    release_interrupts();
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
