//! Which directions are cut: whole links, and single pairs of hosts. Pure; both backends keep one and put it into
//! force in their own way.

use super::control::Site;
use crate::lab::LabSpec;

/// The cuts of a lab. Clouds and hosts are counted as in the spec.
#[derive(Clone, Debug)]
pub(crate) struct Cuts {
    cloud_of: Vec<usize>,
    clouds: usize,
    /// Cut from cloud `a` to cloud `b` at `a * clouds + b`.
    links: Vec<bool>,
    /// Cut from host `a` to host `b` at `a * hosts + b`.
    pairs: Vec<bool>,
}

impl Cuts {
    /// No cut, for a checked spec.
    pub(crate) fn of(spec: &LabSpec) -> Cuts {
        let names: Vec<&String> = spec.clouds.keys().collect();
        let cloud = |host: &crate::lab::HostSpec| names.iter().position(|name| **name == host.cloud);
        let cloud_of: Vec<_> = spec.hosts.iter().filter_map(cloud).collect();
        let (clouds, hosts) = (names.len(), cloud_of.len());
        Cuts { cloud_of, clouds, links: vec![false; clouds * clouds], pairs: vec![false; hosts * hosts] }
    }

    /// The cloud of a host.
    pub(crate) fn cloud_of(&self, host: usize) -> Option<usize> {
        self.cloud_of.get(host).copied()
    }

    /// Whether each link is cut, from cloud `a` to cloud `b` at `a * clouds + b`.
    pub(crate) fn links(&self) -> &[bool] {
        &self.links
    }

    /// Whether this direction between two hosts is cut by itself.
    pub(crate) fn pair(&self, from: usize, to: usize) -> bool {
        self.pairs.get(from * self.cloud_of.len() + to).copied().unwrap_or(false)
    }

    /// All directions between two hosts that are cut by themselves: sender, receiver.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let hosts = self.cloud_of.len();
        let cut = self.pairs.iter().enumerate().filter(|(_, cut)| **cut);
        cut.map(move |(index, _)| (index / hosts, index % hosts))
    }

    /// For each link, how many pairs of hosts on it are cut by themselves.
    pub(crate) fn pairs_per_link(&self) -> Vec<u64> {
        let mut counts = vec![0; self.links.len()];
        for (from, to) in self.pairs() {
            let (Some(from), Some(to)) = (self.cloud_of(from), self.cloud_of(to)) else { continue };
            if let Some(count) = counts.get_mut(from * self.clouds + to) {
                *count += 1;
            }
        }
        counts
    }

    /// Cuts or heals one direction. Two clouds: their link (healing heals their hosts too); otherwise host by host.
    pub(crate) fn set(&mut self, from: Site, to: Site, cut: bool) {
        if let (Site::Cloud(from), Site::Cloud(to)) = (from, to) {
            if let Some(slot) = self.links.get_mut(from * self.clouds + to) {
                *slot = cut;
            }
            if cut {
                return;
            }
        }
        for a in self.hosts_of(from) {
            for b in self.hosts_of(to).into_iter().filter(|b| *b != a) {
                if let Some(slot) = self.pairs.get_mut(a * self.cloud_of.len() + b) {
                    *slot = cut;
                }
            }
        }
    }

    /// Cuts or heals every direction between a site and the others of its kind. Healing also heals each host of it.
    pub(crate) fn set_isolated(&mut self, site: Site, cut: bool) {
        let others: Vec<_> = match site {
            Site::Cloud(cloud) => (0..self.clouds).filter(|other| *other != cloud).map(Site::Cloud).collect(),
            Site::Host(host) => {
                (0..self.cloud_of.len()).filter(|other| *other != host).map(Site::Host).collect()
            }
        };
        for other in others {
            self.set(site, other, cut);
            self.set(other, site, cut);
        }
        if let (Site::Cloud(_), false) = (site, cut) {
            self.set(site, site, false);
        }
    }

    /// Heals everything.
    pub(crate) fn heal_all(&mut self) {
        self.links.fill(false);
        self.pairs.fill(false);
    }

    fn hosts_of(&self, site: Site) -> Vec<usize> {
        match site {
            Site::Host(host) => vec![host],
            Site::Cloud(cloud) => {
                self.cloud_of.iter().enumerate().filter(|(_, c)| **c == cloud).map(|(host, _)| host).collect()
            }
        }
    }
}
