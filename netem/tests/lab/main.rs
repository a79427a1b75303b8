//! The lab for real: namespaces, devices, packets. A harness of our own, because the lab is entered by a fork that
//! allows one thread only. Each case runs in a lab of its own, as pid 1 of its own namespaces.
//!
//! Where namespaces are not permitted this fails, and says how to permit them; FARQUORUM_NO_LAB=1 skips it instead.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking; clippy knows tests by the standard harness only"
)]

mod gateway;
mod harness;
mod icmp;
mod kernel;
mod life;
mod network;
mod overrun;
mod priority;
mod streams;

use std::process::ExitCode;

use farquorum_netem::lab::{DeviceKind, probe};
use harness::{Case, User};

const CASES: &[Case] = &[
    Case { name: "rtt_is_as_configured", run: || harness::inside(User::Caller, || network::rtt(None)) },
    Case {
        name: "rtt_is_as_configured_over_veth",
        run: || harness::inside(User::Caller, || network::rtt(Some(DeviceKind::Packet))),
    },
    Case {
        name: "rtt_is_as_configured_without_root",
        run: || harness::inside(User::Nobody, || network::rtt(None)),
    },
    Case {
        name: "both_protocols_take_the_link",
        run: || harness::inside(User::Caller, || icmp::echoes(None)),
    },
    Case {
        name: "both_protocols_take_the_link_over_veth",
        run: || harness::inside(User::Caller, || icmp::echoes(Some(DeviceKind::Packet))),
    },
    Case {
        name: "traceroute_shows_the_gateway",
        run: || harness::inside(User::Caller, || icmp::traceroute(None)),
    },
    Case {
        name: "traceroute_shows_the_gateway_over_veth",
        run: || harness::inside(User::Caller, || icmp::traceroute(Some(DeviceKind::Packet))),
    },
    Case { name: "nobody_is_unreachable", run: || harness::inside(User::Caller, icmp::unreachable) },
    Case { name: "path_mtu_is_right", run: || harness::inside(User::Caller, || icmp::path_mtu(None)) },
    Case {
        name: "path_mtu_is_right_over_veth",
        run: || harness::inside(User::Caller, || icmp::path_mtu(Some(DeviceKind::Packet))),
    },
    Case { name: "no_direct_route", run: || harness::inside(User::Caller, network::no_direct_route) },
    Case { name: "a_second_way_is_refused", run: || harness::inside(User::Caller, network::second_way) },
    Case {
        name: "a_second_way_over_ipv6_is_refused",
        run: || harness::inside(User::Caller, network::second_way_ipv6),
    },
    Case { name: "cuts_have_one_direction", run: || harness::inside(User::Caller, network::cuts) },
    Case {
        name: "a_change_lets_no_packet_pass_early",
        run: || harness::inside(User::Caller, || streams::live_change(false)),
    },
    Case {
        name: "a_change_lets_no_packet_of_ipv6_pass_early",
        run: || harness::inside(User::Caller, || streams::live_change(true)),
    },
    Case {
        name: "a_cut_holds_from_its_return_on",
        run: || harness::inside(User::Caller, || streams::live_cuts(false)),
    },
    Case {
        name: "a_cut_holds_from_its_return_on_for_ipv6",
        run: || harness::inside(User::Caller, || streams::live_cuts(true)),
    },
    Case {
        name: "the_thread_is_scheduled_as_reported",
        run: || harness::inside(User::Caller, || priority::as_reported(priority::Right::AsItIs)),
    },
    Case {
        name: "the_thread_is_scheduled_as_reported_without_a_right",
        run: || harness::inside(User::Nobody, || priority::as_reported(priority::Right::Taken)),
    },
    Case { name: "tcp_carries_bulk", run: || harness::inside(User::Caller, || streams::bulk(None)) },
    Case {
        name: "tcp_carries_bulk_over_veth",
        run: || harness::inside(User::Caller, || streams::bulk(Some(DeviceKind::Packet))),
    },
    Case {
        name: "what_an_overrun_device_drops_is_counted",
        run: || harness::inside(User::Caller, || overrun::counted(None)),
    },
    Case {
        name: "what_an_overrun_device_drops_is_counted_over_veth",
        run: || harness::inside(User::Caller, || overrun::counted(Some(DeviceKind::Packet))),
    },
    Case {
        name: "a_removed_device_harms_nobody",
        run: || harness::inside(User::Caller, || streams::removed_device(None)),
    },
    Case {
        name: "a_removed_device_harms_nobody_over_veth",
        run: || harness::inside(User::Caller, || streams::removed_device(Some(DeviceKind::Packet))),
    },
    Case {
        name: "rough_links_pass_the_self_test",
        run: || harness::inside(User::Caller, network::rough_links),
    },
    Case {
        name: "the_kernel_backend_works_or_says_why_not",
        run: || harness::inside(User::Caller, kernel::works_or_says_why_not),
    },
    Case {
        name: "the_kernel_backend_works_or_says_why_not_without_root",
        run: || harness::inside(User::Nobody, kernel::works_or_says_why_not),
    },
    Case {
        name: "a_gateway_shapes_or_passes_nothing",
        run: || harness::inside(User::Caller, gateway::shaped_or_nothing),
    },
    Case { name: "unknown_names_are_refused", run: || harness::inside(User::Caller, network::unknown_names) },
    Case { name: "kill_leaves_nothing", run: life::kill_leaves_nothing },
    Case { name: "the_host_reaches_the_lab", run: life::forwarder },
    Case { name: "threads_are_refused", run: life::threads_are_refused },
    Case { name: "no_permission_names_three_ways_out", run: life::no_permission },
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if std::env::args().nth(1).as_deref() == Some(life::PROBE_ONLY) {
        return life::probe_only();
    }
    if std::env::var_os("FARQUORUM_NO_LAB").is_some_and(|value| value == "1") {
        println!("FARQUORUM_NO_LAB=1: the lab is not tested");
        return ExitCode::SUCCESS;
    }
    if let Err(error) = probe() {
        eprintln!("{error}\nFARQUORUM_NO_LAB=1 skips these tests");
        return ExitCode::FAILURE;
    }
    let mut failed = 0;
    for case in
        CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|word| case.name.contains(word)))
    {
        let result = (case.run)();
        println!("test {} ... {}", case.name, if result.is_ok() { "ok" } else { "FAILED" });
        if let Err(error) = result {
            println!("    {error}");
            failed += 1;
        }
    }
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
