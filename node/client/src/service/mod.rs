//! The services of `farquorum.v1`, typed: one file each. They only say which calls may be done twice.

mod jobs;
mod kv;
mod status;
mod tasks;
mod workers;

pub use jobs::Jobs;
pub use kv::Kv;
pub use status::ClusterApi;
pub use tasks::Tasks;
pub use workers::Workers;

use crate::cluster::Cluster;

/// Longest answer: a full page of the largest values (1000 of 1 MiB) is more, so pages of large values must be shorter.
const ANSWER_BYTES_MAX: usize = 64 << 20;

impl Cluster {
    /// The key-value store.
    pub fn kv(&self) -> Kv<'_> {
        Kv(self)
    }

    /// Tasks.
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks(self)
    }

    /// The workers' side, and the list of workers.
    pub fn workers(&self) -> Workers<'_> {
        Workers(self)
    }

    /// Jobs.
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs(self)
    }

    /// The nodes' state, and leadership.
    pub fn cluster(&self) -> ClusterApi<'_> {
        ClusterApi(self)
    }
}

/// One call: `client` is the generated client, `method` one of its methods.
macro_rules! send {
    ($cluster:expr, $call:expr, $client:ident, $method:ident, $message:expr) => {
        $cluster
            .call($call, $message, |channel, request| async move {
                $client::new(channel)
                    .max_decoding_message_size(super::ANSWER_BYTES_MAX)
                    .$method(request)
                    .await
            })
            .await
    };
}
use send;
