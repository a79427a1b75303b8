//! Where an object is: the URL taken apart.

use object_store::path::Path as Key;

use crate::error::StoreError;

/// Whose objects a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scheme {
    /// Amazon S3, or a server that speaks it.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage; the bucket is a container of the account that the settings name.
    Az,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::S3, Self::Gs, Self::Az];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }
}

/// A place that a [`crate::Store`] can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// An object or prefix in a bucket.
    Bucket { scheme: Scheme, bucket: String, key: Key },
    /// A file or folder of this host.
    Local { key: Key },
}

impl Location {
    /// Takes a URL or a path apart. A prefix (the key may be empty) is allowed.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let bad = |reason: String| StoreError::BadUrl { url: url.to_owned(), reason };
        if let Some((scheme, bucket, key)) = in_bucket(url) {
            if bucket.is_empty() {
                return Err(bad("the bucket is missing".to_owned()));
            }
            let key = Key::parse(key.trim_end_matches('/')).map_err(|error| bad(error.to_string()))?;
            return Ok(Self::Bucket { scheme, bucket: bucket.to_owned(), key });
        }
        let path = if url.starts_with("file://") {
            let parsed = url::Url::parse(url).map_err(|error| bad(error.to_string()))?;
            parsed
                .to_file_path()
                .map_err(|()| bad("a file URL has three slashes: file:///path".to_owned()))?
        } else if let Some((scheme, _)) = url.split_once("://") {
            return Err(bad(format!("the scheme {scheme:?} is not known")));
        } else if url.is_empty() {
            return Err(bad("it is empty".to_owned()));
        } else {
            std::path::absolute(url).map_err(|error| bad(error.to_string()))?
        };
        let key = Key::from_absolute_path(path).map_err(|error| bad(error.to_string()))?;
        Ok(Self::Local { key })
    }

    /// The key below the bucket or the root folder.
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Bucket { key, .. } | Self::Local { key } => key,
        }
    }

    /// URL of another key in the same place.
    pub(crate) fn url_of(&self, key: &Key) -> String {
        match self {
            Self::Bucket { scheme, bucket, .. } => format!("{}://{bucket}/{key}", scheme.name()),
            Self::Local { .. } => format!("file:///{key}"),
        }
    }
}

/// Scheme, bucket and key of a URL that names something in a bucket, or the bucket itself.
pub(crate) fn in_bucket(url: &str) -> Option<(Scheme, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = Scheme::ALL.into_iter().find(|known| known.name() == scheme)?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Some((scheme, bucket, key))
}

/// Whether a URL names a whole bucket.
pub fn is_bucket(url: &str) -> bool {
    in_bucket(url).is_some_and(|(_, _, key)| key.trim_end_matches('/').is_empty())
}

/// URL of `name` below `prefix`, with one slash between them.
pub fn join(prefix: &str, name: &str) -> String {
    format!("{}/{name}", prefix.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            ("s3://pipeline-data/in/a.txt", "s3://pipeline-data/in/a.txt"),
            ("s3://pipeline-data/in/", "s3://pipeline-data/in"),
            ("s3://pipeline-data", "s3://pipeline-data/"),
            ("gs://pipeline-data/in/a.txt", "gs://pipeline-data/in/a.txt"),
            ("az://pipeline-data/in/", "az://pipeline-data/in"),
            ("file:///var/data/a.txt", "file:///var/data/a.txt"),
            ("/var/data/a.txt", "file:///var/data/a.txt"),
        ];
        for (given, expected) in cases {
            let location = Location::parse(given).unwrap();
            assert_eq!(location.url_of(location.key()), expected, "{given}");
        }
    }

    #[test]
    fn a_bucket_is_told_from_what_is_in_it() {
        assert!(is_bucket("s3://a") && is_bucket("gs://a/") && is_bucket("az://a//"));
        assert!(!is_bucket("s3://a/b") && !is_bucket("/a") && !is_bucket("file:///a"));
    }

    #[test]
    fn urls_that_name_nothing_are_refused() {
        for (given, reason) in [
            ("", "empty"),
            ("s3://", "bucket is missing"),
            ("s3:///key", "bucket is missing"),
            ("gs://", "bucket is missing"),
            ("gcs://bucket/key", "scheme \"gcs\" is not known"),
            ("s3://bucket/a//b", "empty"),
            ("s3://bucket/../b", "Error parsing"),
        ] {
            let error = Location::parse(given).unwrap_err().to_string();
            assert!(error.contains(reason), "{given}: {error}");
        }
    }
}
