//! Many concurrent writers, and what a store that loses nothing must show afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use farquorum_client::{ClientError, Cluster};
use farquorum_proto::v1::{KeyValue, ListRequest};
use tokio::task::JoinSet;

/// Largest page that is asked for.
const PAGE: u32 = 1000;

/// One write that the cluster acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Key.
    pub(crate) key: String,
    /// Value.
    pub(crate) value: String,
    /// Revision that the answer named.
    pub(crate) revision: u64,
    /// Just before it was sent.
    pub(crate) sent: Instant,
    /// Just after the answer.
    pub(crate) done: Instant,
}

/// What came of a crowd's writes.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Acknowledged ones.
    pub(crate) done: Vec<Write>,
    /// Others, by key: may have been done or not.
    pub(crate) failed: Vec<(String, ClientError)>,
}

/// Writers at work.
pub(crate) struct Crowd {
    acknowledged: Arc<AtomicU64>,
    target: Arc<AtomicU64>,
    writers: JoinSet<History>,
}

impl Crowd {
    /// Starts `writers` writers that share the clusters; they end once `target` writes of theirs are acknowledged. Every
    /// key is `prefix` and a number, written once; every tenth write goes to `prefix` itself instead.
    pub(crate) fn start(clusters: &[Cluster], writers: usize, target: u64, prefix: &str) -> Self {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let next = Arc::new(AtomicU64::new(0));
        let target = Arc::new(AtomicU64::new(target));
        let mut set = JoinSet::new();
        for cluster in clusters.iter().cycle().take(writers) {
            let (cluster, acknowledged, next) = (cluster.clone(), acknowledged.clone(), next.clone());
            let target = target.clone();
            let prefix = prefix.to_owned();
            set.spawn(async move {
                let mut history = History::default();
                while acknowledged.load(Ordering::Relaxed) < target.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let key = if number % 10 == 0 { prefix.clone() } else { format!("{prefix}{number:06}") };
                    if history.write(&cluster, key, format!("value of {prefix}{number}")).await {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                history
            });
        }
        Self { acknowledged, target, writers: set }
    }

    /// Writes that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Lets no writer begin another write, and waits for the end of all.
    pub(crate) async fn stop(self) -> History {
        self.target.store(0, Ordering::Relaxed);
        self.end().await
    }

    /// Waits for the end of all writers.
    pub(crate) async fn end(mut self) -> History {
        let mut all = History::default();
        while let Some(history) = self.writers.join_next().await {
            let mut history = history.unwrap();
            all.done.append(&mut history.done);
            all.failed.append(&mut history.failed);
        }
        all
    }
}

impl History {
    /// Writes once and notes what came of it; whether it was acknowledged.
    pub(crate) async fn write(&mut self, cluster: &Cluster, key: String, value: String) -> bool {
        let sent = Instant::now();
        match cluster.kv().set(key.clone(), value.clone()).await {
            Ok(answer) => {
                let (revision, done) = (answer.revision, Instant::now());
                self.done.push(Write { key, value, revision, sent, done });
                true
            }
            Err(error) => {
                self.failed.push((key, error));
                false
            }
        }
    }

    /// A revision is a place in the one order of all writes: a write that was answered before another was sent has the
    /// smaller one (linearizability of writes).
    pub(crate) fn revisions_follow_real_time(&self) {
        let mut by_sent: Vec<&Write> = self.done.iter().collect();
        by_sent.sort_by_key(|write| write.sent);
        let mut by_done: Vec<&Write> = self.done.iter().collect();
        by_done.sort_by_key(|write| write.done);
        let mut over = by_done.into_iter().peekable();
        let mut latest: Option<&Write> = None;
        for write in by_sent {
            while let Some(before) = over.next_if(|before| before.done < write.sent) {
                latest = latest.filter(|kept| kept.revision > before.revision).or(Some(before));
            }
            if let Some(before) = latest {
                assert!(before.revision < write.revision, "{before:?} was over before {write:?} was sent");
            }
        }
    }

    /// Every acknowledged write is in the store with its value, or a later one replaced it.
    pub(crate) fn is_in(&self, store: &BTreeMap<String, KeyValue>) {
        let mut last: BTreeMap<&str, &Write> = BTreeMap::new();
        for write in &self.done {
            let kept = last.entry(&write.key).or_insert(write);
            if kept.revision < write.revision {
                *kept = write;
            }
        }
        for (key, write) in last {
            let found = store.get(key).unwrap_or_else(|| panic!("{write:?} was acknowledged and is lost"));
            assert!(found.revision >= write.revision, "{write:?} was acknowledged; there is {found:?}");
            if found.revision == write.revision {
                assert_eq!(found.value, write.value.as_bytes(), "the value of {key}");
            } else {
                let unsure = self.failed.iter().any(|(failed, _)| failed == key);
                assert!(unsure, "{key} has revision {} that nobody wrote", found.revision);
            }
        }
    }

    /// The longest time between two acknowledgements in a row.
    pub(crate) fn longest_gap(&self) -> Duration {
        let mut times: Vec<Instant> = self.done.iter().map(|write| write.done).collect();
        times.sort();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}

/// Everything under a prefix, by linearizable reads.
pub(crate) async fn read_all(cluster: &Cluster, prefix: &str) -> BTreeMap<String, KeyValue> {
    let mut all = BTreeMap::new();
    let mut token = String::new();
    loop {
        let request =
            ListRequest { prefix: prefix.to_owned().into(), page_size: PAGE, page_token: token.clone() };
        let page = cluster.kv().list(request).await.unwrap();
        let pairs = page.kvs.into_iter();
        all.extend(pairs.map(|kv| (String::from_utf8(kv.key.to_vec()).unwrap(), kv)));
        if page.next_page_token.is_empty() {
            return all;
        }
        token = page.next_page_token;
    }
}
