//! Key-value commands. Sizes of keys and values are bounded where requests come in, before they are proposed.

use super::State;
use crate::command::Outcome;
use crate::kv::KvEntry;

impl State {
    pub(super) fn kv_set(&mut self, key: &[u8], value: &[u8]) -> Outcome {
        let revision = self.applied;
        self.tables.put_kv(key, KvEntry { value: value.to_vec(), revision });
        Outcome::Set { revision }
    }

    pub(super) fn kv_delete(&mut self, key: &[u8]) -> Outcome {
        Outcome::Deleted { existed: self.tables.drop_kv(key), revision: self.applied }
    }

    pub(super) fn kv_compare_and_set(
        &mut self,
        key: &[u8],
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Outcome {
        let swapped = self.kv_get(key).map(|entry| entry.value.as_slice()) == expected;
        if swapped {
            self.kv_set(key, value);
        }
        let current = self.kv_get(key).map(|entry| (entry.value.clone(), entry.revision));
        Outcome::Swapped { swapped, current }
    }
}
