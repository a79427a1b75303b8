//! CBOR in and out. One place, so that a record has one encoding: the log, the snapshot and the state hash share it.

use minicbor::Encode;

/// The encoding of a record.
#[allow(clippy::expect_used, reason = "writing to a Vec cannot fail, and no encoder in this crate gives up")]
pub(crate) fn encode<T: Encode<()>>(record: &T) -> Vec<u8> {
    minicbor::to_vec(record).expect("encoding into memory")
}

/// Fields that are kept in an `Arc` are encoded as what they hold.
pub(crate) mod shared {
    use std::sync::Arc;

    use minicbor::{Decode, Decoder, Encode, Encoder, decode as de, encode as en};

    pub(crate) fn encode<C, T: Encode<C>, W: en::Write>(
        value: &Arc<T>,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), en::Error<W::Error>> {
        value.as_ref().encode(e, ctx)
    }

    pub(crate) fn decode<'b, C, T: Decode<'b, C>>(
        d: &mut Decoder<'b>,
        ctx: &mut C,
    ) -> Result<Arc<T>, de::Error> {
        T::decode(d, ctx).map(Arc::new)
    }
}
