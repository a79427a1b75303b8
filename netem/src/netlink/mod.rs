//! rtnetlink by hand, so that neither `ip` nor `tc` has to be installed: a request under construction, a socket that
//! carries it, and the attributes of an answer. What is asked stands with those who ask: interfaces in [`crate::lab`],
//! disciplines and rules in [`crate::kernel`].
//!
//! Limits: one request at a time per socket; only what the lab needs.

mod attributes;
mod socket;

pub(crate) use attributes::Attributes;
pub(crate) use socket::Socket;

/// The request is answered by an acknowledgement.
const REQUEST_ACK: u16 = 0x1 | 0x4;
/// The request is answered by everything there is.
const REQUEST_DUMP: u16 = 0x1 | 0x300;
/// Makes something that must not be there yet.
pub(crate) const CREATE_EXCL: u16 = 0x400 | 0x200;
const HEADER_BYTES: usize = 16;

/// A request under construction: everything behind the netlink header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    kind: u16,
    flags: u16,
    bytes: Vec<u8>,
}

impl Message {
    /// A change, which the kernel acknowledges; `body` is the family's own header.
    pub(crate) fn new(kind: u16, flags: u16, body: &[u8]) -> Message {
        Message { kind, flags: flags | REQUEST_ACK, bytes: body.to_vec() }
    }

    /// A question for everything of a kind.
    pub(crate) fn dump(kind: u16, body: &[u8]) -> Message {
        Message { kind, flags: REQUEST_DUMP, bytes: body.to_vec() }
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    /// An attribute that begins with `head` (often nothing) and goes on with attributes.
    pub(crate) fn nest(&mut self, kind: u16, head: &[u8], fill: impl FnOnce(&mut Message)) {
        let mut inner = Message { kind: 0, flags: 0, bytes: head.to_vec() };
        inner.pad();
        fill(&mut inner);
        self.attribute(kind, &inner.bytes);
    }

    /// The whole message with its header.
    fn packet(&self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len() + HEADER_BYTES).unwrap_or(u32::MAX);
        let mut packet = length.to_ne_bytes().to_vec();
        packet.extend_from_slice(&self.kind.to_ne_bytes());
        packet.extend_from_slice(&self.flags.to_ne_bytes());
        packet.extend_from_slice(&sequence.to_ne_bytes());
        packet.extend_from_slice(&[0; 4]); // port: the kernel knows whose socket it is
        packet.extend_from_slice(&self.bytes);
        packet
    }

    #[cfg(test)]
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// A name as the kernel reads it.
pub(crate) fn c_string(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}
