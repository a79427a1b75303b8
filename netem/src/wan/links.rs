//! Which directed link joins two hosts, and what it does to packets: pairs of clouds to link models, cuts. Pure.

use super::control::Site;
use super::counters::{Counters, LinkReport};
use super::cuts::Cuts;
use crate::lab::LabSpec;
use crate::model::{Delivery, LinkModel, Reason, Verdict, link_seed};

/// Where a packet goes: which link carries it, which host receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) link: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// One directed link with its counters.
#[derive(Debug)]
pub(super) struct DirectedLink {
    from: String,
    to: String,
    model: LinkModel,
    pub(super) counters: Counters,
}

/// All links of a lab.
#[derive(Debug)]
pub(super) struct Links {
    clouds: usize,
    /// Link from cloud `a` to cloud `b` at `a * clouds + b`.
    links: Vec<DirectedLink>,
    /// Invariant: each link's model is cut when this says so.
    cuts: Cuts,
}

impl Links {
    /// The links of a checked spec.
    pub(super) fn of(spec: &LabSpec) -> Links {
        let names: Vec<&String> = spec.clouds.keys().collect();
        let mut links = Vec::with_capacity(names.len() * names.len());
        for from in &names {
            for to in &names {
                let configured = spec.links.iter().find(|link| link.from == **from && link.to == **to);
                let shape = configured.map_or(&spec.local, |link| &link.shape).clone();
                let model = LinkModel::new(shape, link_seed(spec.seed, from, to));
                let (from, to) = ((*from).clone(), (*to).clone());
                links.push(DirectedLink { from, to, model, counters: Counters::default() });
            }
        }
        Links { clouds: names.len(), links, cuts: Cuts::of(spec) }
    }

    /// The link from one host to another, or to itself: the one inside its cloud.
    pub(super) fn path(&self, from: usize, to: usize) -> Option<Path> {
        Some(Path { link: self.cuts.cloud_of(from)? * self.clouds + self.cuts.cloud_of(to)?, from, to })
    }

    /// Offers a packet to its link and counts what becomes of it, except for its delivery.
    pub(super) fn offer(&mut self, path: Path, now_ns: u64, bytes: usize) -> Option<Delivery> {
        let pair_cut = self.cuts.pair(path.from, path.to);
        let link = self.links.get_mut(path.link)?;
        link.counters.offer(u64::try_from(bytes).unwrap_or(u64::MAX));
        let verdict = if pair_cut { Verdict::Drop(Reason::Cut) } else { link.model.offer(now_ns, bytes) };
        match verdict {
            Verdict::Deliver(delivery) => {
                link.counters.duplicated += u64::from(delivery.copy_at_ns.is_some());
                link.counters.corrupted += u64::from(delivery.flipped_bit.is_some());
                Some(delivery)
            }
            Verdict::Drop(reason) => {
                link.counters.drop_for(reason);
                None
            }
        }
    }

    /// The link and its counters.
    pub(super) fn link_mut(&mut self, link: usize) -> Option<&mut DirectedLink> {
        self.links.get_mut(link)
    }

    pub(super) fn set_shape(&mut self, from: usize, to: usize, shape: farquorum_config::LinkShape) {
        if let Some(link) = self.links.get_mut(from * self.clouds + to) {
            link.model.set_shape(shape);
        }
    }

    /// Cuts or heals one direction ([`Cuts::set`]).
    pub(super) fn set_cut(&mut self, from: Site, to: Site, cut: bool) {
        self.cuts.set(from, to, cut);
        self.apply_cuts();
    }

    /// Cuts or heals a site from and to the others of its kind ([`Cuts::set_isolated`]).
    pub(super) fn set_isolated(&mut self, site: Site, cut: bool) {
        self.cuts.set_isolated(site, cut);
        self.apply_cuts();
    }

    /// Heals everything.
    pub(super) fn heal_all(&mut self) {
        self.cuts.heal_all();
        self.apply_cuts();
    }

    /// All links.
    pub(super) fn report(&self) -> Vec<LinkReport> {
        let report = |(link, cut_host_pairs): (&DirectedLink, u64)| LinkReport {
            from: link.from.clone(),
            to: link.to.clone(),
            shape: link.model.shape().clone(),
            cut: link.model.is_cut(),
            cut_host_pairs,
            counters: link.counters,
        };
        self.links.iter().zip(self.cuts.pairs_per_link()).map(report).collect()
    }

    /// Packets for which there was no memory, over all links.
    pub(super) fn overload(&self) -> u64 {
        self.links.iter().map(|link| link.counters.overload).sum()
    }

    fn apply_cuts(&mut self) {
        for (link, cut) in self.links.iter_mut().zip(self.cuts.links()) {
            link.model.set_cut(*cut);
        }
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
