//! What a supervisor that asks for it is told: systemd's `Type=notify` and `WatchdogSec=` (sd_notify(3)).
//!
//! Without `NOTIFY_SOCKET` nothing is sent. A message that cannot be sent is logged and costs nothing else: a server
//! does not stop because its supervisor does not listen.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The supervisor of this process, if it has one that asks to be told.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<OsString>,
    /// How often it wants to hear that the runtime still turns: half of its patience.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As systemd says it to its services: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` when `WATCHDOG_PID` is this process.
    pub(crate) fn of_process() -> Self {
        let variable = |name: &str| std::env::var_os(name);
        Self::new(variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"))
    }

    fn new(
        socket: Option<OsString>,
        watchdog_usec: Option<OsString>,
        watchdog_pid: Option<OsString>,
    ) -> Self {
        let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
        let mine = watchdog_pid.is_none_or(|pid| number(&pid) == Some(std::process::id().into()));
        let patience = watchdog_usec.and_then(|usec| number(&usec)).filter(|usec| mine && *usec > 1);
        Self { socket, watchdog: patience.map(|usec| Duration::from_micros(usec / 2)) }
    }

    /// Tells it that the server serves, that the runtime still turns, and that the server was asked to stop, each when
    /// it is so. Ends with the runtime.
    pub(crate) fn tell(self, serving: CancellationToken, stop: CancellationToken) {
        if self.socket.is_none() {
            return;
        }
        tokio::spawn(async move {
            tokio::select! {
                () = serving.cancelled() => self.send("READY=1\nSTATUS=serving"),
                () = stop.cancelled() => {}
            }
            tokio::select! {
                () = self.keep_alive() => {}
                () = stop.cancelled() => self.send("STOPPING=1\nSTATUS=stopping"),
            }
            // A stop takes as long as it needs to hand over; TimeoutStopSec bounds it.
            self.keep_alive().await;
        });
    }

    async fn keep_alive(&self) {
        let Some(every) = self.watchdog else {
            return std::future::pending().await;
        };
        loop {
            self.send("WATCHDOG=1");
            tokio::time::sleep(every).await;
        }
    }

    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = send_to(socket, message) {
            tracing::warn!(?socket, %error, "the supervisor cannot be told: is NOTIFY_SOCKET of another process?");
        }
    }
}

/// A path, or a name that starts with `@` and lies in no file system.
fn send_to(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let from = UnixDatagram::unbound()?;
    // A supervisor that reads nothing must not stop the runtime.
    from.set_nonblocking(true)?;
    from.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(at: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        at.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = at.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn says_ready_only_when_it_serves_then_stays_alive_then_stops() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let at = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::new(Some(path.into()), Some("200000".into()), None);
        let (serving, stop) = (CancellationToken::new(), CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async { supervisor.tell(serving.clone(), stop.clone()) });
        at.set_nonblocking(true).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert!(at.recv(&mut [0; 8]).is_err(), "something was said before it serves");
        at.set_nonblocking(false).unwrap();
        serving.cancel();
        assert_eq!(received(&at), "READY=1\nSTATUS=serving");
        assert_eq!(received(&at), "WATCHDOG=1");
        assert_eq!(received(&at), "WATCHDOG=1");
        stop.cancel();
        let last = (0..3).map(|_| received(&at)).find(|message| message.starts_with("STOPPING"));
        assert_eq!(last.as_deref(), Some("STOPPING=1\nSTATUS=stopping"));
    }

    #[test]
    fn another_process_is_not_kept_alive() {
        let watchdog = |pid: &str| Supervisor::new(None, Some("10".into()), Some(pid.into())).watchdog;
        assert_eq!(watchdog(&std::process::id().to_string()), Some(Duration::from_micros(5)));
        assert_eq!(watchdog("1"), None);
        assert_eq!(watchdog("one"), None);
    }

    #[test]
    fn a_name_of_no_file_system_is_one() {
        let name = format!("farquorum-notify-{}", std::process::id());
        let at = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send_to(OsStr::new(&format!("@{name}")), "READY=1").unwrap();
        assert_eq!(received(&at), "READY=1");
    }
}
