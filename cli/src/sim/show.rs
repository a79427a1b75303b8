//! The tables of `farquorum sim`.

use super::protocol::{Checked, HostStatus, LinkStatus, PairCheck, SimStatus};
use crate::output::{Show, bytes, not_valid, rows};

impl Show for SimStatus {
    fn table(&self) -> String {
        let host = |host: &HostStatus| {
            let ports: Vec<String> =
                host.ports.iter().map(|(name, address)| format!("{name} {address}")).collect();
            [
                host.name.clone(),
                host.role.clone(),
                host.cloud.clone(),
                host.address.clone(),
                host.state.clone(),
                ports.join("  "),
            ]
        };
        let hosts = rows(
            ["HOST", "ROLE", "CLOUD", "ADDRESS", "STATE", "FROM THIS MACHINE"],
            self.hosts.iter().map(host),
        );
        let changed: String =
            self.links_changed.iter().map(|change| format!("\nchanged: {change}")).collect();
        let late = match (self.lateness_p50_us, self.lateness_p99_us) {
            (Some(p50), Some(p99)) => format!("delivers late by {p50:.0} us (p50), {p99:.0} us (p99)"),
            _ => NOT_KNOWN.to_owned(),
        };
        let doubts = not_valid(&self.invalid_reasons);
        format!("{hosts}\n\n{}{changed}\n\nemulator: {}; {late}{doubts}", links(&self.links), self.backend)
    }
}

fn links(links: &[LinkStatus]) -> String {
    let link = |link: &LinkStatus| {
        let state = if link.cut { "cut".to_owned() } else { "up".to_owned() };
        [
            link.from.clone(),
            link.to.clone(),
            format!("{} ms", link.delay_ms),
            format!("{} ms", link.jitter_ms),
            format!("{} %", link.loss * 100.0),
            link.rate_mbit.map_or_else(|| "unlimited".to_owned(), |rate| format!("{rate} Mbit/s")),
            state,
            bytes(link.bytes),
            link.dropped.to_string(),
        ]
    };
    rows(
        ["FROM", "TO", "DELAY", "JITTER", "LOSS", "RATE", "STATE", "DELIVERED", "DROPPED"],
        links.iter().map(link),
    )
}

impl Show for Checked {
    fn table(&self) -> String {
        let late = self.lateness_p99_us;
        let late =
            late.map_or_else(|| NOT_KNOWN.to_owned(), |us| format!("delivers late by {us:.0} us (p99)"));
        format!("{}\n\nemulator: {late}{}", pairs(&self.pairs), not_valid(&self.invalid_reasons))
    }
}

/// Said where no packet was looked at: the kernel's own netem keeps no account.
const NOT_KNOWN: &str = "how late it delivers is not known";

/// The table of a self-test.
fn pairs(pairs: &[PairCheck]) -> String {
    let row = |pair: &PairCheck| {
        [
            pair.from.clone(),
            pair.to.clone(),
            format!("{:.2} ms", pair.configured_ms),
            pair.measured_ms.map_or_else(|| "no answer".to_owned(), |ms| format!("{ms:.2} ms")),
            pair.ipv6_ms.map_or_else(String::new, |ms| format!("{ms:.2} ms")),
            pair.error_ms.map_or_else(String::new, |ms| format!("{ms:+.2} ms")),
            match (&pair.note, pair.ok) {
                (_, false) => "OFF".to_owned(),
                (Some(note), true) => note.clone(),
                (None, true) => "ok".to_owned(),
            },
        ]
    };
    rows(["FROM", "TO", "CONFIGURED RTT", "MEASURED", "IPV6", "ERROR", ""], pairs.iter().map(row))
}
