//! Which directed link a packet takes, and whether it may: addresses to hosts, hosts to clouds, pairs of clouds to
//! link models, cuts. Pure.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::control::Site;
use super::counters::{Counters, LinkReport};
use crate::lab::LabSpec;
use crate::model::{LinkModel, Reason, Verdict, link_seed};

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
    by_address: HashMap<Ipv4Addr, usize>,
    addresses: Vec<Ipv4Addr>,
    cloud_of: Vec<usize>,
    clouds: usize,
    /// Link from cloud `a` to cloud `b` at `a * clouds + b`.
    links: Vec<DirectedLink>,
    /// Cut from host `a` to host `b` at `a * hosts + b`.
    cut_hosts: Vec<bool>,
}

impl Links {
    /// The links of a checked spec.
    pub(super) fn of(spec: &LabSpec) -> Links {
        let names: Vec<&String> = spec.clouds.keys().collect();
        let addresses: Vec<_> = spec.hosts.iter().map(|host| host.address).collect();
        let cloud = |host: &crate::lab::HostSpec| names.iter().position(|name| **name == host.cloud);
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
        Links {
            by_address: addresses.iter().enumerate().map(|(index, address)| (*address, index)).collect(),
            cut_hosts: vec![false; addresses.len() * addresses.len()],
            addresses,
            cloud_of: spec.hosts.iter().filter_map(cloud).collect(),
            clouds: names.len(),
            links,
        }
    }

    /// The way of an IPv4 packet that host `from` sent; none when it is no IPv4, its source is not the sender's
    /// address, or nobody has its destination.
    pub(super) fn path(&self, from: usize, packet: &[u8]) -> Option<Path> {
        let (source, destination) = addresses_of(packet)?;
        if *self.addresses.get(from)? != source {
            return None;
        }
        let to = *self.by_address.get(&destination)?;
        Some(Path { link: self.cloud_of.get(from)? * self.clouds + self.cloud_of.get(to)?, from, to })
    }

    /// Offers a packet to its link and counts what becomes of it, except for its delivery.
    pub(super) fn offer(&mut self, path: Path, now_ns: u64, bytes: usize) -> Option<u64> {
        let pair_cut =
            self.cut_hosts.get(path.from * self.addresses.len() + path.to).copied().unwrap_or(false);
        let link = self.links.get_mut(path.link)?;
        link.counters.offer(u64::try_from(bytes).unwrap_or(u64::MAX));
        let verdict = if pair_cut { Verdict::Drop(Reason::Cut) } else { link.model.offer(now_ns, bytes) };
        match verdict {
            Verdict::Deliver { at_ns } => Some(at_ns),
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

    /// Cuts or heals one direction. Two clouds: their link (healing heals their hosts too); otherwise host by host.
    pub(super) fn set_cut(&mut self, from: Site, to: Site, cut: bool) {
        if let (Site::Cloud(from), Site::Cloud(to)) = (from, to) {
            if let Some(link) = self.links.get_mut(from * self.clouds + to) {
                link.model.set_cut(cut);
            }
            if cut {
                return;
            }
        }
        for a in self.hosts_of(from) {
            for b in self.hosts_of(to).into_iter().filter(|b| *b != a) {
                self.set_host_cut(a, b, cut);
            }
        }
    }

    /// Cuts or heals every direction between a site and the others of its kind. Healing also heals each host of it.
    pub(super) fn set_isolated(&mut self, site: Site, cut: bool) {
        let others = match site {
            Site::Cloud(cloud) => (0..self.clouds).filter(|other| *other != cloud).map(Site::Cloud).collect(),
            Site::Host(host) => self.others(host),
        };
        for other in others {
            self.set_cut(site, other, cut);
            self.set_cut(other, site, cut);
        }
        if let (Site::Cloud(_), false) = (site, cut) {
            self.set_cut(site, site, false);
        }
    }

    /// Heals everything.
    pub(super) fn heal_all(&mut self) {
        self.links.iter_mut().for_each(|link| link.model.set_cut(false));
        self.cut_hosts.fill(false);
    }

    /// All links.
    pub(super) fn report(&self) -> Vec<LinkReport> {
        let hosts = self.addresses.len();
        let mut cut_pairs = vec![0; self.links.len()];
        for (index, _) in self.cut_hosts.iter().enumerate().filter(|(_, cut)| **cut) {
            let clouds = (self.cloud_of.get(index / hosts), self.cloud_of.get(index % hosts));
            let (Some(from), Some(to)) = clouds else { continue };
            if let Some(count) = cut_pairs.get_mut(from * self.clouds + to) {
                *count += 1;
            }
        }
        let report = |(link, cut_host_pairs): (&DirectedLink, u64)| LinkReport {
            from: link.from.clone(),
            to: link.to.clone(),
            shape: link.model.shape().clone(),
            cut: link.model.is_cut(),
            cut_host_pairs,
            counters: link.counters,
        };
        self.links.iter().zip(cut_pairs).map(report).collect()
    }

    fn hosts_of(&self, site: Site) -> Vec<usize> {
        match site {
            Site::Host(host) => vec![host],
            Site::Cloud(cloud) => {
                self.cloud_of.iter().enumerate().filter(|(_, c)| **c == cloud).map(|(host, _)| host).collect()
            }
        }
    }

    fn others(&self, host: usize) -> Vec<Site> {
        (0..self.addresses.len()).filter(|other| *other != host).map(Site::Host).collect()
    }

    fn set_host_cut(&mut self, from: usize, to: usize, cut: bool) {
        if let Some(slot) = self.cut_hosts.get_mut(from * self.addresses.len() + to) {
            *slot = cut;
        }
    }
}

/// Source and destination of an IPv4 packet.
fn addresses_of(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let header = packet.first_chunk::<20>()?;
    let [first, .., a, b, c, d, e, f, g, h] = *header;
    (first >> 4 == 4).then_some((Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h)))
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
