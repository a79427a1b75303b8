//! A bare lab of three clouds: enters, pings every pair, prints the median round-trip time and the counters.
//! `cargo run -p farquorum-netem --example bare_lab [packet]`: with `packet`, veth pairs stand in for TUN devices.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use farquorum_config::{Ipv4Net, Link, LinkShape};
use farquorum_netem::lab::{DeviceKind, Entered, HostSpec, Lab, LabSpec, enter, in_netns, probe};
use farquorum_netem::ping::{PingOptions, ping};

fn main() -> Result<(), Box<dyn Error>> {
    match enter(&probe()?)? {
        Entered::Parent { child } => {
            println!("{:?}", nix::sys::wait::waitpid(child, None)?);
            Ok(())
        }
        Entered::Supervisor => show(),
    }
}

fn show() -> Result<(), Box<dyn Error>> {
    let (mut kind, mut why) = DeviceKind::choose();
    if std::env::args().nth(1).as_deref() == Some("packet") {
        (kind, why) = (DeviceKind::Packet, "asked for".to_string());
    }
    let lab = Lab::start_with(spec(), kind, &why)?;
    println!("{}", lab.backend());
    let options = PingOptions { count: 9, interval: Duration::from_millis(5), ..PingOptions::default() };
    for from in &lab.spec().hosts {
        for to in lab.spec().hosts.iter().filter(|to| to.name != from.name) {
            let address = to.address;
            let thread = in_netns(lab.netns_of(&from.name)?, move || ping(address, options, |_, _| {}))?;
            let mut rtts = thread.join().map_err(|_| "the pinging thread panicked")???;
            rtts.sort();
            println!("{} -> {}: {:?}", from.name, to.name, rtts.get(rtts.len() / 2));
        }
    }
    println!("{:?}", lab.control().lateness()?);
    for link in lab.control().links()? {
        println!("{} -> {}: {:?}", link.from, link.to, link.counters);
    }
    lab.stop();
    Ok(())
}

fn spec() -> LabSpec {
    let clouds = [("aws", 10), ("gcp", 20), ("azure", 30)];
    let rtts = [("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)];
    let link = |from: &str, to: &str, rtt_ms: f64| Link {
        from: from.to_string(),
        to: to.to_string(),
        shape: LinkShape { delay_ms: rtt_ms / 2.0, ..LinkShape::default() },
    };
    let host = |cloud: &str, net, last| HostSpec {
        name: format!("{cloud}-{last}"),
        cloud: cloud.to_string(),
        address: Ipv4Addr::new(10, net, 0, last),
    };
    LabSpec {
        hosts: clouds
            .iter()
            .flat_map(|(cloud, net)| [host(cloud, *net, 11), host(cloud, *net, 12)])
            .collect(),
        clouds: clouds
            .iter()
            .map(|(cloud, net)| (cloud.to_string(), Ipv4Net { base: Ipv4Addr::new(10, *net, 0, 0), len: 24 }))
            .collect::<BTreeMap<_, _>>(),
        links: rtts.iter().flat_map(|(a, b, rtt)| [link(a, b, *rtt), link(b, a, *rtt)]).collect(),
        local: LinkShape::default(),
        mtu: 1500,
        seed: 1,
    }
}
