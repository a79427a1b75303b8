//! The links of the kernel backend: what is in force at each netem, what is wanted, and the changes from one to the
//! other, each in place.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use farquorum_config::LinkShape;

use super::edges::{Edge, addresses};
use super::ledger::{Ledger, Why};
use super::qdisc::{self, Netem, NetemLoss, Passed};
use super::routing;
use crate::lab::{LabSpec, netlink};
use crate::wan::{Cuts, LinkReport, WanError};

/// One directed link.
#[derive(Debug)]
struct Link {
    from: String,
    to: String,
    shape: LinkShape,
    netem: Netem,
    /// Whether the netem is told to drop everything.
    cut: bool,
    ledger: Ledger,
}

/// All links of a lab.
#[derive(Debug)]
pub(super) struct Links {
    edges: Vec<Edge>,
    /// Those of each host, in the same order of families.
    addresses: Vec<Vec<IpAddr>>,
    /// Link from cloud `a` to cloud `b` at `a * clouds + b`.
    links: Vec<Link>,
    cuts: Cuts,
    /// Pairs of hosts, sender first, for which there is a rule.
    cut_pairs: BTreeSet<(usize, usize)>,
}

impl Links {
    /// The links as [`super::edges::make`] made them.
    pub(super) fn of(spec: &LabSpec, edges: Vec<Edge>, shaped: Vec<(LinkShape, Netem)>) -> Links {
        let names = spec.clouds.keys().flat_map(|from| spec.clouds.keys().map(move |to| (from, to)));
        let link = |((from, to), (shape, netem)): ((&String, &String), (LinkShape, Netem))| Link {
            from: from.clone(),
            to: to.clone(),
            shape,
            netem,
            cut: false,
            ledger: Ledger::default(),
        };
        Links {
            edges,
            addresses: spec.hosts.iter().map(|host| addresses(spec, host.address).collect()).collect(),
            links: names.zip(shaped).map(link).collect(),
            cuts: Cuts::of(spec),
            cut_pairs: BTreeSet::new(),
        }
    }

    /// Deletes the devices of all links, and with them what leads there.
    ///
    /// # Errors
    /// The first one that the kernel refused; the others are deleted.
    pub(super) fn delete(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for edge in &mut self.edges {
            for out in edge.outs.iter().filter(|out| **out != 0) {
                result = result.and(netlink::delete_at(&mut edge.socket, *out));
            }
        }
        result
    }

    /// Replaces a link's shape. A cut link stays cut and has the new shape once it is healed.
    pub(super) fn set_shape(
        &mut self,
        (from, to): (usize, usize),
        shape: LinkShape,
        netem: Netem,
    ) -> Result<(), WanError> {
        let number = from * self.edges.len() + to;
        let Some(cut) = self.links.get(number).map(|link| link.cut) else { return Ok(()) };
        self.put(number, &netem, cut)?;
        if let Some(link) = self.links.get_mut(number) {
            link.shape = shape;
            link.netem = netem;
        }
        Ok(())
    }

    /// Changes what is cut, and puts into force what is not yet.
    pub(super) fn set_cuts(&mut self, change: impl FnOnce(&mut Cuts)) -> Result<(), WanError> {
        let mut wanted = self.cuts.clone();
        change(&mut wanted);
        for (number, cut) in wanted.links().iter().enumerate() {
            let Some(link) = self.links.get(number).filter(|link| link.cut != *cut) else { continue };
            let netem = link.netem.clone();
            self.put(number, &netem, *cut)?;
        }
        let pairs: BTreeSet<_> = wanted.pairs().collect();
        let changed: Vec<_> = pairs.symmetric_difference(&self.cut_pairs).copied().collect();
        for pair in changed {
            self.set_pair(&wanted, pair, pairs.contains(&pair))?;
        }
        self.cuts = wanted;
        Ok(())
    }

    /// Tells a link's netem what to do from now on, in one request.
    fn put(&mut self, number: usize, netem: &Netem, cut: bool) -> Result<(), WanError> {
        let clouds = self.edges.len();
        let (Some(link), Some(edge)) = (self.links.get_mut(number), self.edges.get_mut(number / clouds))
        else {
            return Ok(());
        };
        let passed = passed(edge)?;
        let (Some(passed), Some(interface)) = (passed.get(number % clouds), edge.outs.get(number % clouds))
        else {
            return Ok(());
        };
        link.ledger.book(passed, link.why());
        let closed = || Netem { loss: NetemLoss::Share(1.0), ..netem.clone() };
        let changed = match cut {
            true => closed().change(&mut edge.socket, *interface),
            false => netem.change(&mut edge.socket, *interface),
        };
        changed.map_err(|error| failed(&format!("change the link {} -> {}", link.from, link.to), &error))?;
        link.cut = cut;
        Ok(())
    }

    fn set_pair(&mut self, cuts: &Cuts, pair: (usize, usize), cut: bool) -> Result<(), WanError> {
        let addresses = (self.addresses.get(pair.0), self.addresses.get(pair.1));
        let edge = cuts.cloud_of(pair.0).and_then(|cloud| self.edges.get_mut(cloud));
        let ((Some(from), Some(to)), Some(edge)) = (addresses, edge) else { return Ok(()) };
        for (from, to) in from.iter().zip(to) {
            routing::cut(&mut edge.socket, *from, *to, cut)
                .map_err(|error| failed(&format!("cut or heal {from} -> {to}"), &error))?;
        }
        if cut {
            self.cut_pairs.insert(pair)
        } else {
            self.cut_pairs.remove(&pair)
        };
        Ok(())
    }

    /// All links with what passed.
    pub(super) fn report(&mut self) -> Result<Vec<LinkReport>, WanError> {
        let passed = self.edges.iter_mut().map(passed).collect::<Result<Vec<_>, _>>()?.concat();
        let each = self.links.iter_mut().zip(passed).zip(self.cuts.pairs_per_link());
        let report = |((link, passed), cut_host_pairs): ((&mut Link, Passed), u64)| {
            link.ledger.book(&passed, link.why());
            LinkReport {
                from: link.from.clone(),
                to: link.to.clone(),
                shape: link.shape.clone(),
                cut: link.cut,
                cut_host_pairs,
                counters: link.ledger.counters(&passed),
            }
        };
        Ok(each.map(report).collect())
    }
}

impl Link {
    fn why(&self) -> Why {
        match self.netem.loss {
            _ if self.cut => Why::Cut,
            NetemLoss::Share(share) if share <= 0.0 => Why::QueueFull,
            _ => Why::Lost,
        }
    }
}

/// What passed each link that begins at an edge.
fn passed(edge: &mut Edge) -> Result<Vec<Passed>, WanError> {
    let passed =
        qdisc::passed(&mut edge.socket).map_err(|error| failed("read the counters of the links", &error))?;
    let of = |interface: &u32| passed.iter().find(|(other, _)| other == interface);
    Ok(edge.outs.iter().map(|interface| of(interface).map_or_else(Passed::default, |one| one.1)).collect())
}

fn failed(what: &str, error: &io::Error) -> WanError {
    WanError::Backend(format!("{what}: {error}"))
}
