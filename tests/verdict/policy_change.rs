//! Established flows under a new policy (EV-160, EV-248).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_IN, FORWARD_OUT, INGRESS, INSIDE_INGRESS},
    packet::{self, ACK, Packet, SYN},
    policy::{endpoint, eth0, felix, network_set, no_failsafe, policy},
};

const KNOWN: Reason = Reason::Established;
const CUT: Reason = Reason::Blocked;

fn with(ports: &str) -> Vec<String> {
    vec![
        eth0(),
        no_failsafe(),
        policy(
            "web",
            &format!(
                "types: [Ingress, Egress], ingress: [{{action: Allow, protocol: TCP, \
                 destination: {{ports: [{ports}]}}}}], egress: [{{action: Allow}}]"
            ),
        ),
    ]
}

fn request(net: &Net, flags: u8) -> Packet {
    packet::tcp(net.client, net.host).flags(flags)
}

fn answer(net: &Net, flags: u8) -> Packet {
    request(net, flags).reversed()
}

fn open(bench: &mut Bench, net: &Net) {
    bench.expect_sequence(&[
        ("SYN", INGRESS, request(net, SYN), Reason::PolicyAllow),
        ("SYN ACK", EGRESS, answer(net, SYN | ACK), KNOWN),
        ("ACK", INGRESS, request(net, ACK), KNOWN),
    ]);
}

/// EV-248: a denied flow stops with the next packet of either end, is not picked up again, and
/// comes back with a generation that allows it or a SYN that is allowed.
#[test]
fn ev_248_a_denied_flow_is_blocked_in_both_directions() {
    let mut bench = Bench::with(&with("80"));
    for net in Net::both() {
        for first in [INGRESS, EGRESS] {
            bench.apply(&with("80"));
            open(&mut bench, &net);
            bench.apply(&with("81"));
            let packet = if first == INGRESS {
                request(&net, ACK)
            } else {
                answer(&net, ACK)
            };
            bench.continue_sequence(&[
                ("the first packet", first, packet, CUT),
                ("from the host", EGRESS, answer(&net, ACK), CUT),
                ("from the client", INGRESS, request(&net, ACK), CUT),
                (
                    "a SYN that policy denies",
                    INGRESS,
                    request(&net, SYN),
                    Reason::TierDefault,
                ),
                ("still", EGRESS, answer(&net, ACK), CUT),
            ]);
            bench.apply(&with("80, 82"));
            bench.continue_sequence(&[
                ("allowed again", EGRESS, answer(&net, ACK), KNOWN),
                ("both ways", INGRESS, request(&net, ACK), KNOWN),
            ]);
        }
    }
}

/// EV-160: a blocked flow ends with a SYN that policy allows.
#[test]
fn a_syn_that_is_allowed_revives_a_blocked_flow() {
    let mut bench = Bench::with(&with("80"));
    for net in Net::both() {
        // The opener is the host here, so that its own SYN is what egress policy allows.
        let only_egress = |action: &str| {
            vec![
                eth0(),
                no_failsafe(),
                policy(
                    "out",
                    &format!("types: [Ingress, Egress], egress: [{{action: {action}}}]"),
                ),
            ]
        };
        bench.apply(&with("80"));
        open(&mut bench, &net);
        bench.apply(&only_egress("Allow"));
        bench.continue_sequence(&[
            ("cut", INGRESS, request(&net, ACK), CUT),
            (
                "SYN of the host",
                EGRESS,
                answer(&net, SYN),
                Reason::PolicyAllow,
            ),
            ("its answer", INGRESS, request(&net, SYN | ACK), KNOWN),
        ]);
    }
}

/// EV-160: flows that the new policy still allows lose no packet; a change of set membership is a
/// change.
#[test]
fn flows_that_are_still_allowed_lose_nothing_and_set_members_count() {
    let resources = |members: &[String]| {
        vec![
            eth0(),
            no_failsafe(),
            network_set("set", "role: friend", members),
            policy(
                "in",
                "types: [Ingress], \
                 ingress: [{action: Allow, source: {selector: \"role == 'friend'\"}}]",
            ),
        ]
    };
    let both: Vec<_> = Net::each(|net| [net.client.to_string(), net.member.to_string()]);
    let one: Vec<_> = Net::both()
        .iter()
        .map(|net| net.member.to_string())
        .collect();
    let mut bench = Bench::with(&resources(&both));
    for net in Net::both() {
        let client = packet::udp(net.client, net.host);
        let member = packet::udp(net.member, net.host);
        bench.apply(&resources(&both));
        bench.expect_sequence(&[
            ("client", INGRESS, client.clone(), Reason::PolicyAllow),
            ("member", INGRESS, member.clone(), Reason::PolicyAllow),
        ]);
        bench.apply(&resources(&one));
        bench.continue_sequence(&[
            ("client, removed", EGRESS, client.clone().reversed(), CUT),
            ("client, removed", INGRESS, client, CUT),
            ("member", INGRESS, member.clone(), KNOWN),
            ("member", EGRESS, member.reversed(), KNOWN),
        ]);
    }
}

/// EV-248 with `keep`: established flows are not judged again.
#[test]
fn ev_248_with_keep_nothing_is_judged_again() {
    let mut bench = Bench::with(&with("80")).keep();
    bench.apply(&with("80"));
    for net in Net::both() {
        bench.apply(&with("80"));
        open(&mut bench, &net);
        bench.apply(&with("81"));
        bench.continue_sequence(&[
            ("from the client", INGRESS, request(&net, ACK), KNOWN),
            ("from the host", EGRESS, answer(&net, ACK), KNOWN),
            (
                "a SYN is judged",
                INGRESS,
                request(&net, SYN),
                Reason::TierDefault,
            ),
            ("which kills nothing", INGRESS, request(&net, ACK), KNOWN),
        ]);
    }
}

/// EV-160: a flow that a failsafe let in stays as long as the lists cover it.
#[test]
fn failsafe_flows_stay_while_the_lists_cover_them() {
    let failsafe = |port: u16| {
        vec![
            eth0(),
            felix(&format!(
                "failsafeInboundHostPorts: [{{protocol: TCP, port: {port}}}], \
                 failsafeOutboundHostPorts: []"
            )),
        ]
    };
    let mut bench = Bench::with(&failsafe(22));
    for net in Net::both() {
        let ssh = packet::tcp(net.client, net.host).dport(22);
        bench.apply(&failsafe(22));
        bench.expect_sequence(&[
            ("SYN", INGRESS, ssh.clone(), Reason::Failsafe),
            (
                "SYN ACK",
                EGRESS,
                ssh.clone().flags(SYN | ACK).reversed(),
                KNOWN,
            ),
        ]);
        bench.apply(&failsafe(22));
        bench.continue_sequence(&[("covered", INGRESS, ssh.clone().flags(ACK), KNOWN)]);
        bench.apply(&failsafe(2222));
        bench.continue_sequence(&[
            ("uncovered", EGRESS, ssh.clone().flags(ACK).reversed(), CUT),
            ("uncovered", INGRESS, ssh.flags(ACK), CUT),
        ]);
    }
}

/// EV-160, EV-152: a forwarded flow is judged again at each interface that approved it.
#[test]
fn forwarded_flows_are_judged_again_at_both_interfaces() {
    let with = |ingress: &str, egress: &str| {
        vec![
            eth0(),
            endpoint("h1-eth1", "interfaceName: eth1"),
            policy(
                "f",
                &format!(
                    "applyOnForward: true, types: [Ingress, Egress], \
                     ingress: [{{action: {ingress}}}], egress: [{{action: {egress}}}]"
                ),
            ),
        ]
    };
    let mut bench = Bench::with(&with("Allow", "Allow"));
    for net in Net::both() {
        for (ingress, egress) in [("Deny", "Allow"), ("Allow", "Deny")] {
            bench.apply(&with("Allow", "Allow"));
            let there = packet::tcp(net.client, net.inner);
            let back = there.clone().flags(ACK).reversed();
            bench.expect_sequence(&[
                ("in", INGRESS, there.clone(), Reason::PolicyAllow),
                ("out", FORWARD_IN, there.clone(), Reason::PolicyAllow),
                (
                    "back in",
                    INSIDE_INGRESS,
                    back.clone().flags(SYN | ACK),
                    KNOWN,
                ),
                (
                    "back out",
                    FORWARD_OUT,
                    back.clone().flags(SYN | ACK),
                    KNOWN,
                ),
            ]);
            bench.apply(&with(ingress, egress));
            let there = there.flags(ACK);
            let stopped = [
                bench.judge(INGRESS, &there),
                bench.judge(FORWARD_IN, &there),
            ]
            .iter()
            .any(|reason| !reason.allows());
            assert!(stopped, "{ingress} {egress}: there");
            let stopped = [
                bench.judge(INSIDE_INGRESS, &back),
                bench.judge(FORWARD_OUT, &back),
            ]
            .iter()
            .any(|reason| !reason.allows());
            assert!(stopped, "{ingress} {egress}: back");
        }
    }
}
