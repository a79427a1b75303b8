//! The ways through a cloud's edge (linux/rtnetlink.h, linux/fib_rules.h): which table a packet is looked up in, by the
//! interface that it came in through; routes; and packets between two hosts that are cut from each other, which vanish.
//! Everything is said once for IPv4 and once for IPv6, which have tables and rules of their own.

use std::io;
use std::net::IpAddr;

use crate::lab::netlink::parts;
use crate::netlink::{CREATE_EXCL, Message, Socket, c_string};

const RTM_NEWROUTE: u16 = 24;
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const ACTION_TO_TABLE: u8 = 1;
const ACTION_BLACKHOLE: u8 = 6;
const PROTOCOL_STATIC: u8 = 4;
const SCOPE_LINK: u8 = 253;
const TYPE_UNICAST: u8 = 1;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
/// Where packets from hosts and from the edge itself are looked up: nothing but links. The main table.
pub(super) const LINKS: u8 = 254;
/// Where packets that have passed a link are looked up: nothing but hosts.
pub(super) const HOSTS: u8 = 100;
/// The first rule that fits decides. What has passed its link goes on to its host, whatever is cut meanwhile.
const PASSED_FIRST: u32 = 10;
const CUT_SECOND: u32 = 20;

/// Looks packets that came in through an interface up among the hosts; `any` is an address of the family.
pub(super) fn arrivals(socket: &mut Socket, interface: &str, any: IpAddr) -> io::Result<()> {
    let header = rule(parts(any).0, [0, 0], HOSTS, ACTION_TO_TABLE);
    let mut message = Message::new(RTM_NEWRULE, CREATE_EXCL, &header);
    message.attribute(FRA_IIFNAME, &c_string(interface));
    message.attribute(FRA_PRIORITY, &PASSED_FIRST.to_ne_bytes());
    socket.change(&message)
}

/// Makes packets from one host to another vanish, or lets them through again.
pub(super) fn cut(socket: &mut Socket, from: IpAddr, to: IpAddr, cut: bool) -> io::Result<()> {
    socket.change(&cut_message(from, to, cut))
}

fn cut_message(from: IpAddr, to: IpAddr, cut: bool) -> Message {
    let (kind, flags) = if cut { (RTM_NEWRULE, CREATE_EXCL) } else { (RTM_DELRULE, 0) };
    let ((family, from_bits, from), (_, to_bits, to)) = (parts(from), parts(to));
    let mut message = Message::new(kind, flags, &rule(family, [to_bits, from_bits], 0, ACTION_BLACKHOLE));
    message.attribute(FRA_DST, &to);
    message.attribute(FRA_SRC, &from);
    message.attribute(FRA_PRIORITY, &CUT_SECOND.to_ne_bytes());
    message
}

/// Sends packets to a host out of an interface, in one table.
pub(super) fn route(socket: &mut Socket, interface: u32, host: IpAddr, table: u8) -> io::Result<()> {
    let (family, bits, address) = parts(host);
    // `struct rtmsg`: family, prefix lengths, type of service, table, protocol, scope, type, flags.
    let body = [family, bits, 0, 0, table, PROTOCOL_STATIC, SCOPE_LINK, TYPE_UNICAST, 0, 0, 0, 0];
    let mut message = Message::new(RTM_NEWROUTE, CREATE_EXCL, &body);
    message.attribute(RTA_DST, &address);
    message.attribute(RTA_OIF, &interface.to_ne_bytes());
    socket.change(&message)
}

/// `struct fib_rule_hdr`: family, prefix lengths of destination and source, type of service, table, padding, action,
/// flags.
fn rule(family: u8, [to_bits, from_bits]: [u8; 2], table: u8, action: u8) -> [u8; 12] {
    [family, to_bits, from_bits, 0, table, 0, 0, action, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_a_blackhole_between_two_addresses() {
        let message = cut_message("10.1.0.2".parse().unwrap(), "10.3.0.4".parse().unwrap(), true);
        #[rustfmt::skip]
        let body = [
            2, 32, 32, 0, 0, 0, 0, 6, 0, 0, 0, 0, // header
            8, 0, 1, 0, 10, 3, 0, 4,
            8, 0, 2, 0, 10, 1, 0, 2,
            8, 0, 6, 0, 20, 0, 0, 0,
        ];
        assert_eq!(message.body(), body);
    }

    #[test]
    fn ipv6_is_cut_by_the_whole_address() {
        let message = cut_message("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), false);
        let [family, to_bits, from_bits, ..] = *message.body() else { panic!("no header") };
        assert_eq!((family, to_bits, from_bits), (10, 128, 128));
        assert_eq!(message.body()[12..][..4], [20, 0, 1, 0]);
    }
}
