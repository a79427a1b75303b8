//! Rules between the keys of a link shape. A key that needs or excludes another says so at its own place.

use super::ShapeKeys;
use crate::text;

/// A rule that is broken.
pub(crate) struct Broken {
    /// The key that is wrong.
    pub(crate) key: &'static str,
    /// Its value as TOML.
    pub(crate) value: String,
    /// Keys that the rule looked at: a mistake in one of them makes the rule pointless.
    pub(crate) looked_at: &'static [&'static str],
    /// What is allowed.
    pub(crate) message: String,
}

/// Every broken rule. A missing delay breaks none: it may be missing because it was refused.
pub(crate) fn broken(keys: &ShapeKeys) -> Vec<Broken> {
    let mut broken = Vec::new();
    jitter(keys, &mut broken);
    loss(keys, &mut broken);
    queue(keys, &mut broken);
    broken
}

fn jitter(keys: &ShapeKeys, broken: &mut Vec<Broken>) {
    let size_ms = keys.jitter_ms.filter(|size_ms| *size_ms > 0.0);
    if let (Some(size_ms), Some(delay_ms)) = (size_ms, keys.delay_ms)
        && size_ms > delay_ms
    {
        broken.push(Broken {
            key: "jitter_ms",
            value: size_ms.to_string(),
            looked_at: &["delay_ms", "rtt_ms"],
            message: format!("must be at most the one-way delay, {delay_ms} ms"),
        });
    }
    if let Some(distribution) = &keys.jitter_distribution
        && size_ms.is_none()
    {
        broken.push(Broken {
            key: "jitter_distribution",
            value: text::quoted(distribution),
            looked_at: &["jitter_ms", "jitter_quantiles_ms"],
            message: match &keys.jitter_quantiles_ms {
                None => "says how jitter_ms is distributed; set jitter_ms too".to_owned(),
                Some(_) => "excludes jitter_quantiles_ms, which is a distribution by itself".to_owned(),
            },
        });
    }
    if let (Some(size_ms), Some(_)) = (size_ms, &keys.jitter_quantiles_ms) {
        broken.push(Broken {
            key: "jitter_ms",
            value: size_ms.to_string(),
            looked_at: &["jitter_quantiles_ms"],
            message: "excludes jitter_quantiles_ms; set one of them".to_owned(),
        });
    }
    if let (Some(memory_ms), None, None) = (keys.jitter_memory_ms, size_ms, &keys.jitter_quantiles_ms) {
        broken.push(Broken {
            key: "jitter_memory_ms",
            value: memory_ms.to_string(),
            looked_at: &["jitter_ms", "jitter_quantiles_ms"],
            message: "is how long jitter is remembered; set jitter_ms or jitter_quantiles_ms too".to_owned(),
        });
    }
}

fn loss(keys: &ShapeKeys, broken: &mut Vec<Broken>) {
    if let (Some(share), Some(_)) = (keys.loss.filter(|share| *share > 0.0), &keys.loss_gilbert) {
        broken.push(Broken {
            key: "loss",
            value: share.to_string(),
            looked_at: &["loss_gilbert"],
            message: "excludes loss_gilbert; set one of them".to_owned(),
        });
    }
}

fn queue(keys: &ShapeKeys, broken: &mut Vec<Broken>) {
    let codel = keys.queue.as_deref() == Some("codel");
    let mut needs_rate = |key, value: Option<String>, message: &str| {
        if let (Some(value), None) = (value, keys.rate_mbit) {
            broken.push(Broken { key, value, looked_at: &["rate_mbit"], message: message.to_owned() });
        }
    };
    let bytes = keys.queue_bytes.map(|bytes| bytes.to_string());
    needs_rate("queue_bytes", bytes, "bounds what waits for the rate; set rate_mbit too");
    let name = codel.then(|| text::quoted("codel"));
    needs_rate("queue", name, "needs a queue, which only a rate makes; set rate_mbit too");
    let parameters =
        [("codel_target_ms", keys.codel_target_ms), ("codel_interval_ms", keys.codel_interval_ms)];
    for (key, value) in parameters {
        if let (Some(value), false) = (value, codel) {
            broken.push(Broken {
                key,
                value: value.to_string(),
                looked_at: &["queue"],
                message: "is a parameter of CoDel; set queue = \"codel\" too".to_owned(),
            });
        }
    }
    let default = super::Codel::default();
    let target_ms = keys.codel_target_ms.unwrap_or(default.target_ms);
    let interval_ms = keys.codel_interval_ms.unwrap_or(default.interval_ms);
    if codel && target_ms > interval_ms {
        broken.push(Broken {
            key: if keys.codel_target_ms.is_some() { "codel_target_ms" } else { "codel_interval_ms" },
            value: keys.codel_target_ms.unwrap_or(interval_ms).to_string(),
            looked_at: &["codel_target_ms", "codel_interval_ms"],
            message: format!("the target, {target_ms} ms, must be at most the interval, {interval_ms} ms"),
        });
    }
}
