//! `farquorum sim link`: changes a directed link while it runs. The flags are the keys of the configuration.

use std::process::ExitCode;

use clap::Args;
use farquorum_config::{GilbertKeys, ShapeKeys};
use serde::Serialize;

use super::folder::Folder;
use super::protocol::{Request, Response};
use super::socket::ask;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show};

/// `sim link`
// A negative value is told what is allowed, as in the file; clap would take it for a flag.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct LinkArgs {
    /// Cloud that sends
    from: String,
    /// Cloud that receives
    to: String,
    #[command(flatten)]
    change: ChangeArgs,
    /// Change the way back as well
    #[arg(long)]
    both: bool,
}

/// New values for keys of a link; what is not named stays.
#[derive(Debug, Args)]
struct ChangeArgs {
    /// One-way delay
    #[arg(long, value_name = "MS")]
    delay_ms: Option<f64>,
    /// How much the delay varies; 0 for no jitter
    #[arg(long, value_name = "MS")]
    jitter_ms: Option<f64>,
    /// How jitter is distributed: normal (jitter is the standard deviation) or uniform (half the width)
    #[arg(long, value_name = "NAME")]
    jitter_distribution: Option<String>,
    /// Measured jitter: what is added to the delay at equally spaced shares from 0 to 1, as 0,0.2,5
    #[arg(long, value_name = "MS,MS,...", value_delimiter = ',')]
    jitter_quantiles_ms: Option<Vec<f64>>,
    /// How long jitter is remembered; new jitter without it remembers for ten times its size
    #[arg(long, value_name = "MS")]
    jitter_memory_ms: Option<f64>,
    /// Share of packets lost, 0 to 1
    #[arg(long, value_name = "SHARE")]
    loss: Option<f64>,
    /// Loss in bursts: chance to enter and to leave a bad time, shares lost in it (1) and outside it (0)
    #[arg(long, value_name = "ENTER,LEAVE[,BAD[,GOOD]]", value_delimiter = ',', num_args = 1)]
    loss_gilbert: Option<Vec<f64>>,
    /// Rate; 0 for unlimited
    #[arg(long, value_name = "MBIT/S")]
    rate_mbit: Option<f64>,
    /// Bytes that may wait for the rate
    #[arg(long, value_name = "BYTES")]
    queue_bytes: Option<u64>,
    /// What the queue drops: tail (what finds it full) or codel (also what waits too long)
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Wait that CoDel accepts for good
    #[arg(long, value_name = "MS")]
    codel_target_ms: Option<f64>,
    /// How long the wait may be above the target before CoDel drops
    #[arg(long, value_name = "MS")]
    codel_interval_ms: Option<f64>,
    /// Share of packets that overtake, 0 to 1
    #[arg(long, value_name = "SHARE")]
    reorder: Option<f64>,
    /// Share of packets that arrive twice, 0 to 1
    #[arg(long, value_name = "SHARE")]
    duplicate: Option<f64>,
    /// Share of packets with one bit flipped, 0 to 1
    #[arg(long, value_name = "SHARE")]
    corrupt: Option<f64>,
}

impl ChangeArgs {
    fn keys(&self) -> Result<ShapeKeys, Failure> {
        let keys = ShapeKeys {
            delay_ms: self.delay_ms,
            jitter_ms: self.jitter_ms,
            jitter_distribution: self.jitter_distribution.clone(),
            jitter_quantiles_ms: self.jitter_quantiles_ms.clone(),
            jitter_memory_ms: self.jitter_memory_ms,
            loss: self.loss,
            loss_gilbert: self.loss_gilbert.as_deref().map(gilbert).transpose()?,
            rate_mbit: self.rate_mbit,
            queue_bytes: self.queue_bytes,
            queue: self.queue.clone(),
            codel_target_ms: self.codel_target_ms,
            codel_interval_ms: self.codel_interval_ms,
            reorder: self.reorder,
            duplicate: self.duplicate,
            corrupt: self.corrupt,
        };
        if keys == ShapeKeys::default() {
            return Err(Failure::usage("nothing to change")
                .hint("--delay-ms, --jitter-ms, --loss, --rate-mbit, ...: farquorum sim link --help"));
        }
        keys.check_change().map_err(|error| Failure::usage(error.to_string()))?;
        Ok(keys)
    }
}

fn gilbert(values: &[f64]) -> Result<GilbertKeys, Failure> {
    if !(2..=4).contains(&values.len()) {
        return Err(Failure::usage(format!(
            "--loss-gilbert has {} values; it takes ENTER,LEAVE[,LOST_IN_BAD[,LOST_IN_GOOD]]",
            values.len()
        )));
    }
    let value = |index: usize| values.get(index).copied();
    Ok(GilbertKeys { enter: value(0), leave: value(1), lost_in_bad: value(2), lost_in_good: value(3) })
}

/// Changes a link, and the way back on request.
pub(crate) fn run(global: &Global, folder: &Folder, args: &LinkArgs) -> Result<ExitCode, Failure> {
    let change = args.change.keys()?;
    let mut pairs = vec![(&args.from, &args.to)];
    if args.both {
        pairs.push((&args.to, &args.from));
    }
    let mut changed = Changed { links: Vec::new() };
    for (from, to) in pairs {
        let change = Box::new(change.clone());
        let request = Request::Link { from: from.clone(), to: to.clone(), change };
        if let Response::Done { took_us: Some(took_us) } = ask(&folder.socket()?, &request)? {
            changed.links.push(Link { from: from.clone(), to: to.clone(), took_us });
        }
    }
    output::print(global.output, &changed)?;
    Ok(ExitCode::SUCCESS)
}

/// The links that were changed.
#[derive(Serialize)]
struct Changed {
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    from: String,
    to: String,
    /// Until it was in force.
    took_us: u64,
}

impl Show for Changed {
    fn table(&self) -> String {
        let line = |link: &Link| format!("{} -> {}: in force after {} us", link.from, link.to, link.took_us);
        self.links.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        link: LinkArgs,
    }

    fn keys(flags: &str) -> Result<ShapeKeys, Failure> {
        let args = ["link", "aws", "gcp"].into_iter().chain(flags.split_whitespace());
        Command::try_parse_from(args).map_err(Failure::usage)?.link.change.keys()
    }

    /// The values that are named.
    fn named(flags: &str) -> Value {
        let mut keys = serde_json::to_value(keys(flags).unwrap()).unwrap();
        keys.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        keys
    }

    #[test]
    fn every_flag_is_the_key_of_its_name() {
        let one = "--delay-ms 1 --jitter-ms 2 --jitter-distribution uniform --jitter-memory-ms 3 --loss 0.4 --rate-mbit 5 \
                   --queue-bytes 60000 --queue codel --codel-target-ms 7 --codel-interval-ms 80 --reorder 0.09 \
                   --duplicate 0.1 --corrupt 0.11";
        let one_expected = json!({
            "delay_ms": 1.0, "jitter_ms": 2.0, "jitter_distribution": "uniform", "jitter_memory_ms": 3.0, "loss": 0.4,
            "rate_mbit": 5.0, "queue_bytes": 60_000, "queue": "codel", "codel_target_ms": 7.0, "codel_interval_ms": 80.0,
            "reorder": 0.09, "duplicate": 0.1, "corrupt": 0.11,
        });
        assert_eq!(named(one), one_expected);
        // Those that exclude one of the first.
        let other_expected = json!({
            "jitter_quantiles_ms": [0.0, 0.2, 5.0],
            "loss_gilbert": {"enter": 0.01, "leave": 0.2, "lost_in_bad": 0.9, "lost_in_good": 0.001},
        });
        assert_eq!(named("--jitter-quantiles-ms 0,0.2,5 --loss-gilbert 0.01,0.2,0.9,0.001"), other_expected);
        let all = serde_json::to_value(ShapeKeys::default()).unwrap();
        let known = |key: &String| one_expected.get(key).or_else(|| other_expected.get(key)).is_some();
        assert!(all.as_object().unwrap().keys().all(known), "a key has no flag: {all}");
    }

    #[test]
    fn what_is_out_of_range_is_told_what_is_allowed() {
        for (flags, says) in [
            ("--delay-ms -5", "delay_ms = -5.0: must be"),
            ("--loss 1.5", "loss = 1.5: must be"),
            ("--loss-gilbert 0.1", "--loss-gilbert has 1 values"),
            ("", "nothing to change"),
        ] {
            let failure = keys(flags).unwrap_err();
            assert!(failure.message().contains(says), "{flags}: {}", failure.message());
        }
    }
}
