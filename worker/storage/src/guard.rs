//! What the lab's server adds to `s3s-fs`: writes to one key go one after the other.
//!
//! `s3s-fs` 0.14 answers `If-None-Match: *` by looking whether the file exists, then takes the body, then renames: two
//! creators can both find nothing and both succeed, and the later rename wins. Publishing once rests on exactly one
//! winning, so a key is locked from the look to the rename. Also refused here, each with S3's own code: a key that the
//! file system could not name, a bucket that does not exist (it would be made), a folder read as an object. And a full
//! disk is called one.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::{Mutex, MutexGuard};

/// Longest key in bytes. `s3s-fs` names a side file after the key in base64, and a file name has at most 255 bytes.
pub(crate) const KEY_BYTES_MAX: usize = 150;
/// Locks; keys share them by hash. Far more than requests that run at once, so that strangers seldom wait.
const STRIPES: usize = 1024;
/// Longest wait for the other writer of a key; then 503, which clients try again.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest write, its body included: a client that stopped half way must not hold the key for ever.
const WRITE_MAX: Duration = Duration::from_secs(60);

/// `s3s-fs` with its writes put in order.
#[derive(Debug)]
pub(crate) struct Guarded {
    inner: FileSystem,
    root: PathBuf,
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Guarded {
    pub(crate) fn new(inner: FileSystem, root: &Path) -> Self {
        let stripes = std::iter::repeat_with(Mutex::default).take(STRIPES).collect();
        Self { inner, root: root.to_owned(), stripes, hasher: RandomState::new() }
    }

    /// Checks the key and waits for the writers before this one.
    async fn admit(&self, bucket: &str, key: &str) -> S3Result<MutexGuard<'_, ()>> {
        self.check(bucket, key)?;
        let hash = self.hasher.hash_one((bucket, key));
        let index = usize::try_from(hash % 1024).unwrap_or_default();
        let Some(stripe) = self.stripes.get(index) else {
            return Err(s3_error!(InternalError));
        };
        match tokio::time::timeout(WAIT_MAX, stripe.lock()).await {
            Ok(held) => Ok(held),
            Err(_) => Err(s3_error!(SlowDown, "another write of this key takes too long")),
        }
    }

    /// Writes an object. A write that is refused has its body read all the same: an answer before the end of the body
    /// closes the connection, and the client would see that instead of the answer.
    async fn put(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = &req.input;
        let admitted = self.admit(&input.bucket, &input.key).await.and_then(|held| {
            let only_new = input.if_none_match.as_ref().is_some_and(ETagCondition::is_any);
            let exists = self.root.join(&input.bucket).join(&input.key).exists();
            if only_new && exists { Err(s3_error!(PreconditionFailed)) } else { Ok(held) }
        });
        match admitted {
            Ok(_held) => self.inner.put_object(req).await.map_err(|error| self.explained(error)),
            Err(refusal) => {
                if let Some(body) = &mut req.input.body {
                    while let Some(Ok(_)) = body.next().await {}
                }
                Err(refusal)
            }
        }
    }

    /// Says that the disk is full, to the log and to the client, who would read "internal error".
    fn explained(&self, error: S3Error) -> S3Error {
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        if !io.is_some_and(|io| matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return error;
        }
        let message =
            format!("no room is left on the disk of {}: free some space there", self.root.display());
        tracing::error!("{message}");
        S3Error::with_message(S3ErrorCode::InternalError, message)
    }

    fn check(&self, bucket: &str, key: &str) -> S3Result<()> {
        if key.len() > KEY_BYTES_MAX {
            return Err(s3_error!(KeyTooLongError, "a key has at most {KEY_BYTES_MAX} bytes here"));
        }
        if key.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(s3_error!(InvalidArgument, "a key has no empty, '.' or '..' component here"));
        }
        if !self.root.join(bucket).is_dir() {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(())
    }

    fn check_object(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.check(bucket, key)?;
        if self.root.join(bucket).join(key).is_dir() {
            return Err(s3_error!(NoSuchKey));
        }
        Ok(())
    }
}

/// The trait has no "all other methods": each one is forwarded by name.
macro_rules! guarded {
    (
        locked { $($write:ident($write_in:ident) -> $write_out:ident;)* }
        checked { $($read:ident($read_in:ident) -> $read_out:ident;)* }
        forwarded { $($plain:ident($plain_in:ident) -> $plain_out:ident;)* }
    ) => {
        #[async_trait::async_trait]
        impl S3 for Guarded {
            async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
                match tokio::time::timeout(WRITE_MAX, self.put(req)).await {
                    Ok(answer) => answer,
                    Err(_) => Err(s3_error!(RequestTimeout)),
                }
            }
            $(async fn $write(&self, req: S3Request<$write_in>) -> S3Result<S3Response<$write_out>> {
                let _held = self.admit(&req.input.bucket, &req.input.key).await?;
                match tokio::time::timeout(WRITE_MAX, self.inner.$write(req)).await {
                    Ok(answer) => answer.map_err(|error| self.explained(error)),
                    Err(_) => Err(s3_error!(RequestTimeout)),
                }
            })*
            $(async fn $read(&self, req: S3Request<$read_in>) -> S3Result<S3Response<$read_out>> {
                self.check_object(&req.input.bucket, &req.input.key)?;
                self.inner.$read(req).await.map_err(|error| self.explained(error))
            })*
            $(async fn $plain(&self, req: S3Request<$plain_in>) -> S3Result<S3Response<$plain_out>> {
                self.inner.$plain(req).await
            })*
        }
    };
}

guarded! {
    locked {
        copy_object(CopyObjectInput) -> CopyObjectOutput;
        complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
        delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    }
    checked {
        get_object(GetObjectInput) -> GetObjectOutput;
        head_object(HeadObjectInput) -> HeadObjectOutput;
        create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
        upload_part(UploadPartInput) -> UploadPartOutput;
    }
    forwarded {
        abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
        create_bucket(CreateBucketInput) -> CreateBucketOutput;
        delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
        delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
        get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
        head_bucket(HeadBucketInput) -> HeadBucketOutput;
        list_buckets(ListBucketsInput) -> ListBucketsOutput;
        list_objects(ListObjectsInput) -> ListObjectsOutput;
        list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
        list_parts(ListPartsInput) -> ListPartsOutput;
    }
}
