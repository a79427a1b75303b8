//! A value that is built from files and built anew when they change. What is in use is never worse than before: when
//! the new files do not work (half of a pair is written, say), the last good value stays, with one warning.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use crate::error::TlsError;

/// What tells one version of a file from another: inode, length, modification time in seconds and nanoseconds.
type Stamp = Option<(u64, u64, i64, i64)>;

pub(crate) struct Reloader<T> {
    current: ArcSwap<T>,
    files: Vec<PathBuf>,
    build: Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>,
    /// Stamps of the files at the last build, good or bad. Invariant: taken before that build read them.
    seen: Mutex<Vec<Stamp>>,
}

impl<T: Send + Sync + 'static> Reloader<T> {
    /// Builds the first value.
    pub(crate) fn new(
        files: Vec<PathBuf>,
        build: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, TlsError> {
        let seen = stamps(&files);
        let current = ArcSwap::from_pointee(build()?);
        Ok(Arc::new(Self { current, files, build: Box::new(build), seen: Mutex::new(seen) }))
    }

    /// The value in use.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Builds anew, whether or not a file changed.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = stamps(&self.files);
        self.current.store(Arc::new((self.build)()?));
        Ok(())
    }

    /// Builds anew when a file changed since the last try; says whether it did.
    pub(crate) fn check(&self) -> Result<bool, TlsError> {
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == stamps(&self.files) {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// Checks every `interval`, until the last holder of the value is gone.
    pub(crate) fn watch(self: &Arc<Self>, interval: Duration) -> JoinHandle<()> {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(this) = weak.upgrade() else { return };
                match tokio::task::spawn_blocking(move || this.check()).await {
                    Ok(Ok(true)) => tracing::info!("certificates reloaded"),
                    Ok(Ok(false)) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "certificates not reloaded; the last good ones stay")
                    }
                    Err(error) => tracing::error!(%error, "reloading certificates failed"),
                }
            }
        })
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let data = fs::metadata(path).ok()?;
    Some((data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
}
