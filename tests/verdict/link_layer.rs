//! Tags, and links without Ethernet headers: no limit of the parser means accept (section 14).

use std::net::IpAddr;

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, Hook, INGRESS, Row},
    packet::{self, ETHERTYPE_ARP, Packet},
    policy::{endpoint, eth0, policy},
};

/// EtherTypes of tags.
const TAG_TYPES: [u16; 2] = [0x8100, 0x88a8];
/// Most tags that are followed (EV-184).
const MOST_TAGS: usize = 8;

/// Everything that is not UDP to port 5000 is dropped, on links of every kind.
fn bench() -> Bench {
    let rules = "{action: Allow, protocol: UDP, destination: {ports: [5000]}}";
    let mut resources = vec![
        eth0(),
        policy(
            "some",
            &format!(
                "applyOnForward: true, types: [Ingress, Egress], ingress: [{rules}], \
                 egress: [{rules}]"
            ),
        ),
    ];
    for name in ["tun0", "vlan5", "ib0", "odd0"] {
        resources.push(endpoint(name, &format!("interfaceName: {name}")));
    }
    Bench::with(&resources)
}

/// A datagram in `tags` priority tags, of both kinds in turn, each with another priority.
fn in_priority_tags(net: &Net, tags: usize, port: u16) -> Packet {
    (0..tags).fold(
        packet::udp(net.client, net.host).dport(port),
        |packet, tag| {
            let priority = u16::try_from(tag % 8).expect("eight priorities") << 13;
            packet.tag(TAG_TYPES[tag % 2], priority)
        },
    )
}

/// EV-184, EV-258: priority tags count as none, however many there are; more than are followed, or
/// one that is cut off, is dropped.
#[test]
fn ev_184_priority_tags_hide_nothing() {
    let mut bench = bench();
    for net in Net::both() {
        for hook in [INGRESS, EGRESS] {
            for tags in 0..=12 {
                let (allowed, denied) = if tags > MOST_TAGS {
                    (Reason::LinkHeader, Reason::LinkHeader)
                } else {
                    (Reason::PolicyAllow, Reason::TierDefault)
                };
                let name = format!("{tags} tags");
                let rows: [Row<'_>; 2] = [
                    (&name, hook, in_priority_tags(&net, tags, 5000), allowed),
                    (&name, hook, in_priority_tags(&net, tags, 5001), denied),
                ];
                bench.expect(&rows);
            }
            let tagged = |tags| in_priority_tags(&net, tags, 5001);
            bench.expect(&[
                (
                    "a VLAN behind three",
                    hook,
                    tagged(3).tag(0x8100, 7),
                    Reason::Vlan,
                ),
                (
                    "a VLAN behind as many as are followed",
                    hook,
                    tagged(MOST_TAGS).tag(0x8100, 7),
                    Reason::Vlan,
                ),
                (
                    "a VLAN behind one more",
                    hook,
                    tagged(MOST_TAGS + 1).tag(0x8100, 7),
                    Reason::LinkHeader,
                ),
                (
                    "ARP behind two",
                    hook,
                    tagged(2).ethertype(ETHERTYPE_ARP),
                    Reason::NonIp,
                ),
                (
                    "the second cut off",
                    hook,
                    tagged(2).cut(14 + 4 + 2),
                    Reason::LinkHeader,
                ),
            ]);
        }
    }
}

/// EV-184: the tag of the VLAN that an interface is, which `reorder_hdr off` leaves in its frames,
/// counts as none there; others do not.
#[test]
fn ev_184_the_tag_of_the_interfaces_own_vlan_counts_as_none() {
    let mut bench = bench();
    for net in Net::both() {
        for hook in [Hook::ingress("vlan5"), Hook::egress("vlan5")] {
            let udp = |port: u16| packet::udp(net.client, net.host).dport(port);
            bench.expect(&[
                ("own, allowed", hook, udp(5000).vlan(5), Reason::PolicyAllow),
                ("own, denied", hook, udp(5001).vlan(5), Reason::TierDefault),
                (
                    "own with a priority",
                    hook,
                    udp(5001).tag(0x88a8, 0xe005),
                    Reason::TierDefault,
                ),
                ("another", hook, udp(5001).vlan(6), Reason::Vlan),
                (
                    "another in it",
                    hook,
                    udp(5001).vlan(5).vlan(6),
                    Reason::Vlan,
                ),
            ]);
        }
    }
}

/// A frame without Ethernet header: these bytes, two of which the test-run call uses as the EtherType that
/// a driver would pass beside the frame.
fn called(ether_type: u16, mut frame: Vec<u8>) -> Vec<u8> {
    frame[12..14].copy_from_slice(&ether_type.to_be_bytes());
    frame
}

/// EV-258, EV-270: on links without link layer, frames whose EtherType is IP or a VLAN are dropped if they
/// are not readable as that; tags are where the kernel reports them, whatever the first bits are.
#[test]
fn ev_270_bare_packets_are_what_the_kernel_calls_them() {
    let bench = bench();
    for hook in [Hook::ingress("tun0"), Hook::egress("tun0")] {
        for nibble in (0..16_u8).filter(|nibble| ![4, 6].contains(nibble)) {
            let mut frame = vec![0; 60];
            frame[0] = (nibble << 4) | 5;
            for (ether_type, reason) in [
                (0x0800, Reason::LinkHeader),
                (0x86dd, Reason::LinkHeader),
                (0x88cc, Reason::NonIp),
                (0x8847, Reason::NonIp),
            ] {
                let got = bench.judge_frame(hook, &called(ether_type, frame.clone()));
                assert_eq!(got, reason, "{hook:?} {nibble} {ether_type:#x}");
            }
        }
        // Two tags, the first with a priority that looks like version 6; then no IP header.
        let tags = [0x60, 0, 0x81, 0, 0x20, 0, 0x08, 0, 0x15, 0, 0, 0];
        let mut frame = [tags.as_slice(), &[0; 60]].concat();
        let got = bench.judge_frame(hook, &called(0x8100, frame.clone()));
        assert_eq!(got, Reason::BadHeader, "two priority tags");
        frame[5] = 9;
        let got = bench.judge_frame(hook, &called(0x8100, frame));
        assert_eq!(got, Reason::Vlan, "VLAN 9 in a priority tag");
    }
}

/// EV-258: the IP header is found behind 24 bytes of InfiniBand; where the link layer is unknown,
/// what the kernel calls IP is dropped.
#[test]
fn ev_258_other_link_layers_are_read_or_dropped() {
    let bench = bench();
    for net in Net::both() {
        let ether_type: u16 = if net.client.is_ipv4() { 0x0800 } else { 0x86dd };
        let packet = |port| packet::udp(net.client, net.host).dport(port).datagram();
        let behind = |port: u16| called(ether_type, [vec![0; 24], packet(port)].concat());
        for hook in [Hook::ingress("ib0"), Hook::egress("ib0")] {
            assert_eq!(bench.judge_frame(hook, &behind(5000)), Reason::PolicyAllow);
            assert_eq!(bench.judge_frame(hook, &behind(5001)), Reason::TierDefault);
            let none = called(ether_type, vec![0; 60]);
            assert_eq!(bench.judge_frame(hook, &none), Reason::LinkHeader);
        }
        for hook in [Hook::ingress("odd0"), Hook::egress("odd0")] {
            assert_eq!(bench.judge_frame(hook, &behind(5000)), Reason::LinkHeader);
            let arp = called(0x0806, vec![0; 60]);
            assert_eq!(bench.judge_frame(hook, &arp), Reason::NonIp);
        }
    }
}

/// EV-017: on a link without Ethernet headers the packet starts the frame.
///
/// The test-run call uses bytes 12 and 13 as the protocol of the frame, wherever its link layer ends; these
/// source addresses have it there, as a driver has it beside the frame.
#[test]
fn links_without_ethernet_headers_are_read_from_the_ip_header() {
    let mut bench = bench();
    for (source, net) in ["8.0.2.7", "2001:db8:86dd::7"].into_iter().zip(Net::both()) {
        let source: IpAddr = source.parse().expect("a literal address");
        let udp = |port: u16| packet::udp(source, net.host).dport(port);
        let (ingress, egress) = (Hook::ingress("tun0"), Hook::egress("tun0"));
        bench.expect(&[
            ("allowed", ingress, udp(5000), Reason::PolicyAllow),
            ("denied", ingress, udp(5001), Reason::TierDefault),
            ("out, allowed", egress, udp(5000), Reason::PolicyAllow),
            ("out, denied", egress, udp(5001), Reason::TierDefault),
        ]);
    }
}
