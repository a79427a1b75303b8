//! A period in which something is measured: whether the emulated WAN kept its times and lost nothing itself. What was
//! measured meanwhile counts only then.

use std::path::Path;
use std::time::Duration;

use farquorum_netem::wan::Lateness;

use super::protocol::{Request, Response};
use super::socket::ask;
use crate::failure::Failure;

/// A period that began.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The number under which the supervisor knows its beginning.
    mark: u64,
}

/// What the period was worth.
#[derive(Debug)]
pub(crate) struct Watched {
    /// False when the backend sees no packet, so that nobody can tell how late they were.
    pub(crate) lateness_known: bool,
    /// Why what was measured does not count, each in words; empty when it does.
    pub(crate) doubts: Vec<String>,
}

impl Watch {
    /// Begins a period of the simulation that answers at `control`.
    pub(crate) fn begin(control: &Path) -> Result<Self, Failure> {
        period(control, None).map(|(mark, _)| Self { mark })
    }

    /// Ends it.
    pub(crate) fn end(&self, control: &Path) -> Result<Watched, Failure> {
        period(control, Some(self.mark)).map(|(_, watched)| watched)
    }
}

fn period(control: &Path, since: Option<u64>) -> Result<(u64, Watched), Failure> {
    match ask(control, &Request::Period { since })? {
        Response::Period { mark, lateness_known, invalid_reasons: doubts } => {
            Ok((mark, Watched { lateness_known, doubts }))
        }
        _ => Err(Failure::failed("the simulation's supervisor answered something else")),
    }
}

/// Why results of a period in which the emulator was so late do not count; nothing when they do.
pub(super) fn doubts(lateness: &Lateness, p99_max: Duration) -> Vec<String> {
    let on_time = Lateness { lost: 0, ..*lateness }.valid(p99_max);
    let late = (!on_time).then(|| {
        let p99_ms = lateness.p99_us / 1000.0;
        format!("the emulated WAN delivered late by {p99_ms:.1} ms (p99), beyond lab.lateness_p99_max_ms")
    });
    let lost = (lateness.lost > 0).then(|| {
        format!("the emulated WAN itself lost {} packets, which no link was to lose", lateness.lost)
    });
    late.into_iter().chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_late_or_lost_does_not_count() {
        let doubts = |p99_us, lost| {
            let lateness = Lateness { p99_us, lost, count: 100, ..Lateness::default() };
            super::doubts(&lateness, Duration::from_millis(3))
        };
        assert_eq!(doubts(2_900.0, 0), [""; 0]);
        assert_eq!(super::doubts(&Lateness::default(), Duration::ZERO), [""; 0], "no packet passed");
        let late = "the emulated WAN delivered late by 4.2 ms (p99), beyond lab.lateness_p99_max_ms";
        let lost = "the emulated WAN itself lost 7 packets, which no link was to lose";
        assert_eq!(doubts(4_200.0, 0), [late]);
        assert_eq!(doubts(100.0, 7), [lost]);
        assert_eq!(doubts(4_200.0, 7), [late, lost]);
    }
}
