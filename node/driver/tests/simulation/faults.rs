//! What goes wrong, chosen by the seed.

use farquorum_driver::{Input, LogStore};

use crate::machine::Machine;
use crate::world::{Event, World};

impl World {
    pub(crate) fn fault(&mut self) {
        let one = self.some_node();
        match self.dice.range(0, 100) {
            0..=11 => self.crash(one, false),
            12..=21 => self.crash(one, true),
            22..=26 => {
                let other = self.some_node();
                let power = self.dice.permille(500);
                self.crash(one, power);
                self.crash(other, power);
            }
            27..=31 => {
                let power = self.dice.permille(700);
                (0..self.nodes.len()).for_each(|node| self.crash(node, power));
            }
            32..=35 => self.tear(one),
            36..=46 => self.isolate(one),
            47..=56 => {
                let (from, to) = (self.nodes[one].id, self.some_id());
                self.network.cut.insert((from, to));
            }
            57..=66 => self.network.cut.clear(),
            67..=73 => {
                // Up to ten of the longest election timeouts.
                self.nodes[one].disk.stuck_until = self.now + self.dice.range(0, 2_000_000);
            }
            74..=88 => self.snapshot(one),
            _ => {
                let to = self.dice.permille(500).then(|| self.some_id());
                self.input(one, Input::TransferLeader { to });
            }
        }
    }

    fn some_node(&mut self) -> usize {
        usize::try_from(self.dice.range(0, u64::try_from(self.nodes.len()).unwrap())).unwrap()
    }

    fn some_id(&mut self) -> u64 {
        let node = self.some_node();
        self.nodes[node].id
    }

    fn isolate(&mut self, node: usize) {
        let id = self.nodes[node].id;
        for other in 1..=u64::try_from(self.nodes.len()).unwrap() {
            self.network.cut.extend([(id, other), (other, id)]);
        }
    }

    /// Ends a node, with or without what its disk had not synced, and plans its return.
    pub(crate) fn crash(&mut self, node: usize, power: bool) {
        if self.nodes[node].driver.is_none() {
            return;
        }
        self.note("crash", node, [u64::from(power), 0, 0]);
        self.nodes[node].stop();
        if power {
            self.nodes[node].disk.cut_power(&mut self.dice);
        } else {
            self.nodes[node].disk.kill();
        }
        let after = self.dice.range(0, 1_000_000);
        self.later(after, Event::Start { node });
    }

    /// A power loss that also damages the end of the log. One node at a time: with a majority in doubt an operator
    /// decides.
    fn tear(&mut self, node: usize) {
        let doubt = |log: &farquorum_driver::MemoryLog| log.initial().unwrap().in_doubt;
        let any = self.nodes.iter().any(|node| doubt(&node.disk.synced) || doubt(&node.disk.cached));
        let voters = self.nodes.iter().filter(|node| node.is_voter()).count();
        if any || voters < 3 || self.nodes[node].driver.is_none() {
            return;
        }
        self.crash(node, true);
        self.nodes[node].disk.tear(&mut self.dice);
        // What was applied beyond the cut is not to be trusted either: it starts again from the snapshot.
        self.nodes[node].stored = Machine::default();
        self.tears += 1;
    }

    pub(crate) fn snapshot(&mut self, node: usize) {
        let keep = self.dice.range(0, 20);
        let Some(driver) = &self.nodes[node].driver else { return };
        let conf_state = driver.status().conf_state;
        let machine = &self.nodes[node].machine;
        let compact = farquorum_driver::Compact {
            index: machine.index.min(driver.status().applied),
            conf_state,
            data: machine.to_bytes(),
            keep,
        };
        if compact.index == machine.index {
            self.note("compact", node, [compact.index, keep, 0]);
            self.input(node, Input::Compact(compact));
        }
    }
}
