//! The world of one run: time, nodes, network, clients, and what happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use farquorum_driver::eraftpb::{ConfState, Message};
use farquorum_driver::{Fetch, RequestId, Role};

use crate::checks::Checks;
use crate::dice::Dice;
use crate::network::Network;
use crate::node::Node;
use crate::trace::Trace;

/// Something that will happen. `boot` names the run of the node that it belongs to.
pub(crate) enum Event {
    Start { node: usize },
    Tick { node: usize, boot: u32 },
    Deliver { node: usize, from: u64, message: Box<Message> },
    Cached { node: usize, boot: u32 },
    Written { node: usize, boot: u32 },
    Apply { node: usize, boot: u32 },
    Fetched { node: usize, boot: u32, fetch: Fetch },
    SnapshotSent { node: usize, boot: u32, peer: u64, ok: bool },
    Client,
    Fault,
}

struct Planned {
    at: u64,
    /// Events of one moment happen in the order in which they were planned.
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Three or five voters; sometimes one voter with a learner, where the leader is elected without a message.
fn members(dice: &mut Dice) -> ConfState {
    let (voters, learners) = match dice.range(0, 10) {
        0 => (1..2, 2..3),
        1..=2 => (1..6, 0..0),
        3 => (1..4, 4..5),
        _ => (1..4, 0..0),
    };
    ConfState { voters: voters.collect(), learners: learners.collect(), ..ConfState::default() }
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    pub(crate) tears: u64,
    planned: BinaryHeap<Reverse<Planned>>,
    numbers: u64,
    /// Longest time of a write in microseconds.
    pub(crate) disk_max: u64,
    /// Longest time of an apply in microseconds; a slow one takes longer than an election timeout.
    pub(crate) apply_max: u64,
    /// Clients write and things fail.
    pub(crate) stormy: bool,
    pub(crate) writes: u64,
    /// Writes made after the storm.
    probes: Vec<RequestId>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let members = members(&mut dice);
        let size = u64::try_from(members.voters.len() + members.learners.len()).unwrap();
        // Deterministic elections: each node has a timeout of its own, in an order chosen by the seed.
        let turn = dice.range(0, size);
        let timeout = |id: u64| usize::try_from(10 + 3 * ((id + turn) % size)).unwrap();
        let nodes = (1..=size).map(|id| Node::new(id, &members, timeout(id))).collect();
        let network = Network::new(&mut dice);
        let disk_max = *dice.pick(&[1, 1_000, 10_000, 40_000]);
        let apply_max = *dice.pick(&[1, 5_000, 40_000, 300_000]);
        let mut world = Self {
            now: 0,
            dice,
            nodes,
            network,
            checks: Checks::default(),
            trace: Trace::default(),
            tears: 0,
            planned: BinaryHeap::new(),
            numbers: 0,
            disk_max,
            apply_max,
            stormy: true,
            writes: 0,
            probes: Vec::new(),
        };
        (0..world.nodes.len()).for_each(|node| world.later(0, Event::Start { node }));
        world.later(0, Event::Client);
        world.later(300_000, Event::Fault);
        world
    }

    pub(crate) fn later(&mut self, after: u64, event: Event) {
        self.numbers += 1;
        self.planned.push(Reverse(Planned { at: self.now + after, number: self.numbers, event }));
    }

    pub(crate) fn note(&mut self, what: &'static str, node: usize, [a, b, c]: [u64; 3]) {
        let node = &self.nodes[node];
        self.trace.note(self.now, what, [node.id, u64::from(node.boot), a, b, c]);
    }

    /// A storm, then calm, then everything must have come together again.
    pub(crate) fn run(&mut self) {
        self.run_until(2_500_000);
        self.stormy = false;
        self.network.heal();
        (self.disk_max, self.apply_max) = (1_000, 1_000);
        self.nodes.iter_mut().for_each(|node| node.disk.stuck_until = 0);
        // The longest election timeout is 220 ms, a doubt lasts two; a crashed node is back within 1 s.
        for _ in 0..20 {
            self.run_until(self.now + 500_000);
            if self.is_calm() {
                return self.checks.end(&self.nodes);
            }
        }
        for node in &self.nodes {
            eprintln!("{:?}", node.driver.as_ref().map(farquorum_driver::Driver::status));
        }
        panic!("no agreement within 10 s after everything was healed");
    }

    /// All nodes are up, out of doubt, and have applied a write that was made after the storm.
    fn is_calm(&mut self) -> bool {
        let last = self.checks.last_index();
        let same = |node: &Node| {
            let settled = node.driver.as_ref().is_some_and(|driver| !driver.status().in_doubt);
            settled && node.machine.index == last
        };
        if self.nodes.iter().all(same) && self.probes.iter().any(|id| self.checks.is_acknowledged(*id)) {
            return true;
        }
        if let Some(leader) = self.leader() {
            let id = self.propose(leader, 1);
            self.probes.extend(id);
        }
        false
    }

    fn leader(&self) -> Option<usize> {
        let role = |node: &Node| node.driver.as_ref().map(|driver| driver.status().role);
        self.nodes.iter().position(|node| role(node) == Some(Role::Leader))
    }

    fn run_until(&mut self, end: u64) {
        while self.planned.peek().is_some_and(|Reverse(next)| next.at <= end) {
            let Some(Reverse(next)) = self.planned.pop() else { return };
            self.now = next.at;
            self.happen(next.event);
        }
        self.now = end;
    }
}
