//! What is drawn: jitter, losses, doubles. Each figure may be off by five standard errors of its count of packets:
//! one run in a hundred thousand fails by chance.

use std::collections::BTreeSet;

use farquorum_config::{Gilbert, Jitter, LinkShape, Loss, Quantiles, Spread};
use farquorum_netem::lab::Lab;

use super::{DELAY_MS, WAY, float, overtaken, quantile};
use crate::Outcome;
use crate::figure::Figure;
use crate::network::plain;
use crate::train::{self, Arrival, Train};

const ERRORS: f64 = 5.0;

/// Every distribution: packets that are far apart have its quantiles, and packets that are close keep their order.
pub(super) fn jitter(lab: &Lab, floor_ms: f64) -> Outcome<Vec<Figure>> {
    const PACKETS: u64 = 600;
    let quantiles = Quantiles::new(vec![0.0, 1.0, 2.0, 10.0])?;
    // The median and the 90th percentile, each with how many milliseconds a share of 1 is there.
    let spreads = [
        ("normal", Spread::Normal { deviation_ms: 2.0 }, [(0.0, 5.01), (2.563, 11.40)]),
        ("uniform", Spread::Uniform { half_width_ms: 5.0 }, [(0.0, 10.0), (4.0, 10.0)]),
        ("empirical", Spread::Empirical(quantiles), [(1.5, 3.0), (7.6, 24.0)]),
    ];
    let mut figures = Vec::new();
    for (name, spread, expected) in spreads {
        let jitter = Some(Jitter { spread, memory_ms: 0.0 });
        lab.control().set_link("aws", "gcp", LinkShape { jitter, ..plain(DELAY_MS) })?;
        let far = train::run(lab, WAY, Train::of(PACKETS, 15), || Ok(()))?;
        for (share, (more_ms, slope_ms)) in [0.5, 0.9].into_iter().zip(expected) {
            let error_ms = slope_ms * (share * (1.0 - share) / float(PACKETS)).sqrt();
            let what = format!("{name} jitter, p{:.0}", share * 100.0);
            let measured_ms = quantile(&far, share) - floor_ms;
            figures.push(Figure::new(what, "ms", DELAY_MS + more_ms, measured_ms, 0.1 + ERRORS * error_ms));
        }
        let close = train::run(lab, WAY, Train::of(200, 1), || Ok(()))?;
        figures.push(Figure::exact(&format!("{name} jitter, overtaken"), 0, overtaken(&close)));
    }
    Ok(figures)
}

/// Independent losses, and losses in bursts.
pub(super) fn losses(lab: &Lab, _floor_ms: f64) -> Outcome<Vec<Figure>> {
    const PACKETS: u64 = 4_000;
    const SHARE: f64 = 0.1;
    let gilbert = Gilbert { enter: 0.02, leave: 0.25, lost_in_bad: 1.0, lost_in_good: 0.0 };
    let lossy = |loss| {
        lab.control().set_link("aws", "gcp", LinkShape { loss, ..plain(DELAY_MS) })?;
        Ok::<_, Box<dyn std::error::Error>>(lost(
            &train::run(lab, WAY, Train::of(PACKETS, 1), || Ok(()))?,
            PACKETS,
        ))
    };
    let (independent, bursts) = (lossy(Loss::Independent(SHARE))?, lossy(Loss::Gilbert(gilbert))?);
    let share_of = |lost: &[bool]| float(lost.iter().filter(|lost| **lost).count()) / float(PACKETS);
    let error = |share: f64| (share * (1.0 - share) / float(PACKETS)).sqrt();
    // Neighbours in bursts are alike, so their count says less: as many packets as the correlation leaves.
    let (bad, alike) = (gilbert.share_bad(), 1.0 - gilbert.enter - gilbert.leave);
    let bursts_error = error(bad) * ((1.0 + alike) / (1.0 - alike)).sqrt();
    let (length, count) = (gilbert.leave.recip(), float(starts(&bursts)));
    let length_error = length * (1.0 - gilbert.leave).sqrt() / count.sqrt();
    let measured_length = share_of(&bursts) * float(PACKETS) / count;
    Ok(vec![
        Figure::new("loss, share".into(), "", SHARE, share_of(&independent), ERRORS * error(SHARE)),
        Figure::new("loss in bursts, share".into(), "", bad, share_of(&bursts), ERRORS * bursts_error),
        Figure::new("loss in bursts, length".into(), "", length, measured_length, ERRORS * length_error),
    ])
}

/// Packets that arrive twice.
pub(super) fn doubles(lab: &Lab, _floor_ms: f64) -> Outcome<Vec<Figure>> {
    const PACKETS: u64 = 1_000;
    const SHARE: f64 = 0.2;
    lab.control().set_link("aws", "gcp", LinkShape { duplicate: SHARE, ..plain(DELAY_MS) })?;
    let train = Train { copies: 2, ..Train::of(PACKETS, 1) };
    let arrivals = train::run(lab, WAY, train, || Ok(()))?;
    let share = float(arrivals.len()) / float(PACKETS) - 1.0;
    let error = (SHARE * (1.0 - SHARE) / float(PACKETS)).sqrt();
    Ok(vec![Figure::new("doubles, share".into(), "", SHARE, share, ERRORS * error)])
}

/// For each packet that was sent, whether it was lost.
fn lost(arrivals: &[Arrival], packets: u64) -> Vec<bool> {
    let numbers: BTreeSet<_> = arrivals.iter().map(|one| one.number).collect();
    (0..packets).map(|number| !numbers.contains(&number)).collect()
}

/// How many bursts begin.
fn starts(lost: &[bool]) -> u64 {
    let before = [false].iter().chain(lost);
    lost.iter().zip(before).map(|(now, before)| u64::from(*now && !before)).sum()
}
