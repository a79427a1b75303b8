//! What a host sees of the network's edges: the gateway's answers, path MTU, echoes in both protocols.

use std::io::{Error, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use farquorum_netem::lab::{DeviceKind, HostSpec, Lab, gateway, in_netns, ipv6_of};
use farquorum_netem::ping::{PingOptions, ping};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

use crate::harness::{lab, wait_until};
use crate::network::host;

const PATIENCE: Duration = Duration::from_secs(5);

/// Both protocols take the same link: an echo takes the configured time, or a packet went another way.
pub(crate) fn echoes(kind: Option<DeviceKind>) {
    let lab = lab(kind);
    let options = PingOptions { count: 5, interval: Duration::from_millis(5), ..PingOptions::default() };
    for (from, to, least_ms) in
        [("aws-11", "gcp-12", 50.0), ("azure-12", "aws-11", 75.0), ("gcp-11", "gcp-12", 0.0)]
    {
        for address in addresses(host(&lab, to)) {
            let pinging =
                in_netns(lab.netns_of(from).expect("a host"), move || ping(address, options, |_, _| {}));
            let rtts = pinging.expect("a thread").join().expect("no panic").expect("a namespace");
            let rtts: Vec<_> =
                rtts.expect("an echo socket").into_iter().map(|rtt| rtt.expect("an answer")).collect();
            println!("    {from} -> {address}: {rtts:?}");
            assert!(
                rtts.iter().all(|rtt| rtt.as_secs_f64() * 1e3 >= least_ms),
                "{from} -> {address}: too early"
            );
        }
    }
    lab.stop();
}

/// The first hop of a traceroute is the gateway of the sender's cloud; with one hop more the packet arrives.
pub(crate) fn traceroute(kind: Option<DeviceKind>) {
    let lab = lab(kind);
    let (from, to) = (host(&lab, "gcp-11"), host(&lab, "azure-12"));
    for (index, target) in addresses(to).into_iter().enumerate() {
        let (sender, receiver) =
            (socket(&lab, addresses(from)[index], "gcp-11"), socket(&lab, target, "azure-12"));
        let target = receiver.local_addr().expect("an address");
        set_hops(&sender, 1);
        sender.send_to(b"?", target).expect("a packet sent");
        // Time exceeded.
        let message = [(11, 0), (3, 0)][index];
        assert_eq!(told(&sender), (gateways(&lab, "gcp")[index], message));
        set_hops(&sender, 2);
        sender.send_to(b"!", target).expect("a packet sent");
        receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut byte = [0];
        receiver.recv(&mut byte).expect("the second packet");
        assert_eq!(&byte, b"!");
    }
    assert_eq!(lab.control().strays().expect("a WAN").expired, 2);
    lab.stop();
}

/// A packet to an address that nobody has is answered by the gateway; one over a cut link is not.
pub(crate) fn unreachable() {
    let lab = lab(None);
    let from = host(&lab, "aws-11");
    let nobody = "10.20.0.99".parse().expect("an address");
    for (index, nobody) in [IpAddr::from(nobody), ipv6_of(nobody).into()].into_iter().enumerate() {
        let sender = socket(&lab, addresses(from)[index], "aws-11");
        set_hops(&sender, 64);
        sender.send_to(b"?", SocketAddr::new(nobody, 9)).expect("a packet sent");
        // Destination unreachable: host, address.
        let message = [(3, 1), (1, 3)][index];
        assert_eq!(told(&sender), (gateways(&lab, "aws")[index], message));
    }
    let before = lab.control().strays().expect("a WAN");
    assert_eq!((before.unreachable, before.answered), (2, 2));
    lab.control().cut("aws", "gcp").expect("a cut");
    assert!(!crate::network::passes(&lab, "aws-11", "gcp-11"));
    assert_eq!(lab.control().strays().expect("a WAN").answered, 2, "a cut link is silent");
    lab.stop();
}

/// The MTU of the path is the MTU of every device: what fits passes whole, what does not is refused by the host
/// itself. A host with a larger MTU is told the right one, and keeps to it.
pub(crate) fn path_mtu(kind: Option<DeviceKind>) {
    let lab = lab(kind);
    for whole in [true, false] {
        if !whole {
            lab.resize("aws-11", 2_000).expect("another MTU");
        }
        for (index, target) in addresses(host(&lab, "gcp-11")).into_iter().enumerate() {
            let header = [28, 48][index];
            let receiver = socket(&lab, target, "gcp-11");
            receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let sender = socket(&lab, addresses(host(&lab, "aws-11"))[index], "aws-11");
            do_not_fragment(&sender);
            sender.connect(receiver.local_addr().expect("an address")).expect("a route");
            let too_long = vec![0; 1_501 - header];
            let refused = || {
                let error = sender.send(&too_long).err().and_then(|error| error.raw_os_error());
                error == Some(Errno::EMSGSIZE as i32)
            };
            if whole {
                assert!(refused(), "the host itself refuses");
            } else {
                assert!(wait_until(PATIENCE, refused), "the gateway's message has no effect");
            }
            // An error of an earlier packet may wait to be told.
            assert!(wait_until(PATIENCE, || sender.send(&too_long[1..]).is_ok()), "a packet that fits");
            let mut buffer = [0; 2_000];
            assert_eq!(receiver.recv(&mut buffer).expect("a packet"), 1_500 - header);
        }
        let too_big = lab.control().strays().expect("a WAN").too_big;
        assert_eq!(too_big > 0, !whole, "{too_big} packets were longer than the MTU");
    }
    lab.stop();
}

/// Both addresses of a cloud's gateway.
fn gateways(lab: &Lab, cloud: &str) -> [IpAddr; 2] {
    let address = gateway(lab.spec().clouds[cloud]);
    [address.into(), ipv6_of(address).into()]
}

/// Both addresses of a host.
pub(crate) fn addresses(host: &HostSpec) -> [IpAddr; 2] {
    [host.address.into(), host.ipv6().into()]
}

pub(crate) fn socket(lab: &Lab, address: IpAddr, host: &str) -> UdpSocket {
    let making = in_netns(lab.netns(host).expect("a host"), move || UdpSocket::bind((address, 0)));
    making.expect("a thread").join().expect("no panic").expect("a namespace").expect("a socket")
}

fn set_hops(socket: &UdpSocket, hops: i32) {
    if socket.local_addr().expect("an address").is_ipv4() {
        setsockopt(socket, sockopt::Ipv4Ttl, &hops).expect("a TTL");
        setsockopt(socket, sockopt::Ipv4RecvErr, &true).expect("errors");
    } else {
        setsockopt(socket, sockopt::Ipv6Ttl, &hops).expect("a hop limit");
        setsockopt(socket, sockopt::Ipv6RecvErr, &true).expect("errors");
    }
}

/// The ICMP error that waits at a socket: its sender, type and code.
fn told(socket: &UdpSocket) -> (IpAddr, (u8, u8)) {
    let mut found = None;
    let told = wait_until(PATIENCE, || {
        let mut space = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let (mut buffer, flags) = ([0; 2_000], MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let message =
            recvmsg::<SockaddrStorage>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut space), flags);
        let Ok(message) = message else { return false };
        found = message.cmsgs().expect("whole messages").find_map(|one| match one {
            ControlMessageOwned::Ipv4RecvErr(error, Some(from)) => {
                let from = IpAddr::from(u32::from_be(from.sin_addr.s_addr).to_be_bytes());
                Some((from, (error.ee_type, error.ee_code)))
            }
            ControlMessageOwned::Ipv6RecvErr(error, Some(from)) => {
                Some((IpAddr::from(from.sin6_addr.s6_addr), (error.ee_type, error.ee_code)))
            }
            _ => None,
        });
        found.is_some()
    });
    assert!(told, "no ICMP error");
    found.expect("an error")
}

/// Asks for whole packets, and for an error where they cannot pass whole.
fn do_not_fragment(socket: &UdpSocket) {
    let (level, option, value) = if socket.local_addr().expect("an address").is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DO)
    };
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the option takes one int, which lives through the call.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
    assert_eq!(result, 0, "{}", Error::last_os_error());
}
