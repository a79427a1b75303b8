//! Changes while packets are under way: other shapes, cuts.

use std::thread::sleep;
use std::time::Duration;

use farquorum_netem::clock;
use farquorum_netem::lab::Lab;

use super::{DELAY_MS, WAY, median, overtaken};
use crate::Outcome;
use crate::figure::Figure;
use crate::network::plain;
use crate::train::{self, Train};

/// Packets every millisecond through two changes: none is early, lost or overtaken.
pub(super) fn live_change(lab: &Lab, floor_ms: f64) -> Outcome<Vec<Figure>> {
    const PACKETS: u64 = 300;
    let control = lab.control();
    control.set_link("aws", "gcp", plain(DELAY_MS))?;
    // From when on, which delay at the least: the slower of two counts while a change is made.
    let mut least = vec![(0, DELAY_MS)];
    let mut slowest = Duration::ZERO;
    let arrivals = train::run(lab, WAY, Train::of(PACKETS, 1), || {
        for delay_ms in [40.0, 5.0] {
            sleep(Duration::from_millis(90));
            let start_ns = clock::now_ns();
            slowest = slowest.max(control.set_link("aws", "gcp", plain(delay_ms))?);
            let slower = least.last().is_some_and(|(_, before)| delay_ms > *before);
            least.push((if slower { clock::now_ns() } else { start_ns }, delay_ms));
        }
        Ok(())
    })?;
    let early = arrivals.iter().filter(|one| {
        let bound = least.iter().rev().find(|(since_ns, _)| *since_ns <= one.sent_ns);
        bound.is_some_and(|(_, least_ms)| one.delay_ms() < *least_ms)
    });
    let tail: Vec<_> = arrivals.iter().rev().take(20).copied().collect();
    control.set_link("aws", "gcp", plain(DELAY_MS))?;
    Ok(vec![
        Figure::exact("live change, unshaped packets", 0, u64::try_from(early.count())?),
        Figure::exact("live change, packets arrived", PACKETS, u64::try_from(arrivals.len())?),
        Figure::exact("live change, packets overtaken", 0, overtaken(&arrivals)),
        Figure::new("live change, median at the end".into(), "ms", 5.0, median(&tail) - floor_ms, 0.3),
        Figure {
            allowed: [0.0, 10.0],
            ..Figure::new(
                "live change, time to be in force".into(),
                "ms",
                0.0,
                slowest.as_secs_f64() * 1e3,
                0.0,
            )
        },
    ])
}

/// What is cut is silent, what is not cut is not, and what is under way arrives.
pub(super) fn cuts(lab: &Lab, _floor_ms: f64) -> Outcome<Vec<Figure>> {
    const PACKETS: u64 = 20;
    let control = lab.control();
    let count = |from: &str, to: &str, during: &mut dyn FnMut() -> Outcome<()>| {
        let arrivals = train::run(lab, (from, to), Train::of(PACKETS, 1), during)?;
        Ok::<_, Box<dyn std::error::Error>>(u64::try_from(arrivals.len())?)
    };
    let mut figures = Vec::new();
    let mut expect = |what: &str, from: &str, to: &str, open: bool| {
        let arrived = count(from, to, &mut || Ok(()))?;
        figures.push(Figure::exact(what, if open { PACKETS } else { 0 }, arrived));
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    control.cut("aws", "gcp")?;
    expect("cut link", "aws-11", "gcp-11", false)?;
    expect("cut link, other direction", "gcp-11", "aws-11", true)?;
    control.set_link("aws", "gcp", plain(1.0))?;
    expect("cut link, changed", "aws-12", "gcp-12", false)?;
    control.set_link("aws", "gcp", plain(DELAY_MS))?;
    control.heal("aws", "gcp")?;
    expect("healed link", "aws-11", "gcp-11", true)?;
    control.cut("aws-11", "gcp-11")?;
    expect("cut hosts", "aws-11", "gcp-11", false)?;
    expect("cut hosts, other host", "aws-12", "gcp-11", true)?;
    control.isolate("azure")?;
    expect("isolated cloud, outwards", "azure-11", "aws-11", false)?;
    expect("isolated cloud, inwards", "gcp-11", "azure-11", false)?;
    expect("isolated cloud, inside", "azure-11", "azure-12", true)?;
    control.isolate("aws-12")?;
    expect("isolated host, inside its cloud", "aws-12", "aws-11", false)?;
    control.heal_all()?;
    expect("all healed, hosts", "aws-11", "gcp-11", true)?;
    expect("all healed, cloud", "azure-11", "aws-12", true)?;
    // 150 ms long: all of the train is under way when the link is cut.
    let under_way = count("gcp-11", "azure-11", &mut || {
        sleep(Duration::from_millis(80));
        control.cut("gcp", "azure")?;
        Ok(())
    })?;
    control.heal_all()?;
    figures.push(Figure::exact("under way when the link is cut", PACKETS, under_way));
    Ok(figures)
}
