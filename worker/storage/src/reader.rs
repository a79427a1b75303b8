//! Reading an object of any length in bounded memory.
//!
//! Each piece is a request of its own, retried on its own: a lost connection costs one piece, and a reader that is
//! slower than the network never holds a connection open.

use std::ops::Range;

use bytes::Bytes;

use crate::client::Store;
use crate::error::StoreError;

/// Bytes of one piece: large against a round trip across clouds, small against a worker's memory.
pub const PIECE_BYTES: u64 = 4 << 20;

/// Reads a range of one object from the front.
#[derive(Debug)]
pub struct ObjectReader {
    store: Store,
    url: String,
    /// What is still to be read.
    rest: Range<u64>,
    piece_bytes: u64,
}

impl ObjectReader {
    pub(crate) fn new(store: Store, url: String, range: Range<u64>) -> Self {
        Self { store, url, rest: range, piece_bytes: PIECE_BYTES }
    }

    /// Reads in pieces of this many bytes (at least one), for those that hold many readers at once.
    pub fn with_piece(self, piece_bytes: u64) -> Self {
        Self { piece_bytes: piece_bytes.max(1), ..self }
    }

    /// The next piece, at most [`PIECE_BYTES`] unless set otherwise; none at the end.
    ///
    /// # Errors
    /// Also when the object is shorter than the range.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let end = self.rest.end.min(self.rest.start.saturating_add(self.piece_bytes));
        let piece = self.store.get_range(&self.url, self.rest.start..end).await?;
        let wanted = end.saturating_sub(self.rest.start);
        let got = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if got != wanted {
            return Err(StoreError::Failed {
                operation: "read",
                url: self.url.clone(),
                detail: format!("{got} bytes at offset {} where {wanted} were asked for", self.rest.start),
            });
        }
        self.rest.start = end;
        Ok(Some(piece))
    }
}
