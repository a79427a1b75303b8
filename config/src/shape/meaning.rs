//! From the keys of a link shape to the shape, and back.

use super::{Codel, Gilbert, GilbertKeys, Jitter, LinkShape, Loss, Quantiles, Queue, ShapeKeys, Spread};

impl ShapeKeys {
    /// What the keys mean; they have been checked, and what is not allowed counts as missing.
    pub(crate) fn shape(&self) -> LinkShape {
        LinkShape {
            delay_ms: self.delay_ms.unwrap_or_default(),
            jitter: self.jitter(),
            loss: self.loss_gilbert.as_ref().map_or_else(
                || Loss::Independent(self.loss.unwrap_or_default()),
                |keys| {
                    Loss::Gilbert(Gilbert {
                        enter: keys.enter.unwrap_or_default(),
                        leave: keys.leave.unwrap_or(1.0),
                        lost_in_bad: keys.lost_in_bad.unwrap_or(1.0),
                        lost_in_good: keys.lost_in_good.unwrap_or_default(),
                    })
                },
            ),
            rate_mbit: self.rate_mbit,
            queue_bytes: self.queue_bytes,
            queue: self.queue(),
            reorder: self.reorder.unwrap_or_default(),
            duplicate: self.duplicate.unwrap_or_default(),
            corrupt: self.corrupt.unwrap_or_default(),
        }
    }

    fn jitter(&self) -> Option<Jitter> {
        let spread = match &self.jitter_quantiles_ms {
            Some(values_ms) => Spread::Empirical(Quantiles::new(values_ms.clone()).ok()?),
            None => {
                let size_ms = self.jitter_ms.filter(|size_ms| *size_ms > 0.0)?;
                match self.jitter_distribution.as_deref() {
                    Some("uniform") => Spread::Uniform { half_width_ms: size_ms },
                    _ => Spread::Normal { deviation_ms: size_ms },
                }
            }
        };
        let jitter = Jitter::new(spread);
        Some(match self.jitter_memory_ms {
            Some(memory_ms) => jitter.with_memory(memory_ms),
            None => jitter,
        })
    }

    fn queue(&self) -> Queue {
        let default = Codel::default();
        match self.queue.as_deref() {
            Some("codel") => Queue::Codel(Codel {
                target_ms: self.codel_target_ms.unwrap_or(default.target_ms),
                interval_ms: self.codel_interval_ms.unwrap_or(default.interval_ms),
            }),
            _ => Queue::Tail,
        }
    }
}

impl From<LinkShape> for ShapeKeys {
    fn from(shape: LinkShape) -> Self {
        Self::from(&shape)
    }
}

/// The keys that mean this shape.
impl From<&LinkShape> for ShapeKeys {
    fn from(shape: &LinkShape) -> Self {
        let mut keys = Self {
            delay_ms: Some(shape.delay_ms),
            rate_mbit: shape.rate_mbit,
            queue_bytes: shape.queue_bytes,
            queue: Some("tail".to_owned()),
            reorder: Some(shape.reorder),
            duplicate: Some(shape.duplicate),
            corrupt: Some(shape.corrupt),
            ..Self::default()
        };
        if let Some(Jitter { spread, memory_ms }) = &shape.jitter {
            keys.jitter_memory_ms = Some(*memory_ms);
            match spread {
                // Jitter of no size is none.
                Spread::Normal { deviation_ms: 0.0 } | Spread::Uniform { half_width_ms: 0.0 } => {
                    (keys.jitter_ms, keys.jitter_memory_ms) = (Some(0.0), None);
                }
                Spread::Normal { deviation_ms } => keys.jitter_ms = Some(*deviation_ms),
                Spread::Uniform { half_width_ms } => {
                    keys.jitter_ms = Some(*half_width_ms);
                    keys.jitter_distribution = Some("uniform".to_owned());
                }
                Spread::Empirical(table) => keys.jitter_quantiles_ms = Some(table.values_ms().to_vec()),
            }
        } else {
            keys.jitter_ms = Some(0.0);
        }
        match shape.loss {
            Loss::Independent(share) => keys.loss = Some(share),
            Loss::Gilbert(Gilbert { enter, leave, lost_in_bad, lost_in_good }) => {
                let [enter, leave] = [enter, leave].map(Some);
                let [lost_in_bad, lost_in_good] = [lost_in_bad, lost_in_good].map(Some);
                keys.loss_gilbert = Some(GilbertKeys { enter, leave, lost_in_bad, lost_in_good });
            }
        }
        if let Queue::Codel(codel) = shape.queue {
            keys.queue = Some("codel".to_owned());
            keys.codel_target_ms = Some(codel.target_ms);
            keys.codel_interval_ms = Some(codel.interval_ms);
        }
        keys
    }
}
