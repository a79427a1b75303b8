//! The figures of the user-space WAN, as a table: measured, at least, goal. Ends with 1 when one is worse than its least
//! bound: `make figures`, or `cargo run -p farquorum-netem --example figures`. What else runs on the machine is printed
//! with them: a busy machine makes every figure worse.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use farquorum_netem::bench::{LabFigures, Load, bulk_mbit, changes_us, lab_start, packet_rate, rtt_errors};
use farquorum_netem::clock;
use farquorum_netem::lab::{Entered, enter, probe};
use nix::sys::wait::{WaitStatus, waitpid};

const RTTS_MS: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
const ECHOES: u16 = 51;
const BULK: Duration = Duration::from_secs(3);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let start_ns = clock::now_ns();
    let privilege = probe()?;
    if let Entered::Parent { child } = enter(&privilege)? {
        let within = waitpid(child, None)? == WaitStatus::Exited(child, 0);
        return Ok(ExitCode::from(u8::from(!within)));
    }
    let entering = Duration::from_nanos(clock::now_ns() - start_ns);
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("{} cores; load average before: {}", std::thread::available_parallelism()?, load.trim());
    println!("| what | measured | at least | goal |\n| --- | --- | --- | --- |");
    let mut table = Table::default();
    exactness(&mut table)?;
    let backend = throughput(&mut table)?;
    control(&mut table, entering)?;
    println!("\n{backend}");
    for what in &table.missed {
        eprintln!("worse than its least bound: {what}");
    }
    Ok(ExitCode::from(u8::from(!table.missed.is_empty())))
}

/// Prints rows, and keeps which figures are worse than they may be.
#[derive(Default)]
struct Table {
    missed: Vec<String>,
}

impl Table {
    /// A figure without a bound.
    fn row(&mut self, what: &str, measured: &str) {
        self.bounded(what, measured, true, ("", ""));
    }

    fn bounded(&mut self, what: &str, measured: &str, within: bool, (least, goal): (&str, &str)) {
        println!("| {what} | {measured} | {least} | {goal} |");
        if !within {
            self.missed.push(format!("{what}: {measured}, at least {least}"));
        }
    }
}

fn exactness(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let quiet = rtt_errors(&RTTS_MS, ECHOES)?;
    let loaded = {
        let _load = Load::start();
        rtt_errors(&RTTS_MS, ECHOES)?
    };
    errors(table, &quiet, "quiet", |rtt_ms| (rtt_ms * 0.01).max(0.3), ("0.3 ms or 1 %", "0.1 ms"));
    errors(table, &loaded, "one core loaded", |_| 1.0, ("1 ms", "0.3 ms"));
    let late_us = quiet.lateness.p99_us;
    table.bounded("p99 lateness, quiet", &ms(late_us), late_us <= 3_000.0, ("3 ms", "0.5 ms"));
    table.row("p99 lateness, one core loaded", &ms(loaded.lateness.p99_us));
    Ok(())
}

fn errors(
    table: &mut Table,
    figures: &LabFigures,
    when: &str,
    allowed_ms: fn(f64) -> f64,
    bounds: (&str, &str),
) {
    table.row(&format!("p50 of an RTT with no delay, {when}"), &format!("{:.3} ms", figures.floor_ms));
    for rtt in &figures.rtts {
        let what = format!("p50 error of an RTT of {} ms, {when}", rtt.configured_ms);
        let within = rtt.answered > 0 && rtt.error_ms.abs() <= allowed_ms(rtt.configured_ms);
        table.bounded(&what, &format!("{:+.3} ms", rtt.error_ms), within, bounds);
    }
}

/// Returns which devices the lab has, and how the WAN's thread is scheduled.
fn throughput(table: &mut Table) -> Result<String, Box<dyn Error>> {
    let rate = packet_rate()?;
    let packets = rate.packets_per_core_second;
    table.bounded(
        "packets per second of the WAN thread's CPU time",
        &format!("{packets:.0}"),
        packets >= 50_000.0,
        ("50,000", "100,000"),
    );
    table.row("packets/s, while the sender takes its share", &format!("{:.0}", rate.packets_per_second));
    let gbit = bulk_mbit(BULK)? / 1e3;
    let what = "bulk TCP, no delay, MTU 1500";
    table.bounded(what, &format!("{gbit:.2} Gb/s"), gbit >= 0.35, ("0.35 Gb/s", "0.75 Gb/s"));
    Ok(rate.backend)
}

fn control(table: &mut Table, entering: Duration) -> Result<(), Box<dyn Error>> {
    let start = (entering + lab_start()?).as_secs_f64();
    let what = "start of the bare lab, 9 hosts, with its self-test";
    table.bounded(what, &format!("{start:.3} s"), start <= 1.5, ("1.5 s", "0.5 s"));
    let changes = changes_us(200)?;
    let median = changes.get(changes.len() / 2).copied().unwrap_or_default();
    let slowest = changes.last().copied().unwrap_or_default();
    for (what, us) in [("change of a link, p50", median), ("change of a link, the slowest of 200", slowest)] {
        table.bounded(what, &ms(us), us <= 10_000.0, ("10 ms", "2 ms"));
    }
    Ok(())
}

fn ms(us: f64) -> String {
    format!("{:.3} ms", us / 1e3)
}
