//! The levels that peers said they have. A peer that has said nothing since this process started counts as the first:
//! nobody may be asked to read what nobody knows that he can.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use farquorum_config::NodeId;
use farquorum_core::Level;

/// By peer. Bounded by the members of the configuration, as unknown nodes are refused before.
#[derive(Debug, Default)]
pub(crate) struct Levels(Mutex<HashMap<NodeId, Level>>);

impl Levels {
    /// A peer said its level, as in a message: it may be lower than before when it was set back to an older version.
    pub(crate) fn said(&self, peer: NodeId, level: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(peer, Level::said(level));
    }

    /// The last one that it said.
    pub(crate) fn of(&self, peer: NodeId) -> Level {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&peer).copied().unwrap_or(Level::FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_has_the_first_level() {
        let levels = Levels::default();
        assert_eq!(levels.of(NodeId(1)), Level::FIRST);
        // A version that does not know the field.
        levels.said(NodeId(1), 0);
        assert_eq!(levels.of(NodeId(1)), Level::FIRST);
        levels.said(NodeId(1), 3);
        levels.said(NodeId(2), 2);
        assert_eq!((levels.of(NodeId(1)), levels.of(NodeId(2))), (Level(3), Level(2)));
        levels.said(NodeId(1), 1);
        assert_eq!(levels.of(NodeId(1)), Level(1), "set back to an older version");
    }
}
