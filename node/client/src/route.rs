//! Which node next. Pure: a round asks every node once, the likely leader first; between rounds the caller pauses.

use std::collections::BTreeSet;
use std::time::Duration;

/// First pause; doubled with each round.
const BACKOFF_MIN: Duration = Duration::from_millis(25);

/// The order in which one call asks nodes, by their place in the pool.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// Asked first.
    preferred: Option<usize>,
    /// Asked in this round. Invariant: empty at the start of a round.
    asked: BTreeSet<usize>,
    /// Whether this round ends here, asked or not.
    cut: bool,
    /// Rounds that are over.
    rounds: u32,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask this node.
    Ask(usize),
    /// All were asked: pause for about this long, then go on.
    Pause(Duration),
}

impl Route {
    /// A route that begins at the likely leader.
    pub(crate) fn new(preferred: Option<usize>) -> Self {
        Self { preferred, ..Self::default() }
    }

    /// The next step among `nodes` nodes; pauses are never longer than `pause_max`.
    pub(crate) fn next(&mut self, nodes: usize, pause_max: Duration) -> Step {
        let preferred = self.preferred.filter(|node| *node < nodes);
        let open = preferred.into_iter().chain(0..nodes).find(|node| !self.asked.contains(node));
        if let Some(node) = open
            && !self.cut
        {
            self.asked.insert(node);
            return Step::Ask(node);
        }
        let pause = BACKOFF_MIN.saturating_mul(1_u32.checked_shl(self.rounds).unwrap_or(u32::MAX));
        self.rounds += 1;
        self.asked.clear();
        self.cut = false;
        Step::Pause(pause.min(pause_max))
    }

    /// A node said that `leader` leads. Asked next; after a pause when it was asked already (two nodes that point at
    /// each other must not make a storm).
    pub(crate) fn follow(&mut self, leader: usize) {
        self.preferred = Some(leader);
        self.cut = self.asked.contains(&leader);
    }

    /// A node did not do it: it is no longer asked first.
    pub(crate) fn failed(&mut self, node: usize) {
        self.preferred = self.preferred.filter(|preferred| *preferred != node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_millis(80);

    fn ask(node: usize) -> Step {
        Step::Ask(node)
    }

    fn pause(ms: u64) -> Step {
        Step::Pause(Duration::from_millis(ms))
    }

    #[test]
    fn a_round_asks_everybody_once_the_likely_leader_first() {
        let mut route = Route::new(Some(2));
        let steps: Vec<Step> = (0..5).map(|_| route.next(3, MAX)).collect();
        assert_eq!(steps, [ask(2), ask(0), ask(1), pause(25), ask(2)]);
    }

    #[test]
    fn pauses_grow_up_to_the_limit() {
        let mut route = Route::default();
        let steps = (0..200).map(|_| route.next(1, MAX)).filter(|step| *step != ask(0));
        let pauses: Vec<Step> = steps.collect();
        assert_eq!(pauses[..4], [pause(25), pause(50), pause(80), pause(80)]);
        assert_eq!(pauses.last(), Some(&pause(80)));
    }

    #[test]
    fn a_hint_is_followed_at_once() {
        let mut route = Route::new(Some(0));
        assert_eq!(route.next(3, MAX), ask(0));
        route.follow(2);
        assert_eq!(route.next(3, MAX), ask(2));
    }

    #[test]
    fn nodes_that_point_at_each_other_are_asked_after_a_pause() {
        let mut route = Route::new(Some(0));
        assert_eq!(route.next(3, MAX), ask(0));
        route.follow(1);
        assert_eq!(route.next(3, MAX), ask(1));
        route.follow(0);
        assert_eq!(route.next(3, MAX), pause(25));
        assert_eq!(route.next(3, MAX), ask(0));
    }

    #[test]
    fn a_node_that_failed_is_no_longer_first() {
        let mut route = Route::new(Some(1));
        assert_eq!(route.next(2, MAX), ask(1));
        route.failed(1);
        assert_eq!([route.next(2, MAX), route.next(2, MAX), route.next(2, MAX)], [ask(0), pause(25), ask(0)]);
    }
}
