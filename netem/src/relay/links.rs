//! The links of the relays: link models, counters, cuts. Pure.

use farquorum_config::LinkShape;

use super::shape::{endless, held_bytes_max, refuse, room};
use crate::error::LabError;
use crate::lab::LabSpec;
use crate::model::{LinkModel, Verdict, link_seed};
use crate::wan::{Changed, Counters, Cuts, LinkReport, WanError};

/// One directed link.
#[derive(Debug)]
struct Link {
    from: String,
    to: String,
    /// As it was asked for; the model's own has an endless queue.
    shape: LinkShape,
    model: LinkModel,
    counters: Counters,
}

/// All links, and which directions are cut.
#[derive(Debug)]
pub(super) struct Links {
    clouds: usize,
    /// Link from cloud `a` to cloud `b` at `a * clouds + b`.
    links: Vec<Link>,
    pub(super) cuts: Cuts,
    /// Bytes that all connections hold, as of the last look and what came in since.
    pub(super) held: usize,
    /// Largest piece that has a release time of its own: the payload of a packet is of this order.
    pub(super) piece_bytes: usize,
}

impl Links {
    /// The links of a checked spec, or which of them needs packets.
    pub(super) fn of(spec: &LabSpec) -> Result<Links, LabError> {
        let mut links = Vec::with_capacity(spec.clouds.len() * spec.clouds.len());
        for from in spec.clouds.keys() {
            for to in spec.clouds.keys() {
                let configured = spec.links.iter().find(|link| link.from == *from && link.to == *to);
                let shape = configured.map_or(&spec.local, |link| &link.shape).clone();
                refuse(&shape).map_err(|error| LabError::Spec(format!("link {from} -> {to}: {error}")))?;
                let model = LinkModel::new(endless(&shape), link_seed(spec.seed, from, to));
                let counters = Counters::default();
                links.push(Link { from: from.clone(), to: to.clone(), shape, model, counters });
            }
        }
        let (clouds, cuts) = (spec.clouds.len(), Cuts::of(spec));
        Ok(Links { clouds, links, cuts, held: 0, piece_bytes: usize::from(spec.mtu) })
    }

    /// The link from one host to another.
    pub(super) fn between(&self, from: usize, to: usize) -> Option<usize> {
        Some(self.cuts.cloud_of(from)? * self.clouds + self.cuts.cloud_of(to)?)
    }

    /// Whether this direction between two hosts is cut, by itself or with its clouds.
    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        let link = self.between(from, to).and_then(|link| self.cuts.links().get(link));
        self.cuts.pair(from, to) || link.is_none_or(|cut| *cut)
    }

    /// Bytes that a direction of a connection, which holds `held`, may take in now.
    pub(super) fn room(&self, link: usize, held: usize) -> usize {
        self.links.get(link).map_or(0, |link| room(held_bytes_max(&link.shape), held, self.held))
    }

    /// When a piece that is offered now is due. None is dropped: what would drop it was refused, and a cut link is not
    /// offered anything.
    pub(super) fn offer(&mut self, link: usize, now_ns: u64, bytes: usize) -> Option<u64> {
        let link = self.links.get_mut(link)?;
        link.counters.offer(u64::try_from(bytes).unwrap_or(u64::MAX));
        match link.model.offer(now_ns, bytes) {
            Verdict::Deliver(delivery) => Some(delivery.at_ns),
            Verdict::Drop(reason) => {
                link.counters.drop_for(reason);
                None
            }
        }
    }

    /// Counts a piece that has come out.
    pub(super) fn delivered(&mut self, link: usize, bytes: usize) {
        if let Some(link) = self.links.get_mut(link) {
            link.counters.deliver(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// Replaces a shape, for bytes that are read from now on.
    pub(super) fn set_shape(&mut self, from: usize, to: usize, shape: LinkShape) -> Changed {
        refuse(&shape).map_err(WanError::Backend)?;
        if let Some(link) = self.links.get_mut(from * self.clouds + to) {
            link.model.set_shape(endless(&shape));
            link.shape = shape;
        }
        Ok(())
    }

    /// All links.
    pub(super) fn report(&self) -> Vec<LinkReport> {
        let cuts = self.cuts.links().iter().zip(self.cuts.pairs_per_link());
        let report = |(link, (cut, cut_host_pairs)): (&Link, (&bool, u64))| LinkReport {
            from: link.from.clone(),
            to: link.to.clone(),
            shape: link.shape.clone(),
            cut: *cut,
            cut_host_pairs,
            counters: link.counters,
        };
        self.links.iter().zip(cuts).map(report).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(shape: LinkShape) -> Links {
        let mut spec = LabSpec::sample(&[("aws", 10), ("gcp", 20)], 1, &[("aws", "gcp", 50.0)]);
        spec.links.iter_mut().for_each(|link| link.shape = shape.clone());
        Links::of(&spec).unwrap()
    }

    /// 8 Mbit/s are a byte per microsecond, however much is offered at once; nothing is dropped for it.
    #[test]
    fn the_rate_is_kept_and_nothing_is_dropped() {
        let shape = LinkShape {
            delay_ms: 10.0,
            rate_mbit: Some(8.0),
            queue_bytes: Some(1_000),
            ..LinkShape::default()
        };
        let mut links = links(shape.clone());
        let link = links.between(0, 1).unwrap();
        for piece in 1..=5_000_u64 {
            assert_eq!(links.offer(link, 0, 1_000), Some(piece * 1_000_000 + 10_000_000));
        }
        let report = &links.report()[link];
        assert_eq!((report.counters.offered, report.counters.queue_full), (5_000, 0));
        assert_eq!(report.shape, shape, "it is told as it was asked for");
    }

    #[test]
    fn a_change_that_needs_packets_changes_nothing() {
        let mut links = links(LinkShape { delay_ms: 25.0, ..LinkShape::default() });
        let lossy = LinkShape { loss: farquorum_config::Loss::Independent(0.1), ..LinkShape::default() };
        let refused = links.set_shape(0, 1, lossy).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("cannot do loss = 0.1")));
        assert_eq!(links.offer(1, 0, 100), Some(25_000_000));
    }
}
