//! A terminal of the test's own with one command on it: what Ctrl-C, `kill` and a closed window do to that command is
//! done by the kernel, to the command's whole process group.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{FromRawFd as _, IntoRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};

use nix::libc;
use nix::sys::signal::Signal;

use super::machine::{interruptible, signal};

/// What stops a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The key.
    CtrlC,
    /// SIGTERM to the command alone.
    Kill,
    /// The terminal is closed.
    HangUp,
}

/// A terminal with a command on it.
pub(crate) struct Terminal {
    command: Child,
    screen: BufReader<File>,
}

impl Terminal {
    /// Starts a command as the leader of a new session whose terminal this is.
    pub(crate) fn run(mut command: Command) -> Self {
        use nix::fcntl::OFlag;
        // Closed on exec: a copy in any child would keep the terminal open.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = nix::pty::posix_openpt(flags).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let path = nix::pty::ptsname_r(&master).unwrap();
        let side = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap();
        command.stdin(side.try_clone().unwrap()).stdout(side.try_clone().unwrap()).stderr(side);
        interruptible(&mut command);
        let lead = || {
            nix::unistd::setsid()?;
            // SAFETY: the call takes two numbers; standard input is the terminal.
            let taken = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
            if taken == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: the closure makes two system calls.
        unsafe { command.pre_exec(lead) };
        let started = command.spawn().unwrap();
        // SAFETY: the descriptor is open and given up in the same breath.
        let master = unsafe { File::from_raw_fd(master.into_raw_fd()) };
        Self { command: started, screen: BufReader::new(master) }
    }

    /// Process id of the command, and id of its group and session.
    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.command.id()).unwrap()
    }

    /// The command's end, when it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.command.try_wait().unwrap()
    }

    /// Reads until a line has `text`. A progress bar may stand before it.
    pub(crate) fn await_line(&mut self, text: &str) {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            // The end of a terminal whose last user is gone is an error (EIO).
            let count = self.screen.read_line(&mut line).unwrap_or_default();
            assert!(count > 0, "ended without a line {text:?}:\n{seen}");
            if line.contains(text) {
                return;
            }
            seen.push_str(&line);
        }
    }

    /// Reads until the screen has shown `text`, and gives everything until then: a progress bar makes no lines.
    pub(crate) fn await_text(&mut self, text: &str) -> String {
        let mut seen = String::new();
        let mut bytes = [0; 256];
        while !seen.contains(text) {
            let count = self.screen.read(&mut bytes).unwrap_or_default();
            assert!(count > 0, "ended without {text:?}:\n{seen}");
            seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        seen
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.screen.get_mut().write_all(keys).unwrap();
    }

    /// Stops the command and waits for its end. It must not have panicked, as far as the terminal shows.
    pub(crate) fn stop(mut self, how: Stop) -> ExitStatus {
        match how {
            Stop::CtrlC => self.screen.get_mut().write_all(b"\x03").unwrap(),
            Stop::Kill => signal(self.id(), Signal::SIGTERM),
            Stop::HangUp => {
                let Self { mut command, screen } = self;
                drop(screen);
                return command.wait().unwrap();
            }
        }
        let mut rest = Vec::new();
        let _until_the_end = self.screen.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest);
        assert!(!rest.contains("panicked at"), "{rest}");
        self.command.wait().unwrap()
    }
}

/// Whether this is the end of an interrupted program: exit code 130, or the signal itself before there was anything to
/// take down.
pub(crate) fn was_interrupted(status: ExitStatus) -> bool {
    let signals = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
    status.code() == Some(130) || status.signal().is_some_and(|signal| signals.contains(&signal))
}
