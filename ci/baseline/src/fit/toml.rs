//! Fitted links as configuration: `[[links]]` for farquorum.toml, with where each figure comes from beside it.

use super::FittedPair;
use crate::record::Dimensions;

/// Longest line of a table of quantiles.
const WIDTH: usize = 110;

/// Replaces all `[[links]]` of a configuration with these clouds.
pub fn to_toml(pairs: &[FittedPair], from: &Dimensions) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(
        "# Links fitted to recorded round trips; they take the place of every [[links]] of a configuration.",
    );
    line(&format!("# Recorded: {}, version {}.", from.when, from.version));
    for cloud in &from.clouds {
        let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { comment(text) };
        line(&format!(
            "# {}: region {}, {}.",
            cloud.label,
            known(&cloud.region),
            known(&cloud.instance_type)
        ));
    }
    for pair in pairs {
        let [p50, p90, p99] = pair.expected_ms;
        line("");
        line(&format!(
            "# {} - {}: RTT p50 {p50:.3}, p90 {p90:.3}, p99 {p99:.3} ms, from {} samples.",
            pair.from, pair.to, pair.count
        ));
        let memory = if pair.memory_seen {
            "from their autocorrelation"
        } else {
            "they are too far apart to show one"
        };
        line(&format!("# Half of p1 each way; what is above it on one way; its memory: {memory}."));
        line("[[links]]");
        line(&format!("from = \"{}\"\nto = \"{}\"\ndelay_ms = {}", pair.from, pair.to, pair.delay_ms));
        line(&format!("jitter_memory_ms = {}", pair.jitter_memory_ms));
        line(&format!("jitter_quantiles_ms = [\n{}]", wrapped(&pair.jitter_quantiles_ms)));
        loss(&mut line, pair.loss);
        line("");
        line("[[links]]");
        line(&format!("from = \"{}\"\nto = \"{}\"\ndelay_ms = {}", pair.to, pair.from, pair.delay_ms));
        loss(&mut line, pair.loss);
    }
    text
}

fn loss(line: &mut impl FnMut(&str), loss: f64) {
    if loss > 0.0 {
        line(&format!("loss = {loss}"));
    }
}

/// Free text of a record within one comment line.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn wrapped(values: &[f64]) -> String {
    let mut text = String::new();
    let mut row = String::from("   ");
    for value in values {
        let entry = format!(" {value},");
        if row.len() + entry.len() > WIDTH {
            text.push_str(&row);
            text.push('\n');
            row = String::from("   ");
        }
        row.push_str(&entry);
    }
    text + &row + "\n"
}
