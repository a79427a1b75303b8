//! The wire: package `farquorum.v1`, generated from `proto/farquorum/v1/*.proto`.
//!
//! Units and ranges stand in the proto files; the doc comments below are theirs. Byte fields are [`bytes::Bytes`]
//! so that a value is not copied between the socket and the log.

#[allow(missing_docs, clippy::all, clippy::as_conversions, clippy::indexing_slicing)]
/// Messages, clients and servers of `farquorum.v1`.
pub mod v1 {
    tonic::include_proto!("farquorum.v1");
}

/// All descriptors of `farquorum.v1`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("farquorum.v1");
