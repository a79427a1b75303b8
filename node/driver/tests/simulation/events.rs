//! What each event does: inputs to a driver, and its outputs to disk, network, applier and clients.

use farquorum_driver::eraftpb::{Message, MessageType};
use farquorum_driver::{Input, LogStore, Outputs, Reply, RequestId};

use crate::machine::command;
use crate::world::{Event, World};

/// Microseconds of one tick.
const TICK: u64 = 10_000;

impl World {
    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Start { node } => self.start(node),
            Event::Tick { node, boot } if self.runs(node, boot) => {
                self.later(TICK, Event::Tick { node, boot });
                self.input(node, Input::Tick);
            }
            Event::Deliver { node, from, message } if self.nodes[node].driver.is_some() => {
                let kind = u64::try_from(message.msg_type).unwrap();
                let what = match message.get_msg_type() {
                    MessageType::MsgTimeoutNow => "handed over",
                    _ => "deliver",
                };
                self.note(what, node, [from, kind, message.term ^ (message.index << 20)]);
                self.input(node, Input::Message { from, message: *message });
            }
            Event::Cached { node, boot } if self.runs(node, boot) => self.cached(node, boot),
            Event::Written { node, boot } if self.runs(node, boot) => self.written(node, boot),
            Event::Apply { node, boot } if self.runs(node, boot) => self.apply(node),
            Event::Fetched { node, boot, fetch } if self.runs(node, boot) => {
                self.note("fetch", node, [fetch.low, fetch.high, 0]);
                let entries = self.nodes[node].disk.cached.entries(fetch.low, fetch.high, fetch.max_bytes);
                self.input(node, Input::Fetched { id: fetch.id, entries });
            }
            Event::SnapshotSent { node, boot, peer, ok } if self.runs(node, boot) => {
                self.input(node, Input::SnapshotSent { peer, ok });
            }
            Event::Client if self.stormy => self.client(),
            Event::Fault if self.stormy => {
                self.fault();
                let after = self.dice.range(10_000, 300_000);
                self.later(after, Event::Fault);
            }
            // Of an earlier run of the node, or over.
            _ => {}
        }
    }

    fn runs(&self, node: usize, boot: u32) -> bool {
        self.nodes[node].boot == boot && self.nodes[node].driver.is_some()
    }

    fn start(&mut self, node: usize) {
        if self.nodes[node].driver.is_some() {
            return;
        }
        let tail_bytes_max = *self.dice.pick(&[0, 500, 1 << 20]);
        self.nodes[node].start(tail_bytes_max);
        self.note("start", node, [self.nodes[node].machine.index, 0, 0]);
        let boot = self.nodes[node].boot;
        let phase = self.dice.range(0, TICK);
        self.later(phase, Event::Tick { node, boot });
        self.pump(node);
    }

    fn cached(&mut self, node: usize, boot: u32) {
        self.nodes[node].disk.cache();
        let stuck = self.nodes[node].disk.stuck_until.saturating_sub(self.now);
        let after = stuck + self.dice.range(0, self.disk_max);
        self.later(after, Event::Written { node, boot });
    }

    fn written(&mut self, node: usize, boot: u32) {
        let stuck = self.nodes[node].disk.stuck_until;
        if stuck > self.now {
            return self.later(stuck - self.now, Event::Written { node, boot });
        }
        let number = self.nodes[node].disk.finish();
        self.note("written", node, [number, 0, 0]);
        self.input(node, Input::Persisted { number });
    }

    fn apply(&mut self, node: usize) {
        let Some((entries, index)) = self.nodes[node].apply_next() else { return };
        self.note("apply", node, [index, self.nodes[node].machine.chain, 0]);
        let id = self.nodes[node].id;
        self.checks.applied(id, &entries, &self.nodes);
        for entry in &entries {
            let own = RequestId::of_entry(entry)
                .filter(|request| (u64::from(request.node), request.boot) == (id, self.nodes[node].boot));
            if let Some(own) = own {
                self.checks.acknowledge(own, entry.index);
            }
        }
        if self.dice.permille(100) {
            self.nodes[node].stored = self.nodes[node].machine.clone();
        }
        self.input(node, Input::Applied { index });
    }

    /// Gives one input and does what comes out.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        if let Some(driver) = &mut self.nodes[node].driver {
            driver.step(input).unwrap();
            self.pump(node);
        }
    }

    fn pump(&mut self, node: usize) {
        while let Some(driver) = &mut self.nodes[node].driver {
            let outputs = driver.poll();
            let more = outputs.more;
            self.outputs(node, outputs);
            if !more {
                return;
            }
        }
    }

    fn outputs(&mut self, node: usize, outputs: Outputs) {
        let (id, boot) = (self.nodes[node].id, self.nodes[node].boot);
        if let Some(change) = outputs.state {
            self.note(
                "state",
                node,
                [u64::from(change.role == farquorum_driver::Role::Leader), change.term, 0],
            );
            self.checks.state(id, change);
        }
        if let Some(write) = outputs.write {
            self.nodes[node].disk.queue(write);
        }
        if self.nodes[node].disk.start() {
            let after = self.dice.range(0, self.disk_max);
            self.later(after, Event::Cached { node, boot });
        }
        for message in outputs.messages {
            self.send(id, message);
        }
        for message in outputs.snapshots {
            self.send_snapshot(node, message);
        }
        for apply in outputs.apply {
            self.nodes[node].apply.push_back(apply);
            let after = self.dice.range(0, self.apply_max);
            self.later(after, Event::Apply { node, boot });
        }
        for fetch in outputs.fetches {
            let after = self.dice.range(0, self.disk_max);
            self.later(after, Event::Fetched { node, boot, fetch });
        }
        for reply in outputs.replies {
            match reply {
                Reply::Refused { id, .. } => self.checks.refuse(id),
                Reply::Unknown { .. } => {}
                Reply::ReadReady { id, index } => {
                    self.checks.read_ready(id, index, self.nodes[node].machine.index);
                }
            }
        }
        if outputs.want_snapshot {
            self.snapshot(node);
        }
    }

    fn send(&mut self, from: u64, message: Message) {
        let node = usize::try_from(message.to - 1).unwrap();
        for after in self.network.send(from, message.to, &mut self.dice) {
            self.later(after, Event::Deliver { node, from, message: Box::new(message.clone()) });
        }
    }

    /// The newest stored snapshot travels on a connection of its own; its fate is always reported.
    fn send_snapshot(&mut self, node: usize, mut message: Message) {
        let (boot, from, peer) = (self.nodes[node].boot, self.nodes[node].id, message.to);
        assert_eq!(message.get_msg_type(), MessageType::MsgSnapshot);
        let stored =
            self.nodes[node].disk.cached.snapshot().unwrap().expect("a snapshot that is offered is stored");
        stored.fill(&mut message);
        let arrivals = self.network.send(from, peer, &mut self.dice);
        let ok = !arrivals.is_empty();
        let after = arrivals.iter().copied().max().unwrap_or(50_000);
        self.note("snapshot", node, [peer, stored.meta.position.index, u64::from(ok)]);
        let target = usize::try_from(peer - 1).unwrap();
        for after in arrivals {
            self.later(after, Event::Deliver { node: target, from, message: Box::new(message.clone()) });
        }
        self.later(after, Event::SnapshotSent { node, boot, peer, ok });
    }

    /// Clients write and read at every node, whoever leads.
    fn client(&mut self) {
        for node in 0..self.nodes.len() {
            if self.dice.permille(600) {
                let many = self.dice.range(1, 5);
                self.propose(node, many);
            }
            if self.dice.permille(400) {
                self.read(node);
            }
        }
        let after = self.dice.range(1_000, 20_000);
        self.later(after, Event::Client);
    }

    /// Writes in one turn of the loop; the id of the last.
    pub(crate) fn propose(&mut self, node: usize, many: u64) -> Option<RequestId> {
        let mut last = None;
        for _ in 0..many {
            self.writes += 1;
            let data = command(self.dice.range(0, 10), self.writes);
            let id = self.nodes[node].ids.next_id();
            let Some(driver) = &mut self.nodes[node].driver else { return None };
            driver.step(Input::Propose { id, data }).unwrap();
            last = Some(id);
        }
        self.pump(node);
        last
    }

    fn read(&mut self, node: usize) {
        let id = self.nodes[node].ids.next_id();
        if let Some(driver) = &mut self.nodes[node].driver {
            self.checks.read(id);
            driver.step(Input::Read { id }).unwrap();
            self.pump(node);
        }
    }
}
