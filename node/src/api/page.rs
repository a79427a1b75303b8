//! Pages of lists: their size, and where the next one begins.

use tonic::Status;

use super::errors;

/// Items of a page when the client does not say, and at most.
const DEFAULT: u32 = 100;
const MAX: u32 = 1000;

/// Items that the client gets.
pub(crate) fn size(asked: u32) -> usize {
    let size = if asked == 0 { DEFAULT } else { asked.min(MAX) };
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// How many of the items, by their sizes in bytes, fit into `room`; at least one, or a list would never go on.
pub(crate) fn fitting(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let sums = sizes.scan(0_usize, |sum, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= room).count().max(1)
}

/// A token after which keys go on: hexadecimal, as a key may hold any byte.
pub(crate) fn key_token(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key in a token; none on the first page.
pub(crate) fn key_in(token: &str) -> Result<Option<Vec<u8>>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let pairs = token.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let hex = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(pair).ok().filter(|_| hex)?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.map(byte).collect::<Option<Vec<u8>>>().map(Some).ok_or_else(|| bad(token))
}

/// The number in a token; none on the first page.
pub(crate) fn id_in(token: &str) -> Result<Option<u64>, Status> {
    match token {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| bad(token)),
    }
}

fn bad(token: &str) -> Status {
    errors::invalid(format!("page_token {token:?} is not one that this service gave out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_bound() {
        assert_eq!([0, 1, 1000, u32::MAX].map(size), [100, 1, 1000, 1000]);
    }

    #[test]
    fn a_page_ends_when_its_bytes_are_used_up() {
        for (sizes, expected) in
            [(vec![10, 20, 30], 2), (vec![30, 1], 2), (vec![99, 1], 1), (vec![1, 1, 1], 3)]
        {
            assert_eq!(fitting(sizes.iter().copied(), 35), expected, "{sizes:?}");
        }
    }

    #[test]
    fn tokens_come_back() {
        for key in [&b"\0"[..], b"a/b", &[255, 0, 7]] {
            assert_eq!(key_in(&key_token(key)).unwrap().as_deref(), Some(key));
        }
        assert_eq!(key_in("").unwrap(), None);
        assert_eq!(id_in("17").unwrap(), Some(17));
        for token in ["x", "abc", "+1", "\u{e9}a"] {
            assert!(key_in(token).is_err(), "{token}");
        }
        assert!(id_in("-1").is_err());
    }
}
