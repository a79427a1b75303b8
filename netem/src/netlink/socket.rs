//! A socket to the kernel. It belongs to the network namespace in which it was opened and goes on working there after
//! its thread has left: so one thread can change many namespaces.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::{HEADER_BYTES, Message};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Longest answer in one piece: the kernel cuts dumps into pieces of at most 32 KiB.
const ANSWER_BYTES: usize = 32 << 10;

/// A socket for requests to the kernel's network configuration.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Socket> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        Ok(Socket { fd, sequence: 0 })
    }

    /// Sends a change and waits for the kernel's acknowledgement.
    pub(crate) fn change(&mut self, message: &Message) -> io::Result<()> {
        self.ask(message).map(|_| ())
    }

    /// Sends a request and collects its answers, each without its header.
    pub(crate) fn ask(&mut self, message: &Message) -> io::Result<Vec<Vec<u8>>> {
        self.sequence = self.sequence.wrapping_add(1);
        send(self.fd.as_raw_fd(), &message.packet(self.sequence), MsgFlags::empty())?;
        let (mut buffer, mut answers) = (vec![0; ANSWER_BYTES], Vec::new());
        loop {
            let length = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            for answer in Answers(buffer.get(..length).unwrap_or_default()) {
                // An answer to an earlier request that failed half way.
                if answer.sequence != self.sequence {
                    continue;
                }
                match (answer.kind, answer.code()) {
                    (NLMSG_DONE, _) | (NLMSG_ERROR, Some(0)) => return Ok(answers),
                    (NLMSG_ERROR, Some(code)) => {
                        return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                    }
                    (NLMSG_ERROR, None) => {
                        return Err(io::Error::other("an error of the kernel is cut short"));
                    }
                    _ => answers.push(answer.body.to_vec()),
                }
            }
        }
    }
}

/// The messages of one datagram.
struct Answers<'a>(&'a [u8]);

struct Answer<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

impl Answer<'_> {
    /// The first field of `struct nlmsgerr`: zero is success, otherwise a negated errno.
    fn code(&self) -> Option<i32> {
        self.body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
    }
}

impl<'a> Iterator for Answers<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let [a, b, c, d, e, f, _, _, g, h, i, j, _, _, _, _] = *self.0.first_chunk::<HEADER_BYTES>()?;
        let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).ok()?;
        let body = self.0.get(HEADER_BYTES..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Answer { kind: u16::from_ne_bytes([e, f]), sequence: u32::from_ne_bytes([g, h, i, j]), body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_cut_into_messages() {
        let mut packet = Message::new(36, 0, &[1, 2, 3, 4]).packet(7);
        packet.extend(Message::new(NLMSG_ERROR, 0, &(-2_i32).to_ne_bytes()).packet(8));
        packet.extend([40, 0, 0, 0]);
        let all: Vec<_> = Answers(&packet).map(|one| (one.kind, one.sequence, one.code())).collect();
        assert_eq!(all, [(36, 7, Some(0x0403_0201)), (NLMSG_ERROR, 8, Some(-2))]);
    }
}
