//! A link shape as a person writes it: in the file, or as the changes of a command. Every key may be missing. What
//! the keys mean together stands in `meaning`, whether they may stand together in `rules`, and the range of each
//! alone in the table of keys ([`crate::keys`]).

use figment::value::Value;
use serde::{Deserialize, Serialize};

use super::{LinkShape, rules};
use crate::keys::{self, Shape};
use crate::text;

/// Keys of a link shape, each with the meaning, unit and range that the configuration gives it (`farquorum config
/// explain local_link.KEY`); as a change: new values for some of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShapeKeys {
    /// One-way delay, ms.
    pub delay_ms: Option<f64>,
    /// Deviation of a normal, half the width of a uniform distribution, ms; 0: no jitter.
    pub jitter_ms: Option<f64>,
    /// `normal` or `uniform`.
    pub jitter_distribution: Option<String>,
    /// Measured jitter: see [`Quantiles`].
    pub jitter_quantiles_ms: Option<Vec<f64>>,
    /// See [`Jitter::memory_ms`].
    pub jitter_memory_ms: Option<f64>,
    /// Share of packets lost.
    pub loss: Option<f64>,
    /// Loss in bursts.
    pub loss_gilbert: Option<GilbertKeys>,
    /// Rate, Mbit/s; 0, as a change: unlimited.
    pub rate_mbit: Option<f64>,
    /// Bytes that may wait for the rate.
    pub queue_bytes: Option<u64>,
    /// `tail` or `codel`.
    pub queue: Option<String>,
    /// See [`Codel::target_ms`].
    pub codel_target_ms: Option<f64>,
    /// See [`Codel::interval_ms`].
    pub codel_interval_ms: Option<f64>,
    /// Share of packets that overtake.
    pub reorder: Option<f64>,
    /// Share of packets that arrive twice.
    pub duplicate: Option<f64>,
    /// Share of packets with a flipped bit.
    pub corrupt: Option<f64>,
}

/// `loss_gilbert = { ... }`; the fields are those of [`Gilbert`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GilbertKeys {
    /// Chance to leave the good state.
    pub enter: Option<f64>,
    /// Chance to leave the bad state.
    pub leave: Option<f64>,
    /// Share lost in the bad state; none: 1.
    pub lost_in_bad: Option<f64>,
    /// Share lost in the good state; none: 0.
    pub lost_in_good: Option<f64>,
}

/// A value of a shape is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}: {message}")]
pub struct ShapeError {
    /// Key, as `jitter_ms`.
    pub key: String,
    /// The value as TOML.
    pub value: String,
    /// What is allowed.
    pub message: String,
}

impl LinkShape {
    /// Whether every value lies in its range and agrees with the others.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), ShapeError> {
        ShapeKeys::from(self).check()
    }
}

impl ShapeKeys {
    /// `shape` with these keys changed. Where two keys exclude each other, the changed one wins: `loss` ends
    /// `loss_gilbert`, `jitter_ms` ends a measured table. New jitter gets its default memory unless that is given too;
    /// `rate_mbit` 0 makes the link unlimited, without a queue.
    ///
    /// # Errors
    /// The first value that is not allowed.
    pub fn apply(&self, shape: &LinkShape) -> Result<LinkShape, ShapeError> {
        let mut keys = Self::from(shape);
        keys.merge(self.clone());
        keys.check()?;
        Ok(keys.shape())
    }

    /// Whether each value lies in its range, as far as that can be said without the shape that is changed.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check_change(&self) -> Result<(), ShapeError> {
        let unlimited = self.rate_mbit == Some(0.0);
        let rate_mbit = self.rate_mbit.filter(|_| !unlimited);
        Self { rate_mbit, ..self.clone() }.check_ranges()
    }

    /// Puts the changed keys over these.
    fn merge(&mut self, change: Self) {
        if change.jitter_ms.is_some() {
            self.jitter_quantiles_ms = None;
            self.jitter_memory_ms = None;
        }
        if change.jitter_quantiles_ms.is_some() {
            (self.jitter_ms, self.jitter_distribution, self.jitter_memory_ms) = (None, None, None);
        }
        if change.jitter_ms == Some(0.0) {
            self.jitter_distribution = None;
        }
        if change.loss.is_some() {
            self.loss_gilbert = None;
        }
        if change.loss_gilbert.is_some() {
            self.loss = None;
        }
        if change.queue.as_deref() == Some("tail") {
            (self.codel_target_ms, self.codel_interval_ms) = (None, None);
        }
        let Self { delay_ms, jitter_ms, jitter_distribution, jitter_quantiles_ms, jitter_memory_ms, .. } =
            change;
        let Self { loss, loss_gilbert, rate_mbit, queue_bytes, queue, codel_target_ms, .. } = change;
        let Self { codel_interval_ms, reorder, duplicate, corrupt, .. } = change;
        replace(&mut self.delay_ms, delay_ms);
        replace(&mut self.jitter_ms, jitter_ms);
        replace(&mut self.jitter_distribution, jitter_distribution);
        replace(&mut self.jitter_quantiles_ms, jitter_quantiles_ms);
        replace(&mut self.jitter_memory_ms, jitter_memory_ms);
        replace(&mut self.loss, loss);
        replace(&mut self.loss_gilbert, loss_gilbert);
        replace(&mut self.rate_mbit, rate_mbit);
        replace(&mut self.queue_bytes, queue_bytes);
        replace(&mut self.queue, queue);
        replace(&mut self.codel_target_ms, codel_target_ms);
        replace(&mut self.codel_interval_ms, codel_interval_ms);
        replace(&mut self.reorder, reorder);
        replace(&mut self.duplicate, duplicate);
        replace(&mut self.corrupt, corrupt);
        if rate_mbit == Some(0.0) {
            (self.rate_mbit, self.queue_bytes, self.queue) = (None, None, None);
            (self.codel_target_ms, self.codel_interval_ms) = (None, None);
        }
    }

    /// Ranges by the table of keys.
    fn check_ranges(&self) -> Result<(), ShapeError> {
        // These are plain fields: they always become a table.
        let Ok(Value::Dict(_, fields)) = Value::serialize(self) else { return Ok(()) };
        fields.iter().try_for_each(|(name, value)| in_range(name, value))
    }

    /// Ranges, then the rules between keys.
    fn check(&self) -> Result<(), ShapeError> {
        self.check_ranges()?;
        match rules::broken(self).into_iter().next() {
            Some(rule) => {
                Err(ShapeError { key: rule.key.to_owned(), value: rule.value, message: rule.message })
            }
            None => Ok(()),
        }
    }
}

fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// Judges one value by the key of the same name; a table, each of its values.
fn in_range(name: &str, value: &Value) -> Result<(), ShapeError> {
    match (keys::shape(&format!("local_link.{name}")), value) {
        (_, Value::Empty(..)) => Ok(()),
        (Shape::Key(key), value) if !key.kind.accepts(value) => Err(ShapeError {
            key: name.to_owned(),
            value: text::shown(value).unwrap_or_default(),
            message: format!("must be {}", key.kind.allowed()),
        }),
        (_, Value::Dict(_, fields)) => {
            fields.iter().try_for_each(|(field, value)| in_range(&format!("{name}.{field}"), value))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
