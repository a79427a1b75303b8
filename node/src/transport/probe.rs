//! Probes of one session: which are under way, and what an answer says (MEAS-1). Pure but for telling who asked.
//!
//! The initiator's monotonic clock alone is read, so the two clocks need not agree; the responder says how long it
//! held the probe, and that is subtracted, so a busy peer does not look far away. What a probe waits before the
//! responder has read it stays in the figure: it is part of the way there.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Probes that may be without an answer; the oldest is forgotten beyond it. Four streams of
/// [`crate::api`]'s fastest (a probe every 10 ms) over a link of more than two seconds.
const OPEN_MAX: usize = 1024;

/// Requests for a probe that may wait: they are taken as soon as the stream has room, so that more of them mean a
/// link that no longer moves.
const ASKS_MAX: usize = 16;

/// Somebody who waits for one probe's round-trip time. Dropped when there is none.
pub(crate) type Asker = oneshot::Sender<Duration>;

/// The way of extra probes into a lane.
pub(crate) fn asks() -> (mpsc::Sender<Asker>, mpsc::Receiver<Asker>) {
    mpsc::channel(ASKS_MAX)
}

/// The probes of one session that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    last: u64,
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    sequence: u64,
    sent: Duration,
    asker: Option<Asker>,
}

impl Probes {
    /// The sequence number of a probe that leaves at `now`.
    pub(crate) fn send(&mut self, now: Duration, asker: Option<Asker>) -> u64 {
        self.last += 1;
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back(Open { sequence: self.last, sent: now, asker });
        self.last
    }

    /// The round-trip time that an answer shows, told to who asked; none when the probe is unknown or the peer claims
    /// to have held it longer than it was away.
    pub(crate) fn answer(&mut self, sequence: u64, processing: Duration, now: Duration) -> Option<Duration> {
        let place = self.open.iter().position(|open| open.sequence == sequence)?;
        let open = self.open.remove(place)?;
        let rtt = now.checked_sub(open.sent)?.checked_sub(processing)?;
        if let Some(asker) = open.asker {
            // Who does not wait any more does not need it.
            let _gone = asker.send(rtt);
        }
        Some(rtt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn the_responders_time_is_not_the_links() {
        let mut probes = Probes::default();
        let first = probes.send(ms(1000), None);
        let second = probes.send(ms(1100), None);
        assert_eq!(probes.answer(second, ms(5), ms(1180)), Some(ms(75)));
        assert_eq!(probes.answer(second, ms(5), ms(1180)), None, "answered once");
        assert_eq!(probes.answer(first, ms(500), ms(1200)), None, "a lie about the processing time");
        assert_eq!(probes.answer(99, ms(0), ms(1200)), None, "never asked");
    }

    #[test]
    fn who_asked_is_told_or_let_go() {
        let mut probes = Probes::default();
        let (told, mut answer) = oneshot::channel();
        let sequence = probes.send(ms(0), Some(told));
        assert_eq!(probes.answer(sequence, ms(1), ms(21)), Some(ms(20)));
        assert_eq!(answer.try_recv(), Ok(ms(20)));
        let (told, mut answer) = oneshot::channel();
        let sequence = probes.send(ms(30), Some(told));
        assert_eq!(probes.answer(sequence, ms(500), ms(60)), None);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn unanswered_probes_are_bounded() {
        let mut probes = Probes::default();
        let first = probes.send(ms(0), None);
        (0..OPEN_MAX).for_each(|_| {
            probes.send(ms(1), None);
        });
        assert_eq!(probes.answer(first, ms(0), ms(50)), None);
    }
}
