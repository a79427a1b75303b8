//! The gateway of containers with the kernel's netem, between networks of this process.

use farquorum_config::{Sources, load};
use farquorum_netem::gateway::LinkAddresses;
use farquorum_netem::gateway::trial::Trial;

use crate::Outcome;

/// Least and most that a median round trip may differ from what is configured, ms.
const ALLOWED_MS: (f64, f64) = (-0.3, 1.0);

/// Chosen without being asked for, since netem is there; at its distances; and nothing passes any more when its links
/// drop everything, or when it was stopped.
pub(crate) fn check() -> Outcome<()> {
    let config = load(&Sources::default())?.config;
    let mut trial = Trial::start(&config, LinkAddresses::Kept)?;
    println!("gateway: {}", trial.backend());
    if !trial.backend().starts_with("the kernel's netem") {
        return Err("the gateway did not choose the kernel's netem".into());
    }
    for (from, to, configured) in [("aws", "gcp", 50.0), ("azure", "aws", 75.0), ("gcp", "azure", 60.0)] {
        let mut answered: Vec<f64> =
            trial.ping(from, to, 21)?.iter().flatten().map(|rtt| rtt.as_secs_f64() * 1e3).collect();
        answered.sort_by(f64::total_cmp);
        let median = answered.get(answered.len() / 2).copied().unwrap_or(f64::INFINITY);
        println!(
            "gateway: {from} -> {to}: {median:.2} ms, configured {configured}, {} of 21 answered",
            answered.len()
        );
        if !(ALLOWED_MS.0..=ALLOWED_MS.1).contains(&(median - configured)) {
            return Err(format!("gateway: {from} -> {to} is at {median} ms, not {configured}").into());
        }
    }
    trial.control().ok_or("no gateway")?.cut("aws", "gcp")?;
    if trial.ping("aws", "gcp", 3).is_ok_and(|answers| answers.iter().any(Option::is_some)) {
        return Err("gateway: a cut link lets packets through".into());
    }
    trial.control().ok_or("no gateway")?.heal_all()?;
    if !trial.ping("aws", "gcp", 3)?.iter().any(Option::is_some) {
        return Err("gateway: a link that was healed lets nothing through".into());
    }
    trial.stop_gateway();
    if trial.ping("aws", "gcp", 3).is_ok_and(|answers| answers.iter().any(Option::is_some)) {
        return Err("gateway: its devices outlive it, and packets pass".into());
    }
    println!("gateway: nothing passes after its stop");
    Ok(())
}
