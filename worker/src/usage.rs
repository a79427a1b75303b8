//! Processor and memory use of this process, for the heartbeat.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};

/// Remembers the last sample: processor use is a rate.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Processor time and clock at the last sample.
    last: Option<(Duration, Duration)>,
}

impl Usage {
    /// Thousandths of one processor since the last sample (0 at the first), and resident bytes.
    pub(crate) fn sample(&mut self, now: Duration) -> (u32, u64) {
        let cpu = cpu_time();
        let milli = match self.last.replace((cpu, now)) {
            Some((last_cpu, last_now)) => rate(cpu.saturating_sub(last_cpu), now.saturating_sub(last_now)),
            None => 0,
        };
        (milli, resident_bytes())
    }
}

fn rate(cpu: Duration, time: Duration) -> u32 {
    let milli = cpu.as_micros().saturating_mul(1000).checked_div(time.as_micros()).unwrap_or_default();
    u32::try_from(milli).unwrap_or(u32::MAX)
}

/// Own time and that of ended children (the `command` kind).
fn cpu_time() -> Duration {
    let of = |who| {
        let usage = getrusage(who).ok()?;
        let (user, system) = (usage.user_time(), usage.system_time());
        let micros = |seconds: i64, micros: i64| {
            Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
                .saturating_add(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
        };
        Some(micros(user.tv_sec(), user.tv_usec()).saturating_add(micros(system.tv_sec(), system.tv_usec())))
    };
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].into_iter().filter_map(of).sum()
}

/// The second number of `/proc/self/statm` is the resident set in pages; 0 when it cannot be read.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 =
        statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|page| u64::try_from(page).ok());
    pages.saturating_mul(page.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_in_thousandths_of_a_processor() {
        let ms = Duration::from_millis;
        for (cpu, time, expected) in [(0, 1000, 0), (500, 1000, 500), (2000, 1000, 2000), (5, 0, 0)] {
            assert_eq!(rate(ms(cpu), ms(time)), expected);
        }
        assert!(resident_bytes() > 0);
    }
}
