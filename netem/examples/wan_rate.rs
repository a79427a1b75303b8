//! Packets per second through the user-space WAN: `cargo run -p farquorum-netem --example wan_rate`.

use std::error::Error;

use farquorum_netem::bench::packet_rate;
use farquorum_netem::lab::{Entered, enter, probe};

fn main() -> Result<(), Box<dyn Error>> {
    if let Entered::Parent { child } = enter(&probe()?)? {
        nix::sys::wait::waitpid(child, None)?;
        return Ok(());
    }
    let rate = packet_rate()?;
    println!("{}", rate.backend);
    println!(
        "{:.0} packets/s, {:.0} packets per second of CPU time",
        rate.packets_per_second, rate.packets_per_core_second
    );
    Ok(())
}
