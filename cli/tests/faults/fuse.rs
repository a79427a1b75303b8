//! The smallest server of a FUSE file system: one empty folder. The kernel takes the second half of the type's name
//! from whoever mounts it, so this can stand for any of the network file systems named `fuse.`-something.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::libc::{ENOENT, ENOSYS};

use crate::mounts::Mount;

/// Longest request; the kernel gives none to a smaller buffer than it could need.
const REQUEST_MAX: usize = 256 << 10;

// Of linux/fuse.h: bytes of a request's header, operations.
const HEADER: usize = 40;
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const STATFS: u32 = 17;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;

/// A file system that is not served yet.
pub(crate) struct Fuse {
    device: File,
}

impl Fuse {
    /// `None`: this machine has no FUSE, or the test runs without root. It would mount in a user namespace of the
    /// child's then, and the kernel takes the device only in the one where it was opened.
    pub(crate) fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let device = File::options().read(true).write(true).open("/dev/fuse").ok()?;
        Some(Self { device })
    }

    /// What mounts it. The process that does so is forked from this one, so the descriptor has its number there too.
    pub(crate) fn mount(&self, point: &Path, kind: &str) -> Mount {
        let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
        let device = self.device.as_raw_fd();
        Mount::on(point, kind, &format!("fd={device},rootmode=40000,user_id={user},group_id={group}"))
    }

    /// Answers on a thread of its own until it is unmounted. Only when it is mounted.
    pub(crate) fn serve(self) {
        let mut device = self.device;
        std::thread::spawn(move || {
            let mut request = vec![0; REQUEST_MAX];
            // ENODEV once it is unmounted.
            while let Ok(length) = device.read(&mut request) {
                if let Some(answer) = answer(&request[..length]) {
                    // Whoever asked may be gone.
                    let _unheard = device.write(&answer);
                }
            }
        });
    }
}

/// The answer to a request: length, error, the request's number, then what was asked for.
fn answer(request: &[u8]) -> Option<Vec<u8>> {
    assert!(request.len() >= HEADER, "a request of {} bytes", request.len());
    let operation = u32::from_le_bytes(request[4..8].try_into().unwrap());
    let (error, body) = match operation {
        FORGET | INTERRUPT => return None,
        INIT => (0, words(&[7, 31, 4096, 0, 0, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        GETATTR => (0, attributes()),
        STATFS => (0, room()),
        LOOKUP => (-ENOENT, Vec::new()),
        _ => (-ENOSYS, Vec::new()),
    };
    let length = u32::try_from(16 + body.len()).unwrap();
    Some([&length.to_le_bytes()[..], &error.to_le_bytes(), &request[8..16], &body].concat())
}

/// `struct fuse_attr_out` of a folder: everything zero but number, mode, links and block size.
fn attributes() -> Vec<u8> {
    let mut out = [0; 26];
    (out[4], out[19], out[20], out[24]) = (1, 0o040_777, 2, 4096);
    words(&out)
}

/// `struct fuse_statfs_out`: a terabyte, free.
fn room() -> Vec<u8> {
    let blocks = 1 << 28;
    words(&[blocks, 0, blocks, 0, blocks, 0, blocks, 0, blocks, 0, 4096, 255, 4096, 0, 0, 0, 0, 0, 0, 0])
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
