//! Pre-DNAT policy (section 9).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_OUT, INGRESS},
    packet::{self, ACK, SYN},
    policy::{eth0, eth0_default_allow, policy},
};

use crate::stages::{out, tcp, through};

/// EV-086, EV-087, EV-044: pre-DNAT rules see local and forwarded traffic, and an allow is enough.
#[test]
fn pre_dnat_rules_see_everything_that_arrives() {
    let mut bench = Bench::with(&[
        eth0(),
        policy(
            "p",
            "preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [\
             {action: Allow, protocol: TCP, destination: {ports: [80]}}, \
             {action: Deny, protocol: TCP, destination: {ports: [81]}}]",
        ),
        policy(
            "f",
            "applyOnForward: true, types: [Ingress, Egress], order: 1, \
             ingress: [{action: Allow, protocol: TCP, destination: {ports: [82]}}]",
        ),
    ]);
    for net in Net::both() {
        bench.expect(&[
            ("local allow", INGRESS, tcp(&net, 80), Reason::PolicyAllow),
            ("local deny", INGRESS, tcp(&net, 81), Reason::PolicyDeny),
            (
                "local, next stage",
                INGRESS,
                tcp(&net, 82),
                Reason::PolicyAllow,
            ),
            ("local, end", INGRESS, tcp(&net, 83), Reason::TierDefault),
            (
                "forwarded allow",
                INGRESS,
                through(&net, 80),
                Reason::PolicyAllow,
            ),
            (
                "forwarded deny",
                INGRESS,
                through(&net, 81),
                Reason::PolicyDeny,
            ),
            (
                "forwarded, next stage",
                INGRESS,
                through(&net, 82),
                Reason::PolicyAllow,
            ),
            (
                "forwarded, end",
                INGRESS,
                through(&net, 83),
                Reason::TierDefault,
            ),
            (
                "egress has none",
                EGRESS,
                out(&net, 81),
                Reason::TierDefault,
            ),
        ]);
    }
}

/// EV-089: pre-DNAT rules do not judge packets of known flows: the answer to the host's own request comes
/// in from the very port that they deny.
#[test]
fn pre_dnat_rules_do_not_see_known_flows() {
    let mut bench = Bench::with(&[
        eth0_default_allow(),
        policy(
            "p",
            "preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [\
             {action: Deny, protocol: TCP, source: {ports: [80]}}]",
        ),
    ]);
    for net in Net::both() {
        let answer = out(&net, 80).reversed();
        let through = packet::tcp(net.inner, net.client);
        bench.expect_sequence(&[
            (
                "unasked",
                INGRESS,
                answer.clone().flags(SYN),
                Reason::PolicyDeny,
            ),
            ("request", EGRESS, out(&net, 80), Reason::ProfileAllow),
            (
                "answer",
                INGRESS,
                answer.flags(SYN | ACK),
                Reason::Established,
            ),
            (
                "forwarded",
                FORWARD_OUT,
                through.clone(),
                Reason::ForwardDefault,
            ),
            (
                "its answer",
                INGRESS,
                through.reversed().flags(SYN | ACK),
                Reason::Established,
            ),
        ]);
    }
}
