//! Attributes of an answer. What the kernel sends is read as carefully as what anybody else sends: a length that does
//! not fit ends the list.

/// Walks over a list of attributes: kind, value.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes(bytes)
    }

    /// The value of the first attribute of this kind.
    pub(crate) fn find(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone().find_map(|(other, value)| (other == kind).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [a, b, c, d] = *self.0.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        // The two highest bits say "nested" and "network byte order".
        Some((u16::from_ne_bytes([c, d]) & 0x3fff, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Message;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Message::new(0, 0, &[]);
        message.attribute(3, b"abcde");
        message.nest(7, &[1, 2], |inner| inner.attribute(9, &[5]));
        let all: Vec<_> = Attributes::of(message.body()).collect();
        assert_eq!(all, [(3, b"abcde".as_slice()), (7, &[1, 2, 0, 0, 5, 0, 9, 0, 5, 0, 0, 0])]);
        let nested = Attributes::of(message.body()).find(7).expect("it is there");
        assert_eq!(Attributes::of(&nested[4..]).find(9), Some([5].as_slice()));
    }

    #[test]
    fn lengths_that_do_not_fit_end_the_list() {
        for bad in [&[][..], &[8, 0, 1], &[3, 0, 1, 0], &[9, 0, 1, 0, 1, 2, 3, 4], &[0; 8]] {
            assert_eq!(Attributes::of(bad).next(), None, "{bad:?}");
        }
    }
}
