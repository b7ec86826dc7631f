//! Everything but TCP through the connection table (section 12).

use std::time::Duration;

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_IN, Hook, INGRESS, INSIDE_INGRESS},
    packet::{self, ACK, SYN},
    policy::{eth0, felix, policy},
};

const KNOWN: Reason = Reason::Established;
const ALLOW: Reason = Reason::PolicyAllow;
const DENY: Reason = Reason::NoProfile;
const INVALID: Reason = Reason::InvalidIcmp;

fn bench(rules: &str) -> Bench {
    Bench::with(&[
        eth0(),
        policy("some", &format!("types: [Ingress], ingress: [{rules}]")),
    ])
}

/// EV-150: a datagram opens a flow of its five-tuple, and its answers pass.
#[test]
fn udp_and_sctp_flows_are_known_by_their_ports() {
    let mut bench = bench(
        "{action: Allow, protocol: UDP, destination: {ports: [53]}}, \
         {action: Allow, protocol: SCTP, destination: {ports: [53]}}",
    );
    for net in Net::both() {
        for make in [packet::udp, packet::sctp] {
            let request = make(net.client, net.host).dport(53);
            let answer = request.clone().reversed();
            bench.expect_sequence(&[
                ("answer first", EGRESS, answer.clone(), DENY),
                ("request", INGRESS, request.clone(), ALLOW),
                ("answer", EGRESS, answer.clone(), KNOWN),
                ("request again", INGRESS, request.clone(), KNOWN),
                (
                    "another client port",
                    EGRESS,
                    answer.clone().dport(40_001),
                    DENY,
                ),
                ("another host port", EGRESS, answer.sport(54), DENY),
            ]);
        }
        bench.expect_sequence(&[(
            "one flow for each protocol",
            INGRESS,
            packet::udp(net.client, net.host).dport(53),
            ALLOW,
        )]);
        let sctp = packet::sctp(net.host, net.client).sport(53).dport(40_000);
        bench.continue_sequence(&[("SCTP is another", EGRESS, sctp, DENY)]);
    }
}

/// EV-150: so are those of UDP-Lite and DCCP, whose ports no rule matches.
#[test]
fn ev_150_udp_lite_and_dccp_flows_are_known_by_their_ports() {
    let mut bench = bench("{action: Allow, protocol: UDPLite}, {action: Allow, protocol: 33}");
    for net in Net::both() {
        for number in [136, 33] {
            let request = packet::with_ports(net.client, net.host, number)
                .sport(1111)
                .dport(3333);
            let answer = request.clone().reversed();
            let error = packet::icmp_error(
                net.host,
                if net.host.is_ipv4() { 3 } else { 1 },
                3,
                &request,
                64,
            );
            bench.expect_sequence(&[
                ("answer first", EGRESS, answer.clone(), DENY),
                ("request", INGRESS, request.clone(), ALLOW),
                ("answer", EGRESS, answer.clone(), KNOWN),
                (
                    "another port here",
                    EGRESS,
                    answer.clone().sport(2222),
                    DENY,
                ),
                ("another port there", EGRESS, answer.dport(2222), DENY),
                ("request again", INGRESS, request.clone(), KNOWN),
                ("another request", INGRESS, request.sport(1112), ALLOW),
                ("an error about it", EGRESS, error, Reason::Related),
            ]);
        }
    }
}

/// EV-150: protocols without ports are flows of their addresses.
#[test]
fn protocols_without_ports_are_flows_of_their_addresses() {
    let mut bench = bench("{action: Allow, protocol: 47}");
    for net in Net::both() {
        let gre = packet::protocol(net.client, net.host, 47, 20);
        let other = packet::protocol(net.host, net.client, 50, 20);
        bench.expect_sequence(&[
            ("GRE", INGRESS, gre.clone(), ALLOW),
            ("GRE back", EGRESS, gre.clone().reversed(), KNOWN),
            ("ESP back", EGRESS, other, DENY),
            (
                "GRE to another",
                EGRESS,
                packet::protocol(net.host, net.member, 47, 20),
                DENY,
            ),
        ]);
    }
}

/// EV-150, EV-151, EV-247: an echo flow is its identifier, its replies pass only against its
/// opener's direction, and the other end's request is a new flow.
#[test]
fn ev_247_echo_flows_know_who_asked() {
    let mut bench = Bench::with(&[
        eth0(),
        policy(
            "ping",
            "types: [Egress], egress: [{action: Allow, protocol: ICMP, icmp: {type: 8}}, \
         {action: Allow, protocol: ICMPv6, icmp: {type: 128}}]",
        ),
    ]);
    for net in Net::both() {
        let (us, them) = (net.host, net.client);
        bench.expect_sequence(&[
            (
                "a reply to nothing",
                INGRESS,
                packet::echo_reply(them, us, 7),
                INVALID,
            ),
            ("we ask", EGRESS, packet::echo_request(us, them, 7), ALLOW),
            (
                "they answer",
                INGRESS,
                packet::echo_reply(them, us, 7),
                KNOWN,
            ),
            (
                "they ask, same identifier",
                INGRESS,
                packet::echo_request(them, us, 7),
                DENY,
            ),
            (
                "they answer again",
                INGRESS,
                packet::echo_reply(them, us, 7),
                KNOWN,
            ),
            (
                "another identifier",
                INGRESS,
                packet::echo_reply(them, us, 8),
                INVALID,
            ),
            (
                "another sender",
                INGRESS,
                packet::echo_reply(net.member, us, 7),
                INVALID,
            ),
            (
                "we answer what nobody asked",
                EGRESS,
                packet::echo_reply(us, them, 7),
                INVALID,
            ),
            (
                "we ask again",
                EGRESS,
                packet::echo_request(us, them, 7),
                KNOWN,
            ),
        ]);
    }
}

/// EV-150: IPv4 timestamp, information and address-mask queries are flows like echo, and a reply
/// must be of the request's type.
#[test]
fn other_icmp_queries_are_flows_like_echo() {
    let mut bench = bench("{action: Allow, protocol: ICMP}");
    let [net, _] = Net::both();
    for (request, reply) in [(13, 14), (15, 16), (17, 18)] {
        let query = packet::icmp(net.client, net.host, request, 0)
            .sport(9)
            .payload(12);
        let answer = packet::icmp(net.host, net.client, reply, 0)
            .sport(9)
            .payload(12);
        bench.expect_sequence(&[
            ("query", INGRESS, query, ALLOW),
            (
                "a reply of another type",
                EGRESS,
                packet::echo_reply(net.host, net.client, 9),
                INVALID,
            ),
            ("the reply", EGRESS, answer, KNOWN),
        ]);
    }
}

/// EV-154, EV-155: flows that are not TCP end by the timer of their protocol.
#[test]
fn flows_end_by_the_timer_of_their_protocol() {
    let rules = policy("some", "types: [Ingress], ingress: [{action: Allow}]");
    let mut bench = Bench::with(&[eth0()]);
    let timers = ["udpTimeout", "icmpTimeout", "genericTimeout"];
    for key in timers {
        let timers =
            timers.map(|timer| format!("{timer}: {}", if timer == key { "15s" } else { "1h" }));
        let timeouts = felix(&format!("bpfConntrackTimeouts: {{{}}}", timers.join(", ")));
        bench.apply(&[eth0(), rules.clone(), timeouts]);
        for net in Net::both() {
            let packets = [
                (
                    "udpTimeout",
                    packet::udp(net.client, net.host),
                    packet::udp(net.client, net.host).reversed(),
                ),
                (
                    "icmpTimeout",
                    packet::echo_request(net.client, net.host, 3),
                    packet::echo_reply(net.host, net.client, 3),
                ),
                (
                    "genericTimeout",
                    packet::protocol(net.client, net.host, 47, 8),
                    packet::protocol(net.host, net.client, 47, 8),
                ),
            ];
            bench.forget_flows();
            for (name, request, answer) in &packets {
                bench.continue_sequence(&[
                    (name, INGRESS, request.clone(), ALLOW),
                    (name, EGRESS, answer.clone(), KNOWN),
                ]);
            }
            bench.age_flows(Duration::from_secs(30));
            for (name, _, answer) in packets {
                let wanted = match name {
                    _ if name != key => KNOWN,
                    "icmpTimeout" => INVALID,
                    _ => DENY,
                };
                bench.continue_sequence(&[(name, EGRESS, answer, wanted)]);
            }
        }
    }
}

/// An entry counts the packets and bytes of both ends.
#[test]
fn entries_count_what_both_ends_send() {
    let mut bench = bench("{action: Allow}");
    for net in Net::both() {
        let request = packet::udp(net.client, net.host).dport(53).payload(100);
        let answer = packet::udp(net.client, net.host)
            .dport(53)
            .payload(10)
            .reversed();
        let lengths = [request.frame().len(), answer.frame().len()];
        bench.expect_sequence(&[
            ("request", INGRESS, request.clone(), ALLOW),
            ("request", INGRESS, request, KNOWN),
            ("answer", EGRESS, answer, KNOWN),
        ]);
        let [flow] = &bench.flows()[..] else {
            panic!("one flow: {:#?}", bench.flows());
        };
        assert_eq!((flow.opener.packets, flow.responder.packets), (2, 1));
        assert_eq!(flow.opener.address, net.client);
        let bytes = [flow.opener.bytes, flow.responder.bytes];
        let sent = [2 * lengths[0], lengths[1]].map(|sum| u64::try_from(sum).expect("fits"));
        assert_eq!(bytes, sent);
        assert_eq!(flow.state.name(), "replied");
    }
}

/// EV-159: more new flows than the table of them holds are all accepted, and push out none that is
/// established.
#[test]
fn a_flood_of_new_flows_pushes_out_no_established_one() {
    /// More than the table of the harness holds.
    const FLOOD: u32 = 65_536;
    const PORTS: u32 = 60_000;
    let mut bench = bench("{action: Allow, protocol: TCP}");
    for net in Net::both() {
        bench.forget_flows();
        let segment =
            |sport: u16, flags: u8| packet::tcp(net.member, net.host).sport(sport).flags(flags);
        let answer = |sport: u16, flags: u8| segment(sport, flags).reversed();
        for sport in 1..=64 {
            bench.continue_sequence(&[
                ("SYN", INGRESS, segment(sport, SYN).numbers(7, 0), ALLOW),
                (
                    "SYN ACK",
                    EGRESS,
                    answer(sport, SYN | ACK).numbers(9, 8),
                    KNOWN,
                ),
                ("ACK", INGRESS, segment(sport, ACK).numbers(8, 10), KNOWN),
            ]);
        }
        for number in 0..FLOOD {
            let [port, round] = [number % PORTS, number / PORTS]
                .map(|number| u16::try_from(number).expect("below 65536"));
            let syn = packet::tcp(net.client, net.host)
                .sport(1024 + port)
                .dport(80 + round);
            let (passes, reason) = bench.run(INGRESS, &syn.frame()).expect("a frame");
            assert!(passes, "SYN {number}: {reason:?}");
        }
        for sport in 1..=64 {
            bench.continue_sequence(&[
                ("from the host", EGRESS, answer(sport, ACK), KNOWN),
                ("from the peer", INGRESS, segment(sport, ACK), KNOWN),
            ]);
        }
    }
}

/// EV-161: at an interface without an endpoint no flow is created, and none is looked up, not even one that
/// is blocked elsewhere.
#[test]
fn unpoliced_interfaces_have_nothing_to_do_with_flows() {
    let mut bench = bench("{action: Allow, protocol: UDP}");
    for net in Net::both() {
        let request = packet::udp(net.client, net.host);
        let answer = request.clone().reversed();
        let outside = [
            ("in", INSIDE_INGRESS, request.clone(), Reason::Unpoliced),
            (
                "out",
                Hook::egress("eth1"),
                answer.clone(),
                Reason::Unpoliced,
            ),
            ("through", FORWARD_IN, request.clone(), Reason::Unpoliced),
        ];
        bench.expect_sequence(&outside);
        assert!(bench.flows().is_empty(), "{:#?}", bench.flows());
        bench.continue_sequence(&[
            ("opens a flow", INGRESS, request.clone(), ALLOW),
            ("its answer", EGRESS, answer.clone(), KNOWN),
        ]);
        bench.apply(&[eth0()]);
        bench.continue_sequence(&[("now blocked", EGRESS, answer, Reason::Blocked)]);
        bench.continue_sequence(&outside);
        bench.apply(&[
            eth0(),
            policy("some", "types: [Ingress], ingress: [{action: Allow}]"),
        ]);
    }
}
