//! Where an object is: the URL taken apart.

use object_store::path::Path as Key;

use crate::error::StoreError;

/// A place that a [`crate::Store`] can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// An object or prefix in a bucket.
    S3 { bucket: String, key: Key },
    /// A file or folder of this host.
    Local { key: Key },
}

impl Location {
    /// Takes a URL or a path apart. A prefix (the key may be empty) is allowed.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let bad = |reason: String| StoreError::BadUrl { url: url.to_owned(), reason };
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(bad("the bucket is missing".to_owned()));
            }
            let key = Key::parse(key.trim_end_matches('/')).map_err(|error| bad(error.to_string()))?;
            return Ok(Self::S3 { bucket: bucket.to_owned(), key });
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
            Self::S3 { key, .. } | Self::Local { key } => key,
        }
    }

    /// URL of another key in the same place.
    pub(crate) fn url_of(&self, key: &Key) -> String {
        match self {
            Self::S3 { bucket, .. } => format!("s3://{bucket}/{key}"),
            Self::Local { .. } => format!("file:///{key}"),
        }
    }
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
            ("file:///var/data/a.txt", "file:///var/data/a.txt"),
            ("/var/data/a.txt", "file:///var/data/a.txt"),
        ];
        for (given, expected) in cases {
            let location = Location::parse(given).unwrap();
            assert_eq!(location.url_of(location.key()), expected, "{given}");
        }
    }

    #[test]
    fn urls_that_name_nothing_are_refused() {
        for (given, reason) in [
            ("", "empty"),
            ("s3://", "bucket is missing"),
            ("s3:///key", "bucket is missing"),
            ("gs://bucket/key", "scheme \"gs\" is not known"),
            ("s3://bucket/a//b", "empty"),
            ("s3://bucket/../b", "Error parsing"),
        ] {
            let error = Location::parse(given).unwrap_err().to_string();
            assert!(error.contains(reason), "{given}: {error}");
        }
    }
}
