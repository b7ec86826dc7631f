//! Packets that belong to no flow and open none, and TCP has no part in: ICMP messages and SCTP chunks
//! (EV-171, EV-267).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_OUT, Hook, INGRESS, Row},
    packet::{self, Packet},
    policy::{eth0, felix, policy},
};

/// Everything is allowed in both directions, forwarded or not; more by the caller.
fn open(more: &[String]) -> Bench {
    let mut resources = vec![
        eth0(),
        policy(
            "open",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Allow}], egress: [{action: Allow}]",
        ),
    ];
    resources.extend_from_slice(more);
    Bench::with(&resources)
}

/// Where a packet can be met, with the ends that it has there: to and from the host, and through it.
fn ways(net: &Net) -> [(&'static str, Hook, [std::net::IpAddr; 2]); 4] {
    [
        ("in", INGRESS, [net.client, net.host]),
        ("out", EGRESS, [net.host, net.client]),
        ("through, in", INGRESS, [net.client, net.inner]),
        ("through, out", FORWARD_OUT, [net.inner, net.client]),
    ]
}

/// Whether an ICMP message of this type may come without a flow (EV-171).
fn may_come_first(net: &Net, kind: u8) -> bool {
    if net.host.is_ipv4() {
        matches!(kind, 8 | 13 | 15 | 17)
    } else {
        matches!(kind, 128 | 139 | 130..=136 | 143 | 151..=153)
    }
}

/// Types that answer a query, and those that are about another packet.
fn belongs_to_another(net: &Net, kind: u8) -> bool {
    if net.host.is_ipv4() {
        matches!(kind, 0 | 3 | 4 | 5 | 11 | 12 | 14 | 16 | 18)
    } else {
        matches!(kind, 1..=4 | 129 | 140)
    }
}

/// EV-170, EV-171, issue 12 (f23): of all types, only queries and IPv6's link-local messages get to an open
/// policy without a flow.
#[test]
fn issue_12_f23_messages_that_only_belong_to_a_flow_are_invalid() {
    let mut bench = open(&[]);
    for net in Net::both() {
        for (way, hook, [from, to]) in ways(&net) {
            bench.forget_flows();
            for kind in 0..=u8::MAX {
                let reason = if may_come_first(&net, kind) {
                    Reason::PolicyAllow
                } else {
                    Reason::InvalidIcmp
                };
                let name = format!("{way}, type {kind}");
                let message = packet::icmp(from, to, kind, 0).payload(28);
                let rows: [Row<'_>; 1] = [(&name, hook, message, reason)];
                bench.continue_sequence(&rows);
            }
        }
    }
}

/// EV-171, RS-183: with `disableConntrackInvalidCheck` policy judges them all; what belongs to another flow
/// opens none.
#[test]
fn ev_171_without_the_check_policy_judges_every_type() {
    let mut bench = open(&[felix("disableConntrackInvalidCheck: true")]);
    for net in Net::both() {
        for (way, hook, [from, to]) in ways(&net) {
            bench.forget_flows();
            for kind in 0..=u8::MAX {
                let name = format!("{way}, type {kind}");
                let message = packet::icmp(from, to, kind, 0).payload(28);
                if belongs_to_another(&net, kind) {
                    bench.forget_flows();
                    bench.continue_sequence(&[(&name, hook, message, Reason::PolicyAllow)]);
                    assert_eq!(bench.flows().len(), 0, "{name}");
                } else {
                    bench.continue_sequence(&[(&name, hook, message, Reason::PolicyAllow)]);
                }
            }
        }
    }
}

/// EV-171: an untracked rule comes first.
#[test]
fn ev_171_an_untracked_rule_may_allow_them() {
    let rule = "{action: Allow, notProtocol: TCP}";
    let mut bench = open(&[policy(
        "untracked",
        &format!("doNotTrack: true, applyOnForward: true, ingress: [{rule}], egress: [{rule}]"),
    )]);
    for net in Net::both() {
        for hook in [INGRESS, EGRESS] {
            let [from, to] = match hook {
                INGRESS => [net.client, net.host],
                _ => [net.host, net.client],
            };
            let reply = packet::echo_reply(from, to, 1);
            let data = packet::sctp(from, to).chunk(0);
            bench.expect(&[
                ("a reply", hook, reply, Reason::Untracked),
                ("SCTP data", hook, data, Reason::Untracked),
            ]);
        }
    }
}

/// EV-150, EV-171: a node information query is one, identified by its question.
#[test]
fn ev_171_node_information_replies_belong_to_their_query() {
    let mut bench = open(&[]);
    let [_, net] = Net::both();
    let query = packet::icmp(net.host, net.client, 139, 0).sport(2);
    let reply = |asked: u16| packet::icmp(net.client, net.host, 140, 0).sport(asked);
    bench.expect_sequence(&[
        ("unasked", INGRESS, reply(2), Reason::InvalidIcmp),
        ("query", EGRESS, query, Reason::PolicyAllow),
        ("reply", INGRESS, reply(2), Reason::Established),
        ("to another", INGRESS, reply(3), Reason::InvalidIcmp),
    ]);
}

/// EV-171, EV-173: IPv4 source quench and redirect about a known flow are judged by policy, and open no flow.
#[test]
fn ev_173_redirects_about_known_flows_meet_policy() {
    let mut bench = open(&[]);
    let [net, _] = Net::both();
    for kind in [4, 5] {
        let flow = packet::udp(net.host, net.client);
        let message = packet::icmp_error(net.peer, kind, 0, &flow, 64);
        bench.expect_sequence(&[
            (
                "about nothing",
                INGRESS,
                message.clone(),
                Reason::InvalidIcmp,
            ),
            ("the flow", EGRESS, flow, Reason::PolicyAllow),
            ("about it", INGRESS, message.clone(), Reason::PolicyAllow),
            ("once more", INGRESS, message, Reason::PolicyAllow),
        ]);
        assert_eq!(bench.flows().len(), 1, "type {kind}");
    }
}

/// EV-267: of all chunks, only INIT and HEARTBEAT open a flow; a known flow has all of them, both ways.
#[test]
fn ev_267_an_sctp_flow_opens_with_init_or_heartbeat() {
    let mut bench = open(&[]);
    for net in Net::both() {
        for (way, hook, [from, to]) in ways(&net) {
            let sctp = |chunk: u8| packet::sctp(from, to).chunk(chunk);
            let mut rows: Vec<(String, u8, Reason)> = Vec::new();
            for chunk in (0..=u8::MAX).filter(|chunk| ![1, 4].contains(chunk)) {
                rows.push((format!("{way}, {chunk}"), chunk, Reason::InvalidSctp));
            }
            for opener in [4, 1] {
                bench.forget_flows();
                for (name, chunk, reason) in &rows {
                    bench.continue_sequence(&[(name, hook, sctp(*chunk), *reason)]);
                }
                bench.continue_sequence(&[
                    ("opens", hook, sctp(opener), Reason::PolicyAllow),
                    ("data", hook, sctp(0), Reason::Established),
                    ("abort", hook, sctp(6), Reason::Established),
                ]);
            }
        }
        bench.expect_sequence(&[
            (
                "INIT",
                INGRESS,
                packet::sctp(net.client, net.host),
                Reason::PolicyAllow,
            ),
            (
                "INIT ACK",
                EGRESS,
                packet::sctp(net.client, net.host).chunk(2).reversed(),
                Reason::Established,
            ),
        ]);
    }
}

/// EV-267, EV-258: what opens a flow is alone in its packet, whole, and there.
#[test]
fn ev_267_what_opens_a_flow_is_the_only_chunk() {
    let mut bench = open(&[]);
    for net in Net::both() {
        let (client, host) = (net.client, net.host);
        let chunks = |chunks: &[&[u8]]| {
            let header = [[0x9c, 0x40, 0, 80].as_slice(), &[0; 8]].concat();
            let bytes = [header, chunks.concat()].concat();
            packet::protocol(client, host, 132, 0).payload_bytes(&bytes)
        };
        let heartbeat: &[u8] = &[4, 0, 0, 8, 0, 1, 0, 4];
        let odd: &[u8] = &[4, 0, 0, 7, 0, 1, 0, 0];
        let data: &[u8] = &[0, 3, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        let init = packet::sctp(client, host);
        let cut = |bytes: u16| init.clone().fragment(0, bytes, true);
        let rows: [(&str, Packet, Reason); 9] = [
            ("HEARTBEAT", chunks(&[heartbeat]), Reason::PolicyAllow),
            ("padded", chunks(&[odd]), Reason::PolicyAllow),
            (
                "in a longer frame",
                chunks(&[heartbeat]).trailer(6),
                Reason::PolicyAllow,
            ),
            ("and DATA", chunks(&[heartbeat, data]), Reason::InvalidSctp),
            (
                "DATA and it",
                chunks(&[data, heartbeat]),
                Reason::InvalidSctp,
            ),
            ("no chunk", chunks(&[]), Reason::InvalidSctp),
            ("half a head", chunks(&[&[1, 0]]), Reason::InvalidSctp),
            ("INIT, in fragments", cut(24), Reason::PolicyAllow),
            ("fragment without it", cut(8), Reason::InvalidSctp),
        ];
        bench.expect(&rows.map(|(name, packet, reason)| (name, INGRESS, packet, reason)));
    }
}
