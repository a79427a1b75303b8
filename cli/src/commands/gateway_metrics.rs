//! The gateway's metrics as Prometheus reads them (text format 0.0.4). Pure. Names of clouds are labels of the
//! configuration: letters, digits and '-', nothing to escape.

use std::fmt::Write as _;

use farquorum_netem::wan::{Counters, Lateness, LinkReport, Strays};

/// A counter of every directed link: name, help, what it counts.
type Family = (&'static str, &'static str, fn(&Counters) -> u64);

const FAMILIES: [Family; 4] = [
    ("farquorum_wan_offered_packets_total", "Packets that entered a link", |c| c.offered),
    ("farquorum_wan_delivered_packets_total", "Packets that came out of a link", |c| c.delivered),
    ("farquorum_wan_delivered_bytes_total", "Their bytes, with IP headers", |c| c.delivered_bytes),
    ("farquorum_wan_dropped_packets_total", "Packets that a link dropped, for whatever reason", |c| {
        c.lost + c.queue_full + c.waited + c.cut + c.overload + c.refused
    }),
];

/// The whole text.
pub(crate) fn text(links: &[LinkReport], lateness: &Lateness, strays: &Strays) -> String {
    let mut out = String::new();
    for (name, help, count) in FAMILIES {
        head(&mut out, name, help, "counter");
        for link in links {
            let value = count(&link.counters);
            let _written = writeln!(out, "{name}{{from=\"{}\",to=\"{}\"}} {value}", link.from, link.to);
        }
    }
    let name = "farquorum_wan_delay_seconds";
    head(&mut out, name, "Configured one-way delay of a link, without jitter", "gauge");
    for link in links {
        let value = link.shape.delay_ms / 1e3;
        let _written = writeln!(out, "{name}{{from=\"{}\",to=\"{}\"}} {value}", link.from, link.to);
    }
    let name = "farquorum_wan_lateness_seconds";
    head(&mut out, name, "How much later than due packets were handed over", "gauge");
    for (quantile, us) in [("0.5", lateness.p50_us), ("0.99", lateness.p99_us), ("1", lateness.max_us)] {
        let _written = writeln!(out, "{name}{{quantile=\"{quantile}\"}} {}", us / 1e6);
    }
    let name = "farquorum_wan_stray_packets_total";
    head(&mut out, name, "Packets that reached no link", "counter");
    let reasons = [
        ("before_wan", strays.before_wan),
        ("spoofed", strays.spoofed),
        ("unreachable", strays.unreachable),
        ("expired", strays.expired),
        ("too_big", strays.too_big),
        ("ignored", strays.ignored),
    ];
    for (reason, value) in reasons {
        let _written = writeln!(out, "{name}{{reason=\"{reason}\"}} {value}");
    }
    out
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _written = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_and_every_reason_has_its_line() {
        let link = LinkReport {
            from: "aws".to_owned(),
            to: "gcp".to_owned(),
            shape: farquorum_config::LinkShape { delay_ms: 25.0, ..Default::default() },
            cut: false,
            cut_host_pairs: 0,
            counters: Counters { offered: 9, delivered: 5, lost: 1, cut: 3, ..Counters::default() },
        };
        let strays = Strays { spoofed: 2, ..Strays::default() };
        let text = text(&[link], &Lateness { p99_us: 150.0, ..Lateness::default() }, &strays);
        for line in [
            "# TYPE farquorum_wan_offered_packets_total counter",
            "farquorum_wan_offered_packets_total{from=\"aws\",to=\"gcp\"} 9",
            "farquorum_wan_dropped_packets_total{from=\"aws\",to=\"gcp\"} 4",
            "farquorum_wan_delay_seconds{from=\"aws\",to=\"gcp\"} 0.025",
            "farquorum_wan_lateness_seconds{quantile=\"0.99\"} 0.00015",
            "farquorum_wan_stray_packets_total{reason=\"spoofed\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
