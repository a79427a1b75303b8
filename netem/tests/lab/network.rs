//! What single packets see (SIM-1, SIM-2, SIM-4, SIM-5).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use farquorum_config::{Gilbert, Jitter, LinkShape, Loss, Spread};
use farquorum_netem::clock;
use farquorum_netem::lab::{DeviceKind, HostSpec, Lab, in_netns};
use farquorum_netem::ping::{PingOptions, ping};
use farquorum_netem::selftest;

use crate::harness::{lab, wait_until};

/// SIM-2, SIM-4: the self-test passes, and our ping agrees: max(0.3 ms, 1 %) across, below 1 ms in a cloud.
pub(crate) fn rtt(kind: Option<DeviceKind>) {
    let lab = lab(kind);
    let start_ns = clock::now_ns();
    let report = selftest::run(&lab).expect("a self-test");
    println!(
        "    self-tests in {} ms, floor {:.0} us",
        (clock::now_ns() - start_ns) / 1_000_000,
        report.floor_us
    );
    for pair in &report.pairs {
        println!(
            "    {} -> {}: {} ms, measured {:?}, IPv6 {:?}",
            pair.from, pair.to, pair.configured_ms, pair.measured_ms, pair.ipv6_ms
        );
    }
    println!("    {:?}", lab.control().lateness().expect("a WAN"));
    assert!(report.passed(), "{:?}", report.problems());
    assert_eq!(report.pairs.len(), 6);
    assert!(report.pairs.iter().all(|pair| pair.ipv6_ms.is_some()), "IPv6 is not tested");
    let expected = [("aws-11", "gcp-12", 50.0), ("aws-12", "azure-12", 75.0), ("azure-12", "gcp-12", 60.0)];
    for (from, to, configured_ms) in expected {
        let allowed_ms = (configured_ms * 0.01_f64).max(0.3);
        let tries = (0..10).map(|_| median_ping_ms(&lab, from, to) - configured_ms);
        let error_ms =
            tries.take_while(|error_ms| *error_ms >= -allowed_ms).find(|error_ms| *error_ms <= allowed_ms);
        println!("    ping {from} -> {to}: {configured_ms} ms, error {error_ms:?} ms");
        assert!(error_ms.is_some(), "{from} -> {to}: never within {allowed_ms} ms, or early");
    }
    let inside_ms = median_ping_ms(&lab, "aws-11", "aws-12");
    println!("    ping inside a cloud: {inside_ms:.3} ms; {:?}", lab.control().lateness().expect("a WAN"));
    assert!(inside_ms < 1.0, "{inside_ms} ms");
    lab.stop();
}

/// Jitter, loss and a rate widen the self-test's tolerance; a cut link is expected to be silent.
pub(crate) fn rough_links() {
    let lab = lab(None);
    let wan = lab.control();
    let rough = LinkShape {
        delay_ms: 20.0,
        jitter: Some(Jitter::normal(3.0)),
        loss: Loss::Independent(0.1),
        rate_mbit: Some(20.0),
        ..LinkShape::default()
    };
    for (from, to) in [("aws", "gcp"), ("gcp", "aws"), ("azure", "gcp")] {
        wan.set_link(from, to, rough.clone()).expect("a change");
    }
    let bursts = Gilbert { enter: 0.02, leave: 0.5, lost_in_bad: 1.0, lost_in_good: 0.0 };
    let uneven = LinkShape {
        delay_ms: 20.0,
        jitter: Some(Jitter::new(Spread::Uniform { half_width_ms: 2.0 })),
        loss: Loss::Gilbert(bursts),
        ..LinkShape::default()
    };
    wan.set_link("gcp", "azure", uneven).expect("a change");
    wan.cut("aws", "azure").expect("a cut");
    let report = selftest::run(&lab).expect("a self-test");
    assert!(report.passed(), "{:?}", report.problems());
    let notes: Vec<_> = report.pairs.iter().filter_map(|pair| pair.note.as_deref()).collect();
    assert_eq!(notes, ["cut", "cut"], "a silent pair passes without a word");
    let silent = report.pairs.iter().filter(|pair| pair.measured_ms.is_none());
    assert_eq!(
        silent.map(|pair| (pair.from.as_str(), pair.to.as_str())).collect::<Vec<_>>(),
        [("aws", "azure"), ("azure", "aws")]
    );
    lab.stop();
}

/// SIM-1: a host has its loopback and the WAN, and no route but into the WAN; without the WAN, clouds are apart.
pub(crate) fn no_direct_route() {
    let lab = lab(None);
    for host in &lab.spec().hosts {
        let mut command = Command::new("cat");
        command.args(["/proc/net/route", "/proc/net/dev", "/proc/net/ipv6_route"]);
        lab.place(&host.name, &mut command).expect("a host");
        let output = String::from_utf8(command.output().expect("cat").stdout).expect("text");
        let routes: Vec<_> = output.lines().filter(|line| line.contains("\t00000000\t")).collect();
        assert_eq!(routes.len(), 1, "{output}");
        assert!(routes[0].starts_with("wan0\t00000000\t00000000\t"), "{output}");
        // IPv6, apart from multicast (which nobody hears): the default route, the host itself.
        let routes: Vec<_> =
            output.lines().filter(|line| line.ends_with("wan0") && !line.starts_with("ff")).collect();
        let default = |line: &&&str| line.starts_with(&"0".repeat(32));
        let own = |line: &&&str| line.starts_with("fd00");
        assert_eq!(routes.iter().filter(default).count(), 1, "{output}");
        assert_eq!(routes.iter().filter(own).count() + 1, routes.len(), "{output}");
        let devices: Vec<_> =
            output.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
        assert!(devices.contains(&"wan0") && devices.contains(&"lo"), "{output}");
    }
    let (address, netns) =
        (address(&lab, "gcp-11"), lab.netns("aws-11").expect("a host").try_clone_to_owned());
    let netns = netns.expect("a descriptor");
    assert!(passes(&lab, "aws-11", "gcp-11"));
    lab.stop();
    let options = PingOptions { count: 1, timeout: Duration::from_millis(300), ..PingOptions::default() };
    let pinging = in_netns(std::os::fd::AsFd::as_fd(&netns), move || ping(address, options, |_, _| {}));
    let result = pinging.expect("a thread").join().expect("no panic").expect("a namespace");
    assert!(result.as_ref().map_or(true, |rtts| rtts == &[None]), "an answer without the WAN: {result:?}");
}

/// SIM-4: a cable past the WAN is found, both by the interface and by its time.
pub(crate) fn second_way() {
    let lab = lab(None);
    lab.breach("aws-11", "gcp-11").expect("a cable");
    let report = selftest::run(&lab).expect("a self-test");
    assert!(!report.passed());
    let problems = report.problems().join("\n");
    println!("    {}", problems.replace('\n', "\n    "));
    for part in ["aws-11", "breach0", "breach1", "aws -> gcp: ", "gcp -> aws: ", "not shaped"] {
        assert!(problems.contains(part), "`{part}` is not in:\n{problems}");
    }
    lab.stop();
}

/// SIM-4: the same for a cable that carries IPv6 alone.
pub(crate) fn second_way_ipv6() {
    let lab = lab(None);
    lab.breach_ipv6("aws-11", "gcp-11").expect("a cable");
    let problems = selftest::run(&lab).expect("a self-test").problems().join("\n");
    println!("    {}", problems.replace('\n', "\n    "));
    for part in ["breach0", "aws -> gcp: IPv6: ", "gcp -> aws: IPv6: ", "not shaped"] {
        assert!(problems.contains(part), "`{part}` is not in:\n{problems}");
    }
    lab.stop();
}

/// SIM-5: cut, heal, isolate, for clouds and hosts, each direction by itself.
pub(crate) fn cuts() {
    let lab = lab(None);
    let wan = lab.control();
    let check = |expected: [(&str, &str, bool); 4]| {
        for (from, to, open) in expected {
            assert_eq!(passes(&lab, from, to), open, "{from} -> {to}");
        }
    };
    let (a, a2, g, z) = ("aws-11", "aws-12", "gcp-11", "azure-11");
    wan.cut("aws", "gcp").expect("a cut");
    check([(a, g, false), (g, a, true), (a, z, true), (a2, g, false)]);
    wan.heal("aws", "gcp").expect("healing");
    wan.cut(a, "gcp").expect("a cut");
    check([(a, g, false), (g, a, true), (a2, g, true), (a, z, true)]);
    wan.heal("aws", "gcp").expect("healing");
    wan.isolate("azure").expect("isolation");
    check([(a, z, false), (z, a, false), (z, "azure-12", true), (a, g, true)]);
    wan.rejoin("azure").expect("rejoining");
    wan.isolate(a).expect("isolation");
    check([(a, z, false), (a2, a, false), (a2, z, true), (z, a, false)]);
    let cut_pairs: u64 = wan.links().expect("a WAN").iter().map(|link| link.cut_host_pairs).sum();
    assert_eq!(cut_pairs, 10);
    wan.heal_all().expect("healing");
    check([(a, z, true), (a2, a, true), (g, a, true), (z, a, true)]);
    lab.stop();
}

/// Names and values that are not there are refused, with what is allowed.
pub(crate) fn unknown_names() {
    let lab = lab(None);
    let wan = lab.control();
    let shape = |share| LinkShape { loss: Loss::Independent(share), ..LinkShape::default() };
    let errors = [
        (wan.set_link("aws", "aliyun", shape(0.0)), "no cloud `aliyun` in the lab; known: aws, azure, gcp"),
        (wan.set_link("aws-11", "gcp", shape(0.0)), "no cloud `aws-11`"),
        (wan.set_link("aws", "gcp", shape(2.0)), "loss = 2.0: must be a share from 0 to 1"),
        (
            wan.cut("aws", "gpc"),
            "no cloud or host `gpc` in the lab; did you mean gcp? Known: aws, azure, gcp, ",
        ),
        (wan.isolate("aws-113"), "no cloud or host `aws-113` in the lab; did you mean aws-11? Known: "),
    ];
    for (result, part) in errors {
        let text = result.expect_err("an error").to_string();
        assert!(text.contains(part), "{text}");
    }
    let error = lab.place("nowhere", &mut Command::new("true")).expect_err("an error").to_string();
    assert!(error.contains("no host `nowhere`") && error.contains("azure-12"), "{error}");
    lab.stop();
    assert_eq!(wan.links().expect_err("an error").to_string(), "the emulated WAN has stopped");
}

pub(crate) fn address(lab: &Lab, host: &str) -> Ipv4Addr {
    self::host(lab, host).address
}

pub(crate) fn host<'a>(lab: &'a Lab, name: &str) -> &'a HostSpec {
    lab.spec().hosts.iter().find(|host| host.name == name).expect("a host")
}

pub(crate) fn socket(lab: &Lab, host: &str) -> UdpSocket {
    let address = SocketAddr::from((address(lab, host), 0));
    let making =
        in_netns(lab.netns(host).expect("a host"), move || UdpSocket::bind(address)).expect("a thread");
    making.join().expect("no panic").expect("a namespace").expect("a socket")
}

fn median_ping_ms(lab: &Lab, from: &str, to: &str) -> f64 {
    let address = address(lab, to);
    let options = PingOptions { count: 21, interval: Duration::from_millis(2), ..PingOptions::default() };
    let pinging = in_netns(lab.netns(from).expect("a host"), move || ping(address, options, |_, _| {}));
    let rtts =
        pinging.expect("a thread").join().expect("no panic").expect("a namespace").expect("an echo socket");
    let mut rtts: Vec<_> = rtts.into_iter().map(|rtt| rtt.expect("an answer")).collect();
    rtts.sort();
    rtts[rtts.len() / 2].as_secs_f64() * 1e3
}

/// Sends one packet and sees what became of it: true delivered (and received), false cut.
pub(crate) fn passes(lab: &Lab, from: &str, to: &str) -> bool {
    let counts = || {
        let links = lab.control().links().expect("a WAN");
        let cut: u64 = links.iter().map(|link| link.counters.cut).sum();
        (links.iter().map(|link| link.counters.delivered).sum::<u64>() + cut, cut)
    };
    let (sender, receiver) = (socket(lab, from), socket(lab, to));
    receiver.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let before = counts();
    sender.send_to(b"?", receiver.local_addr().expect("an address")).expect("a packet sent");
    assert!(wait_until(Duration::from_secs(2), || counts().0 > before.0), "the packet is nowhere");
    let delivered = counts().1 == before.1;
    if delivered {
        receiver.recv(&mut [0]).expect("a delivered packet is received");
    }
    delivered
}
