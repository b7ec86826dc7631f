//! TCP through the connection table (section 12).

use std::time::Duration;

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, Hook, INGRESS},
    packet::{self, ACK, FIN, PSH, Packet, RST, SYN},
    policy::{eth0, felix, no_failsafe, policy, resource},
};

const KNOWN: Reason = Reason::Established;

fn web() -> String {
    policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    )
}

/// Longer than the timers under test, shorter than all others.
const LATER: Duration = Duration::from_secs(30);

/// A segment from the client to the host's port 80.
fn from_client(net: &Net, flags: u8) -> Packet {
    packet::tcp(net.client, net.host)
        .flags(flags)
        .numbers(100, 200)
}

/// A segment of the same connection from the host.
fn from_host(net: &Net, flags: u8) -> Packet {
    from_client(net, flags).reversed().numbers(200, 100)
}

/// The three segments that open a connection; what follows has the numbers of the other segments.
fn handshake(net: &Net) -> Vec<(&'static str, Hook, Packet, Reason)> {
    let syn = from_client(net, SYN).numbers(99, 0);
    let syn_ack = from_host(net, SYN | ACK).numbers(199, 100);
    vec![
        ("SYN", INGRESS, syn, Reason::PolicyAllow),
        ("SYN ACK", EGRESS, syn_ack, KNOWN),
        ("ACK", INGRESS, from_client(net, ACK), KNOWN),
    ]
}

/// EV-150: one entry serves both directions, from the handshake to the end.
#[test]
fn a_connection_is_known_in_both_directions() {
    let mut bench = Bench::with(&[eth0(), web()]);
    for net in Net::both() {
        let mut rows = handshake(&net);
        rows.extend([
            (
                "data",
                INGRESS,
                from_client(&net, ACK | PSH).payload(100),
                KNOWN,
            ),
            (
                "answer",
                EGRESS,
                from_host(&net, ACK | PSH).payload(100),
                KNOWN,
            ),
            ("FIN", INGRESS, from_client(&net, FIN | ACK), KNOWN),
            ("ACK of FIN", EGRESS, from_host(&net, ACK), KNOWN),
            ("FIN of the host", EGRESS, from_host(&net, FIN | ACK), KNOWN),
            ("last ACK", INGRESS, from_client(&net, ACK), KNOWN),
            (
                "another port of the client",
                EGRESS,
                from_host(&net, ACK).dport(40_001),
                Reason::NoProfile,
            ),
        ]);
        bench.expect_sequence(&rows);
        assert_eq!(bench.flows().len(), 1, "{:#?}", bench.flows());
    }
}

/// EV-153: a SYN on a known flow is judged again; one that is denied leaves the flow.
#[test]
fn a_syn_on_a_known_flow_is_judged_again_and_kills_nothing() {
    let source_80 = policy(
        "web",
        "types: [Ingress, Egress], \
         ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}], \
         egress: [{action: Deny}]",
    );
    let mut bench = Bench::with(&[eth0(), no_failsafe(), source_80]);
    for net in Net::both() {
        let mut rows = handshake(&net);
        rows.extend([
            (
                "SYN again",
                INGRESS,
                from_client(&net, SYN),
                Reason::PolicyAllow,
            ),
            ("data", INGRESS, from_client(&net, ACK), KNOWN),
            (
                "SYN of the host",
                EGRESS,
                from_host(&net, SYN),
                Reason::PolicyDeny,
            ),
            ("data still", INGRESS, from_client(&net, ACK), KNOWN),
            ("answer still", EGRESS, from_host(&net, ACK), KNOWN),
        ]);
        bench.expect_sequence(&rows);
    }
}

/// EV-153: a SYN after both ends have sent FIN or RST starts a new flow.
#[test]
fn a_syn_after_the_end_starts_a_new_flow() {
    let mut bench = Bench::with(&[eth0(), web()]);
    for net in Net::both() {
        let mut rows = handshake(&net);
        rows.extend([
            ("FIN", INGRESS, from_client(&net, FIN | ACK), KNOWN),
            ("FIN of the host", EGRESS, from_host(&net, FIN | ACK), KNOWN),
            ("SYN", INGRESS, from_client(&net, SYN), Reason::PolicyAllow),
            ("SYN ACK", EGRESS, from_host(&net, SYN | ACK), KNOWN),
            ("ACK", INGRESS, from_client(&net, ACK), KNOWN),
        ]);
        bench.expect_sequence(&rows);
        let [flow] = &bench.flows()[..] else {
            panic!("one flow: {:#?}", bench.flows());
        };
        assert_eq!(flow.state.name(), "established");
    }
}

/// EV-157, EV-256: without a flow, only SYN opens one and only a plain ACK is picked up.
#[test]
fn ev_256_segments_without_a_flow() {
    let mut bench = Bench::with(&[eth0(), no_failsafe(), web()]);
    let invalid = Reason::InvalidTcp;
    for net in Net::both() {
        let rows = [
            ("SYN", SYN, Reason::PolicyAllow),
            ("ACK", ACK, Reason::PolicyAllow),
            ("PSH ACK", PSH | ACK, Reason::PolicyAllow),
            ("SYN ACK", SYN | ACK, invalid),
            ("FIN", FIN, invalid),
            ("FIN ACK", FIN | ACK, invalid),
            ("RST", RST, invalid),
            ("RST ACK", RST | ACK, invalid),
            ("SYN FIN", SYN | FIN, invalid),
            ("SYN RST", SYN | RST, invalid),
            ("no flags", 0, invalid),
            ("PSH", PSH, invalid),
            ("all flags", 0xff, invalid),
        ];
        bench.expect(
            &rows.map(|(name, flags, reason)| (name, INGRESS, from_client(&net, flags), reason)),
        );
        bench.expect(&rows.map(|(name, flags, reason)| {
            let denied = if reason == invalid {
                invalid
            } else {
                Reason::NoProfile
            };
            (name, EGRESS, from_host(&net, flags), denied)
        }));
        bench.expect_sequence(&[
            ("ACK", INGRESS, from_client(&net, ACK), Reason::PolicyAllow),
            ("answer", EGRESS, from_host(&net, ACK), KNOWN),
            (
                "ACK to 81",
                INGRESS,
                from_client(&net, ACK).dport(81),
                Reason::TierDefault,
            ),
        ]);
        let [flow] = &bench.flows()[..] else {
            panic!("one flow: {:#?}", bench.flows());
        };
        assert_eq!(flow.state.name(), "established");
    }
}

/// RS-183, EV-157: `disableConntrackInvalidCheck` hands such segments to policy.
#[test]
fn invalid_segments_meet_policy_when_the_check_is_disabled() {
    let mut bench = Bench::with(&[eth0(), web(), felix("disableConntrackInvalidCheck: true")]);
    for net in Net::both() {
        bench.expect(&[
            ("FIN", INGRESS, from_client(&net, FIN), Reason::PolicyAllow),
            (
                "SYN ACK",
                INGRESS,
                from_client(&net, SYN | ACK),
                Reason::PolicyAllow,
            ),
            (
                "FIN to 81",
                INGRESS,
                from_client(&net, FIN).dport(81),
                Reason::TierDefault,
            ),
        ]);
    }
}

/// EV-070: a lone ACK to a failsafe port is picked up; from one it needs the host's socket, which
/// the other suite shows.
#[test]
fn a_lone_ack_to_a_failsafe_port_is_picked_up() {
    let mut bench = Bench::with(&[eth0()]);
    for net in Net::both() {
        bench.expect_sequence(&[
            (
                "ACK to 22",
                INGRESS,
                from_client(&net, ACK).dport(22),
                Reason::Failsafe,
            ),
            (
                "answer",
                EGRESS,
                from_client(&net, ACK).dport(22).reversed(),
                KNOWN,
            ),
        ]);
        bench.expect(&[
            (
                "FIN to 22",
                INGRESS,
                from_client(&net, FIN).dport(22),
                Reason::InvalidTcp,
            ),
            (
                "ACK to 2379",
                EGRESS,
                from_host(&net, ACK).dport(2379),
                Reason::Failsafe,
            ),
            (
                "ACK from 2379 without a socket",
                INGRESS,
                from_client(&net, ACK).sport(2379).dport(4000),
                Reason::NoProfile,
            ),
        ]);
    }
}

/// EV-156: a RST passes, and ends the flow only if silence follows; a flow that talks on
/// outlives it.
#[test]
fn a_reset_is_passed_on_and_ends_a_silent_flow() {
    let timeouts = felix("bpfConntrackTimeouts: {tcpResetSeen: 15s}");
    let mut bench = Bench::with(&[eth0(), web(), timeouts]);
    for net in Net::both() {
        for (talks_on, wanted) in [(false, Reason::NoProfile), (true, KNOWN)] {
            let mut rows = handshake(&net);
            rows.push(("RST", INGRESS, from_client(&net, RST), KNOWN));
            if talks_on {
                rows.push(("talks on", EGRESS, from_host(&net, ACK), KNOWN));
            }
            bench.expect_sequence(&rows);
            bench.age_flows(LATER);
            bench.continue_sequence(&[(
                "after the time of a reset",
                EGRESS,
                from_host(&net, ACK),
                wanted,
            )]);
        }
    }
}

/// EV-154, EV-155: each state has its timer, checked at look-up.
#[test]
fn flows_expire_at_look_up_by_the_timer_of_their_state() {
    let short = |key: &str| {
        let timers = [
            "tcpSynSent",
            "tcpEstablished",
            "tcpFinsSeen",
            "tcpResetSeen",
        ];
        let timers =
            timers.map(|timer| format!("{timer}: {}", if timer == key { "15s" } else { "1h" }));
        felix(&format!("bpfConntrackTimeouts: {{{}}}", timers.join(", ")))
    };
    let mut bench = Bench::with(&[eth0()]);
    for (key, flags, alive) in [
        ("tcpSynSent", &[][..], false),
        ("tcpEstablished", &[], true),
        ("tcpEstablished", &[ACK], false),
        ("tcpSynSent", &[ACK], true),
        ("tcpFinsSeen", &[ACK, FIN | ACK], true),
    ] {
        bench.apply(&[eth0(), web(), short(key)]);
        for net in Net::both() {
            let mut rows = handshake(&net);
            rows.truncate(if flags.is_empty() { 1 } else { 3 });
            for flag in flags.iter().skip(1) {
                rows.push(("more", INGRESS, from_client(&net, *flag), KNOWN));
            }
            bench.expect_sequence(&rows);
            bench.age_flows(LATER);
            let (flags, expired) = if flags.is_empty() {
                (SYN | ACK, Reason::InvalidTcp)
            } else {
                (ACK, Reason::NoProfile)
            };
            let wanted = if alive { KNOWN } else { expired };
            bench.continue_sequence(&[(key, EGRESS, from_host(&net, flags), wanted)]);
        }
    }
    bench.apply(&[eth0(), web(), short("tcpFinsSeen")]);
    for net in Net::both() {
        let mut rows = handshake(&net);
        rows.extend([
            ("FIN", INGRESS, from_client(&net, FIN | ACK), KNOWN),
            ("FIN", EGRESS, from_host(&net, FIN | ACK), KNOWN),
        ]);
        bench.expect_sequence(&rows);
        bench.age_flows(LATER);
        bench.continue_sequence(&[("closed", EGRESS, from_host(&net, ACK), Reason::NoProfile)]);
    }
}

/// EV-152: the opener's packets at another policed interface are judged there; answers may take any.
#[test]
fn the_opener_is_judged_again_at_another_interface() {
    let mut bench = Bench::with(&[
        eth0(),
        resource(
            "HostEndpoint",
            "h1-eth1",
            "side: inside",
            "node: h1, interfaceName: eth1",
        ),
        policy(
            "web",
            "selector: role == 'host', types: [Ingress], \
             ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
        ),
        policy("inside", "selector: side == 'inside', types: [Ingress]"),
    ]);
    for net in Net::both() {
        let mut rows = handshake(&net);
        rows.extend([
            (
                "answer elsewhere",
                Hook::egress("eth1"),
                from_host(&net, ACK),
                KNOWN,
            ),
            (
                "the opener elsewhere",
                Hook::ingress("eth1"),
                from_client(&net, ACK),
                Reason::TierDefault,
            ),
            ("at home", INGRESS, from_client(&net, ACK), KNOWN),
        ]);
        bench.expect_sequence(&rows);
    }
}
