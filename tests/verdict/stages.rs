//! Failsafes, untracked, pre-DNAT, forward, and the defaults at their ends (sections 4 to 10).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_IN, FORWARD_OUT, INGRESS, INSIDE_INGRESS},
    packet::{self, ACK, Packet, SYN},
    policy::{
        endpoint, eth0, eth0_default_allow, no_failsafe, policy, profile, staged_policy, tier,
    },
};

pub(crate) fn tcp(net: &Net, port: u16) -> Packet {
    packet::tcp(net.client, net.host).dport(port)
}

pub(crate) fn out(net: &Net, port: u16) -> Packet {
    packet::tcp(net.host, net.client).dport(port)
}

pub(crate) fn through(net: &Net, port: u16) -> Packet {
    packet::tcp(net.client, net.inner).dport(port)
}

/// EV-053 to EV-059, EV-036, EV-240: each default verdict has its reason.
#[test]
fn defaults_say_why() {
    let deny_80 = "{action: Deny, protocol: TCP, destination: {ports: [80]}}";
    let table: [(&str, Vec<String>, [Reason; 3]); 8] = [
        (
            "EV-053: nothing applies, no profile",
            vec![eth0()],
            [Reason::NoProfile, Reason::NoProfile, Reason::ForwardDefault],
        ),
        (
            "EV-054: nothing applies, profile",
            vec![eth0_default_allow()],
            [
                Reason::ProfileAllow,
                Reason::ProfileAllow,
                Reason::ForwardDefault,
            ],
        ),
        (
            "EV-054: a profile that denies",
            vec![
                endpoint("h1-eth0", "interfaceName: eth0, profiles: [p]"),
                profile(
                    "p",
                    &format!("ingress: [{deny_80}], egress: [{{action: Pass}}]"),
                ),
            ],
            [
                Reason::ProfileDeny,
                Reason::NoProfile,
                Reason::ForwardDefault,
            ],
        ),
        (
            "EV-055: a tier ends in a deny, in its direction only",
            vec![eth0_default_allow(), policy("empty", "types: [Ingress]")],
            [
                Reason::TierDefault,
                Reason::ProfileAllow,
                Reason::ForwardDefault,
            ],
        ),
        (
            "EV-056: all tiers pass",
            vec![
                eth0_default_allow(),
                tier("soft", "order: 1, defaultAction: Pass"),
                policy("soft.empty", "tier: soft, types: [Ingress, Egress]"),
            ],
            [
                Reason::ProfileAllow,
                Reason::ProfileAllow,
                Reason::ForwardDefault,
            ],
        ),
        (
            "EV-058: forward tiers end in a deny",
            vec![
                eth0_default_allow(),
                policy("empty", "applyOnForward: true, types: [Ingress]"),
            ],
            [
                Reason::TierDefault,
                Reason::ProfileAllow,
                Reason::TierDefault,
            ],
        ),
        (
            "EV-060: untracked and pre-DNAT policies have no default",
            vec![
                eth0(),
                policy(
                    "u",
                    "doNotTrack: true, applyOnForward: true, types: [Ingress, Egress]",
                ),
                policy("p", "preDNAT: true, applyOnForward: true, types: [Ingress]"),
            ],
            [Reason::NoProfile, Reason::NoProfile, Reason::ForwardDefault],
        ),
        (
            "EV-240: a staged policy makes no tier apply",
            vec![
                eth0(),
                staged_policy("s", "types: [Ingress, Egress], ingress: [{action: Allow}]"),
            ],
            [Reason::NoProfile, Reason::NoProfile, Reason::ForwardDefault],
        ),
    ];
    let mut bench = Bench::with(&[eth0()]);
    for (name, resources, [ingress, egress, forward]) in table {
        bench.apply(&resources);
        for net in Net::both() {
            bench.expect(&[
                (name, INGRESS, tcp(&net, 80), ingress),
                (name, EGRESS, out(&net, 80), egress),
                (name, INGRESS, through(&net, 80), forward),
            ]);
        }
    }
}

/// EV-001, EV-002, EV-064 to EV-074: failsafes of both directions, only for local traffic, before
/// every deny.
#[test]
fn failsafes_come_before_every_deny_of_local_traffic() {
    let mut bench = Bench::with(&[
        eth0(),
        policy(
            "u",
            "doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Deny}], egress: [{action: Deny}]",
        ),
        policy(
            "p",
            "preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{action: Deny}]",
        ),
    ]);
    for net in Net::both() {
        bench.expect(&[
            ("in 22", INGRESS, tcp(&net, 22), Reason::Failsafe),
            ("in 23", INGRESS, tcp(&net, 23), Reason::UntrackedDeny),
            (
                "in 22/udp",
                INGRESS,
                packet::udp(net.client, net.host).dport(22),
                Reason::UntrackedDeny,
            ),
            (
                "in 68/udp",
                INGRESS,
                packet::udp(net.client, net.host).dport(68),
                Reason::Failsafe,
            ),
            (
                "forwarded 22",
                INGRESS,
                through(&net, 22),
                Reason::UntrackedDeny,
            ),
            (
                "out 53/udp",
                EGRESS,
                packet::udp(net.host, net.client).dport(53),
                Reason::Failsafe,
            ),
            ("out 2379", EGRESS, out(&net, 2379), Reason::Failsafe),
            ("out 22", EGRESS, out(&net, 22), Reason::UntrackedDeny),
            (
                "from port 53 is exempt from the untracked stage, and meets the next",
                INGRESS,
                packet::udp(net.client, net.host).sport(53).dport(4000),
                Reason::PolicyDeny,
            ),
            (
                "forwarded out 53",
                FORWARD_OUT,
                packet::udp(net.inner, net.client).dport(53),
                Reason::ForwardDefault,
            ),
        ]);
        bench.expect_sequence(&[
            ("SYN to 22", INGRESS, tcp(&net, 22), Reason::Failsafe),
            (
                "its answer",
                EGRESS,
                tcp(&net, 22).reversed().flags(SYN | ACK),
                Reason::Established,
            ),
        ]);
    }
}

/// EV-001, EV-002, EV-075 to EV-079, EV-237, EV-238: untracked verdicts make and consult no state; without
/// a match, evaluation continues.
#[test]
fn untracked_rules_decide_before_the_connection_table() {
    untracked_rules_decide(&[]);
}

/// Untracked rules decide before the connection table where nothing is exempt from them (EV-068).
#[test]
fn untracked_rules_decide_where_there_is_no_failsafe() {
    untracked_rules_decide(&[no_failsafe()]);
}

fn untracked_rules_decide(failsafes: &[String]) {
    let mut resources = vec![
        eth0(),
        endpoint("h1-eth1", "interfaceName: eth1"),
        tier("early", "order: 1"),
        policy(
            "early.u",
            "tier: early, doNotTrack: true, applyOnForward: true, types: [Ingress], \
             ingress: [{action: Log}, \
             {action: Pass, protocol: UDP, destination: {ports: [54]}}, \
             {action: Deny, protocol: UDP, destination: {ports: [55]}}]",
        ),
        policy(
            "u",
            "doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Allow, protocol: UDP, destination: {ports: ['53:55']}}], \
             egress: [{action: Allow, protocol: UDP, source: {ports: [53]}}, \
             {action: Deny, protocol: UDP, source: {ports: [99]}}]",
        ),
        policy(
            "forward",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Deny}], egress: [{action: Deny}]",
        ),
    ];
    resources.extend_from_slice(failsafes);
    let mut bench = Bench::with(&resources);
    for net in Net::both() {
        let udp = |port: u16| packet::udp(net.client, net.host).dport(port);
        let forwarded = |port: u16| packet::udp(net.client, net.inner).dport(port);
        bench.expect_sequence(&[
            ("allowed", INGRESS, udp(53), Reason::Untracked),
            (
                "allowed by the second tier",
                INGRESS,
                udp(54),
                Reason::Untracked,
            ),
            (
                "denied by the first",
                INGRESS,
                udp(55),
                Reason::UntrackedDeny,
            ),
            ("no match", INGRESS, udp(56), Reason::PolicyDeny),
            (
                "answer with a rule",
                EGRESS,
                udp(53).reversed(),
                Reason::Untracked,
            ),
            (
                "answer without",
                EGRESS,
                udp(54).reversed(),
                Reason::PolicyDeny,
            ),
            ("forwarded", INGRESS, forwarded(53), Reason::Untracked),
            (
                "EV-079: egress rules are for the host's own packets",
                FORWARD_IN,
                packet::udp(net.client, net.inner).sport(99),
                Reason::PolicyDeny,
            ),
            (
                "unmarked at the other side",
                FORWARD_IN,
                forwarded(53),
                Reason::PolicyDeny,
            ),
            (
                "from inside",
                INSIDE_INGRESS,
                forwarded(53).reversed(),
                Reason::PolicyDeny,
            ),
        ]);
        assert!(bench.flows().is_empty(), "{:#?}", bench.flows());
    }
}

/// EV-062, EV-044: the outgoing interface judges a forwarded flow by its egress policy.
#[test]
fn the_outgoing_interface_judges_forwarded_packets_too() {
    let mut bench = Bench::with(&[
        eth0(),
        endpoint("h1-eth1", "interfaceName: eth1"),
        policy(
            "f",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, 81]}}], \
             egress: [{action: Allow, protocol: TCP, destination: {ports: [80, 82]}}]",
        ),
    ]);
    for net in Net::both() {
        let answer = through(&net, 80).reversed().flags(SYN | ACK);
        bench.expect_sequence(&[
            ("in, 80", INGRESS, through(&net, 80), Reason::PolicyAllow),
            (
                "out, 80",
                FORWARD_IN,
                through(&net, 80),
                Reason::PolicyAllow,
            ),
            (
                "answer in",
                INSIDE_INGRESS,
                answer.clone(),
                Reason::Established,
            ),
            ("answer out", FORWARD_OUT, answer, Reason::Established),
            ("in, 81", INGRESS, through(&net, 81), Reason::PolicyAllow),
            (
                "out, 81",
                FORWARD_IN,
                through(&net, 81),
                Reason::TierDefault,
            ),
            ("in, 82", INGRESS, through(&net, 82), Reason::TierDefault),
        ]);
    }
}
