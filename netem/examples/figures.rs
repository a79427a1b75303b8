//! The figures of the user-space WAN, as a table: measured, at least, goal.
//! `cargo run -p farquorum-netem --example figures`. What else runs on the machine is printed with them: a busy machine
//! makes every figure worse.

use std::error::Error;
use std::time::Duration;

use farquorum_netem::bench::{Load, bulk_mbit, changes_us, lab_start, packet_rate, rtt_errors};
use farquorum_netem::clock;
use farquorum_netem::lab::{Entered, enter, probe};

const RTTS_MS: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
const ECHOES: u16 = 51;
const BULK: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let start_ns = clock::now_ns();
    let privilege = probe()?;
    if let Entered::Parent { child } = enter(&privilege)? {
        nix::sys::wait::waitpid(child, None)?;
        return Ok(());
    }
    let entering = Duration::from_nanos(clock::now_ns() - start_ns);
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("{} cores; load average before: {}", std::thread::available_parallelism()?, load.trim());
    row("what", "measured", "at least", "goal");
    row("---", "---", "---", "---");
    exactness()?;
    let backend = throughput()?;
    control(entering)?;
    println!("\n{backend}");
    Ok(())
}

fn row(what: &str, measured: &str, least: &str, goal: &str) {
    println!("| {what} | {measured} | {least} | {goal} |");
}

fn exactness() -> Result<(), Box<dyn Error>> {
    let quiet = rtt_errors(&RTTS_MS, ECHOES)?;
    let loaded = {
        let _load = Load::start();
        rtt_errors(&RTTS_MS, ECHOES)?
    };
    let both = [(&quiet, "quiet", "0.3 ms or 1 %", "0.1 ms"), (&loaded, "one core loaded", "1 ms", "0.3 ms")];
    for (figures, when, least, goal) in both {
        row(&format!("p50 of an RTT with no delay, {when}"), &format!("{:.3} ms", figures.floor_ms), "", "");
        for rtt in &figures.rtts {
            let what = format!("p50 error of an RTT of {} ms, {when}", rtt.configured_ms);
            row(&what, &format!("{:+.3} ms", rtt.error_ms), least, goal);
        }
    }
    row("p99 lateness, quiet", &ms(quiet.lateness.p99_us), "3 ms", "0.5 ms");
    row("p99 lateness, one core loaded", &ms(loaded.lateness.p99_us), "", "");
    Ok(())
}

/// Returns which devices the lab has, and how the WAN's thread is scheduled.
fn throughput() -> Result<String, Box<dyn Error>> {
    let rate = packet_rate()?;
    row("packets/s, one core", &format!("{:.0}", rate.packets_per_core_second), "50,000", "100,000");
    row("packets/s, while the sender takes its share", &format!("{:.0}", rate.packets_per_second), "", "");
    let bulk = format!("{:.2} Gb/s", bulk_mbit(BULK)? / 1e3);
    row("bulk TCP, no delay, MTU 1500", &bulk, "0.35 Gb/s", "0.75 Gb/s");
    Ok(rate.backend)
}

fn control(entering: Duration) -> Result<(), Box<dyn Error>> {
    let start = entering + lab_start()?;
    row("start of the bare lab, 9 hosts", &format!("{:.3} s", start.as_secs_f64()), "1.5 s", "0.5 s");
    let changes = changes_us(200)?;
    let median = changes.get(changes.len() / 2).copied().unwrap_or_default();
    row("change of a link, p50", &ms(median), "10 ms", "2 ms");
    row(
        "change of a link, the slowest of 200",
        &ms(changes.last().copied().unwrap_or_default()),
        "10 ms",
        "2 ms",
    );
    Ok(())
}

fn ms(us: f64) -> String {
    format!("{:.3} ms", us / 1e3)
}
