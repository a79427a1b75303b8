//! A figure with what it should be, and the table of both backends.

use serde_json::json;

/// Largest difference between the medians of the two backends, ms: what is asked, and what is aimed at.
const DIFFERENCE_MS: [f64; 2] = [0.5, 0.2];

/// Something that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) configured: f64,
    pub(crate) measured: f64,
    /// Smallest and largest value that passes.
    pub(crate) allowed: [f64; 2],
    /// Whether it is a median of delays, which may not differ between the backends either.
    pub(crate) median: bool,
}

impl Figure {
    /// A figure that may be off by so much.
    pub(crate) fn new(what: String, unit: &'static str, configured: f64, measured: f64, off: f64) -> Figure {
        let allowed = [configured - off, configured + off];
        Figure { what, unit, configured, measured, allowed, median: false }
    }

    /// A count that must be as it should.
    pub(crate) fn exact(what: &str, configured: u64, measured: u64) -> Figure {
        let number = |count: u64| u32::try_from(count).map_or(f64::MAX, f64::from);
        Figure::new(what.to_string(), "", number(configured), number(measured), 0.0)
    }

    fn passes(&self) -> bool {
        (self.allowed[0]..=self.allowed[1]).contains(&self.measured)
    }
}

/// Prints the table and a line for programs; whether every figure passes. Either list may be empty.
pub(crate) fn judge(user: &[Figure], kernel: &[Figure]) -> bool {
    let rows = if user.is_empty() { kernel } else { user };
    println!("\n{:<34}{:>11}{:>13}{:>13}{:>12}", "", "configured", "user space", "kernel", "difference");
    let mut passed = user.is_empty() || kernel.is_empty() || user.len() == kernel.len();
    let mut largest_ms: f64 = 0.0;
    let mut lines = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let both = [user.get(number), kernel.get(number)];
        let difference = match both {
            [Some(one), Some(other)] => Some((one.measured - other.measured).abs()),
            _ => None,
        };
        if row.median {
            largest_ms = largest_ms.max(difference.unwrap_or(0.0));
        }
        let ok = both.iter().flatten().all(|figure| figure.passes());
        passed &= ok;
        let [one, other] = both.map(|figure| shown(figure.map(|figure| figure.measured)));
        let (unit, configured) = (row.unit, shown(Some(row.configured)));
        let verdict = if ok { "" } else { "  FAILED" };
        println!(
            "{:<34}{configured:>11}{one:>13}{other:>13}{:>12} {unit}{verdict}",
            row.what,
            shown(difference)
        );
        lines.push(json!({
            "what": row.what, "unit": unit, "configured": row.configured, "allowed": row.allowed, "ok": ok,
            "user": both[0].map(|figure| figure.measured), "kernel": both[1].map(|figure| figure.measured),
        }));
    }
    let [asked_ms, aimed_ms] = DIFFERENCE_MS;
    println!("\nlargest difference of a median: {largest_ms:.3} ms (asked {asked_ms}, aimed at {aimed_ms})");
    passed &= largest_ms <= asked_ms;
    println!("{}", json!({ "passed": passed, "median_difference_ms": largest_ms, "figures": lines }));
    passed
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_string(), |value| format!("{value:.3}"))
}
