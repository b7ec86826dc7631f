//! ICMP errors and the flows they are about (EV-169 to EV-174).

use std::time::Duration;

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, INGRESS, Row},
    packet::{self, ACK, Packet, icmp_error},
    policy::{eth0, policy},
};

const KNOWN: Reason = Reason::Related;
const UNKNOWN: Reason = Reason::InvalidIcmp;

/// Egress to anywhere is allowed, ingress denied.
fn bench() -> Bench {
    Bench::with(&[
        eth0(),
        policy("out", "types: [Ingress, Egress], egress: [{action: Allow}]"),
    ])
}

/// The types that are errors and those below them that are not, by family.
fn types(net: &Net) -> (&'static [u8], &'static [u8]) {
    if net.host.is_ipv4() {
        (&[3, 11, 12], &[4, 5])
    } else {
        (&[1, 2, 3, 4], &[])
    }
}

/// Bytes of the embedded IP header.
fn header_bytes(net: &Net) -> usize {
    if net.host.is_ipv4() { 20 } else { 40 }
}

/// EV-169, EV-170, EV-171, EV-173: errors pass about a known flow of any protocol, from any router, and
/// are dropped about an unknown one; source quench and redirect about a known one meet policy.
#[test]
fn errors_pass_about_known_flows_only() {
    let mut bench = bench();
    for net in Net::both() {
        let (errors, others) = types(&net);
        let flows: [(&str, Packet); 4] = [
            ("TCP", packet::tcp(net.host, net.client)),
            ("UDP", packet::udp(net.host, net.client)),
            ("echo", packet::echo_request(net.host, net.client, 5)),
            ("GRE", packet::protocol(net.host, net.client, 47, 16)),
        ];
        for (name, flow) in &flows {
            bench.expect_sequence(&[(name, EGRESS, flow.clone(), Reason::PolicyAllow)]);
            let mut rows: Vec<Row<'_>> = Vec::new();
            for kind in errors {
                for router in [net.client, net.peer] {
                    let error = icmp_error(router, *kind, 0, flow, 128);
                    rows.push((name, INGRESS, error, KNOWN));
                }
            }
            for kind in others {
                let other = icmp_error(net.client, *kind, 0, flow, 128);
                rows.push((name, INGRESS, other, Reason::TierDefault));
            }
            bench.continue_sequence(&rows);
            bench.forget_flows();
            for kind in errors.iter().chain(others) {
                let error = icmp_error(net.client, *kind, 0, flow, 128);
                bench.continue_sequence(&[(name, INGRESS, error, UNKNOWN)]);
            }
        }
    }
}

/// EV-173: a packet of a flow has one of its types, not only its identifier.
#[test]
fn errors_about_icmp_quote_a_type_of_the_flow() {
    let mut bench = bench();
    for net in Net::both() {
        let (errors, _) = types(&net);
        let flow = packet::echo_request(net.host, net.client, 5);
        let quote = |kind| {
            let quoted = packet::icmp(net.host, net.client, kind, 0).sport(5);
            icmp_error(net.peer, errors[0], 0, &quoted, 128)
        };
        let (request, reply) = if net.host.is_ipv4() {
            (8, 0)
        } else {
            (128, 129)
        };
        bench.expect_sequence(&[
            ("the flow", EGRESS, flow, Reason::PolicyAllow),
            ("its request", INGRESS, quote(request), KNOWN),
            ("a reply of the opener's", INGRESS, quote(reply), UNKNOWN),
            ("an unknown type", INGRESS, quote(39), UNKNOWN),
        ]);
    }
}

/// EV-174: the error must go to the embedded packet's sender; 8 bytes of its transport header are
/// enough, fewer or a later fragment are not.
#[test]
fn errors_must_fit_what_they_are_about() {
    let mut bench = bench();
    for net in Net::both() {
        let (errors, _) = types(&net);
        let kind = errors[0];
        let flow = packet::tcp(net.host, net.client);
        let header = header_bytes(&net);
        let spoofed = icmp_error(net.peer, kind, 0, &packet::tcp(net.member, net.client), 128);
        let to_another = icmp_error(net.peer, kind, 0, &flow, 128).to(net.host_inside);
        let fragment = flow.clone().payload(64).fragment(16, 16, true);
        bench.expect_sequence(&[
            ("the flow", EGRESS, flow.clone(), Reason::PolicyAllow),
            (
                "8 bytes",
                INGRESS,
                icmp_error(net.peer, kind, 0, &flow, header + 8),
                KNOWN,
            ),
            (
                "3 bytes",
                INGRESS,
                icmp_error(net.peer, kind, 0, &flow, header + 3),
                UNKNOWN,
            ),
            (
                "half a header",
                INGRESS,
                icmp_error(net.peer, kind, 0, &flow, 10),
                UNKNOWN,
            ),
            (
                "nothing",
                INGRESS,
                icmp_error(net.peer, kind, 0, &flow, 0),
                UNKNOWN,
            ),
            ("about another's packet", INGRESS, spoofed, UNKNOWN),
            ("to another than the sender", INGRESS, to_another, UNKNOWN),
            (
                "a later fragment",
                INGRESS,
                icmp_error(net.peer, kind, 0, &fragment, 128),
                UNKNOWN,
            ),
        ]);
    }
}

/// EV-169 outbound: the host's errors about the other end's packets pass too, and the flow's own
/// direction does not matter.
#[test]
fn the_hosts_own_errors_about_known_flows_pass() {
    let mut bench = Bench::with(&[
        eth0(),
        policy("in", "types: [Ingress, Egress], ingress: [{action: Allow}]"),
    ]);
    for net in Net::both() {
        let (errors, _) = types(&net);
        let flow = packet::udp(net.client, net.host);
        let error = icmp_error(net.host, errors[0], 3, &flow, 128);
        bench.expect_sequence(&[
            ("unknown", EGRESS, error.clone(), UNKNOWN),
            ("flow", INGRESS, flow, Reason::PolicyAllow),
            ("known", EGRESS, error, KNOWN),
        ]);
    }
}

/// EV-174: errors make and refresh no entries, so that they cannot keep a flow alive.
#[test]
fn errors_never_make_or_change_entries() {
    let mut bench = bench();
    for net in Net::both() {
        let (errors, _) = types(&net);
        let flow = packet::tcp(net.host, net.client).flags(ACK);
        bench.expect_sequence(&[("flow", EGRESS, flow.clone(), Reason::PolicyAllow)]);
        let before = bench.flows();
        bench.age_flows(Duration::from_secs(5));
        let error = icmp_error(net.client, errors[0], 0, &flow, 128);
        bench.continue_sequence(&[("error", INGRESS, error, KNOWN)]);
        let after = bench.flows();
        let ([before], [after]) = (&before[..], &after[..]) else {
            panic!("one flow before and after: {before:#?}, {after:#?}");
        };
        assert_eq!(
            (before.opener, before.responder, before.home),
            (after.opener, after.responder, after.home)
        );
        assert!(
            after.idle >= before.idle + Duration::from_secs(5),
            "{:?}",
            after.idle
        );
    }
}

/// EV-169 in the midst of a policy change: an error about a flow that was cut does not pass.
#[test]
fn errors_about_a_flow_that_policy_has_cut_do_not_pass() {
    let mut bench = bench();
    for net in Net::both() {
        let (errors, _) = types(&net);
        bench.apply(&[
            eth0(),
            policy("out", "types: [Ingress, Egress], egress: [{action: Allow}]"),
        ]);
        let flow = packet::tcp(net.host, net.client).flags(ACK);
        bench.expect_sequence(&[("flow", EGRESS, flow.clone(), Reason::PolicyAllow)]);
        bench.apply(&[eth0(), policy("out", "types: [Ingress, Egress]")]);
        bench.continue_sequence(&[("flow", EGRESS, flow.clone(), Reason::Blocked)]);
        let error = icmp_error(net.client, errors[0], 0, &flow, 128);
        let passes = bench.judge(INGRESS, &error).allows();
        assert!(!passes, "{}", net.host);
    }
}
