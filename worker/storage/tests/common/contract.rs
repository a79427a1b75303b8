//! What every store must do, whoever keeps it.

use std::collections::BTreeSet;

use bytes::Bytes;
use farquorum_storage::{PART_BYTES, Store, StoreError, join};
use futures::TryStreamExt;

pub(crate) async fn urls_below(store: &Store, prefix: &str) -> BTreeSet<String> {
    store.list(prefix).unwrap().map_ok(|info| info.url).try_collect().await.unwrap()
}

/// Put, read, range, head, list, replace, delete: the same below any prefix.
pub(crate) async fn round_trip(store: &Store, prefix: &str) {
    let url = join(prefix, "a/one.txt");
    store.put(&url, Bytes::from_static(b"0123456789")).await.unwrap();
    store.put(&join(prefix, "ab"), Bytes::new()).await.unwrap();
    assert_eq!(store.get(&url, 10).await.unwrap(), "0123456789");
    assert_eq!(store.get_range(&url, 3..6).await.unwrap(), "345");
    assert_eq!(store.get_range(&url, 4..4).await.unwrap(), "");
    assert_eq!(store.head(&url).await.unwrap().length, 10);
    assert!(matches!(store.get(&url, 9).await, Err(StoreError::TooLarge { length: 10, max: 9, .. })));
    assert!(store.reader(&url, 8..12).next().await.is_err(), "a range past the end is an error");
    let below = urls_below(store, &join(prefix, "a")).await;
    assert!(below.len() == 1 && below.iter().all(|found| found.ends_with("/a/one.txt")), "{below:?}");
    assert!(!store.put_if_absent(&url, Bytes::from_static(b"other")).await.unwrap());
    assert!(store.put_if_absent(&join(prefix, "new"), Bytes::from_static(b"x")).await.unwrap());
    store.put(&url, Bytes::from_static(b"replaced")).await.unwrap();
    assert_eq!(store.get(&url, 10).await.unwrap(), "replaced");
    store.delete(&url).await.unwrap();
    store.delete(&url).await.unwrap();
    assert!(matches!(store.get(&url, 10).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.head(&join(prefix, "a")).await, Err(StoreError::NotFound { .. })));
}

/// An object of several parts appears at its end, and is read back piece by piece.
pub(crate) async fn long_object(store: &Store, prefix: &str) {
    let content: Vec<u8> = (0..2 * PART_BYTES + 12_345).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let url = join(prefix, "long");
    let mut writer = store.writer(&url).unwrap();
    for chunk in content.chunks(1_000_003) {
        writer.write(chunk).await.unwrap();
    }
    assert!(matches!(store.head(&url).await, Err(StoreError::NotFound { .. })), "not there before the end");
    let length = writer.finish().await.unwrap();
    assert_eq!(length, u64::try_from(content.len()).unwrap());
    let mut read = Vec::new();
    let mut reader = store.reader(&url, 0..length);
    while let Some(piece) = reader.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert!(read == content, "what was read is not what was written");
}
