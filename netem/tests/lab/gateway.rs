//! The gateway of containers between networks that the test makes: shaped, or nothing (SIM-7).

use std::time::Duration;

use farquorum_config::{Config, Sources, load};
use farquorum_netem::gateway::LinkAddresses;
use farquorum_netem::gateway::trial::Trial;

/// The built-in configuration with the backend in user space.
fn config(overrides: &[(&str, &str)]) -> Config {
    let all = [("lab.backend", "user")].iter().chain(overrides);
    let overrides = all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    load(&Sources { overrides, ..Sources::default() }).expect("a configuration").config
}

const PAIRS: [(&str, &str, f64); 3] = [("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("azure", "gcp", 60.0)];

fn median_ms(answers: &[Option<Duration>]) -> Option<f64> {
    let mut answered: Vec<f64> = answers.iter().flatten().map(|rtt| rtt.as_secs_f64() * 1e3).collect();
    answered.sort_by(f64::total_cmp);
    answered.get(answered.len() / 2).copied()
}

fn shaped(trial: &Trial) {
    for (from, to, configured) in PAIRS {
        // No answer is ever too fast; a machine that is busy may need a second look for the median.
        let near = (0..10).any(|_| {
            let answers = trial.ping(from, to, 9).expect("a ping");
            let fastest = answers.iter().flatten().min().map(|rtt| rtt.as_secs_f64() * 1e3);
            assert!(fastest.is_none_or(|ms| ms >= configured - 0.3), "{from} -> {to}: {fastest:?} ms");
            println!("    {from} -> {to}: {:?} ms", median_ms(&answers));
            median_ms(&answers).is_some_and(|ms| ms <= configured + 1.0)
        });
        assert!(near, "{from} -> {to} is not at {configured} ms");
    }
}

/// With the shaper everything is at its distance; without it nothing passes; and it starts again in the same network, where
/// the hosts hear of its new link addresses at once.
pub(crate) fn shaped_or_nothing() {
    let config = config(&[]);
    let mut trial = Trial::start(&config, LinkAddresses::Own).expect("a gateway");
    println!("    {}", trial.backend());
    shaped(&trial);
    trial.stop_gateway();
    for (from, to, _) in PAIRS {
        let answers = trial.ping(from, to, 3);
        // A router that says "unreachable" is as good as silence.
        assert!(
            answers.as_ref().map_or(true, |answers| median_ms(answers).is_none()),
            "{from} -> {to}: {answers:?}"
        );
    }
    trial.start_gateway(&config, LinkAddresses::Own).expect("a gateway again");
    shaped(&trial);
}
