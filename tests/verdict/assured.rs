//! Which flows are assured, and what a blind RST does to them.

use std::time::Duration;

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_OUT, Hook, INGRESS},
    packet::{self, ACK, FIN, Packet, RST, SYN},
    policy::{eth0, felix, policy},
};
use hep_userspace::datapath::Home;

const KNOWN: Reason = Reason::Established;

/// The opener's first number.
const ISN: u32 = 1000;
/// The other end's.
const ISN_BACK: u32 = 0xffff_fff0;

/// Lets everything in, and nothing out but packets of existing flows.
fn bench(more: &[String]) -> Bench {
    let mut resources = vec![
        eth0(),
        policy("in", "types: [Ingress], ingress: [{action: Allow}]"),
    ];
    resources.extend_from_slice(more);
    Bench::with(&resources)
}

/// A segment of the opener: flags, number and acknowledgement beyond the first ones, bytes of data.
fn there(net: &Net, flags: u8, sent: u32, heard: u32, bytes: usize) -> Packet {
    packet::tcp(net.client, net.host)
        .flags(flags)
        .numbers(ISN.wrapping_add(sent), ISN_BACK.wrapping_add(heard))
        .payload(bytes)
}

/// A segment of the other end, likewise.
fn back(net: &Net, flags: u8, sent: u32, heard: u32, bytes: usize) -> Packet {
    packet::tcp(net.client, net.host)
        .reversed()
        .flags(flags)
        .numbers(ISN_BACK.wrapping_add(sent), ISN.wrapping_add(heard))
        .payload(bytes)
}

/// Packets in order: by which hook, which packet. All pass.
type Conversation = Vec<(Hook, Packet)>;

/// Has a conversation, and returns where its only flow lives.
fn home_after(bench: &mut Bench, what: &str, conversation: &Conversation) -> Home {
    bench.forget_flows();
    for (number, (hook, packet)) in conversation.iter().enumerate() {
        let (passes, reason) = bench.run(*hook, &packet.frame()).expect("a frame");
        assert!(passes, "{what}: packet {number}: {reason:?}");
    }
    let flows = bench.flows();
    let [flow] = &flows[..] else {
        panic!("{what}: one flow: {flows:#?}");
    };
    flow.home
}

fn handshake(net: &Net) -> Conversation {
    vec![
        (INGRESS, there(net, SYN, 0, 0, 0)),
        (EGRESS, back(net, SYN | ACK, 0, 1, 0)),
        (INGRESS, there(net, ACK, 1, 1, 0)),
    ]
}

/// EV-159: what makes a TCP connection an assured one, and what does not, whoever answers.
#[test]
fn ev_159_tcp_is_assured_by_what_nobody_else_could_have_acknowledged() {
    let mut bench = bench(&[]);
    for net in Net::both() {
        let in_ = |flags, sent, heard, bytes| (INGRESS, there(&net, flags, sent, heard, bytes));
        let out = |flags, sent, heard, bytes| (EGRESS, back(&net, flags, sent, heard, bytes));
        let never: [(&str, Conversation); 11] = [
            ("a SYN", vec![in_(SYN, 0, 0, 0)]),
            (
                "a SYN that a closed port answers",
                vec![in_(SYN, 0, 0, 0), out(RST | ACK, 0, 1, 0)],
            ),
            (
                "a SYN that an open port answers",
                vec![in_(SYN, 0, 0, 0), out(SYN | ACK, 0, 1, 0)],
            ),
            (
                "an ACK of what was not sent",
                vec![
                    in_(SYN, 0, 0, 0),
                    out(SYN | ACK, 0, 1, 0),
                    in_(ACK, 1, 7, 0),
                ],
            ),
            (
                "data with an ACK of what was not sent",
                vec![
                    in_(SYN, 0, 0, 0),
                    out(SYN | ACK, 0, 1, 0),
                    in_(ACK, 1, 7, 50),
                    out(RST, 7, 0, 0),
                    in_(ACK, 51, 7, 50),
                ],
            ),
            (
                "a RST for the answer",
                vec![
                    in_(SYN, 0, 0, 0),
                    out(SYN | ACK, 0, 1, 0),
                    in_(RST, 1, 0, 0),
                ],
            ),
            (
                "a FIN for the answer",
                vec![
                    in_(SYN, 0, 0, 0),
                    out(SYN | ACK, 0, 1, 0),
                    in_(FIN | ACK, 1, 1, 0),
                ],
            ),
            ("a bare ACK", vec![in_(ACK, 1, 1, 0)]),
            (
                "a bare ACK that a closed port answers",
                vec![in_(ACK, 1, 1, 0), out(RST, 1, 0, 0)],
            ),
            (
                "data without a connection",
                vec![
                    in_(ACK, 1, 1, 50),
                    out(RST, 1, 0, 0),
                    in_(ACK, 51, 1, 50),
                    out(RST, 1, 0, 0),
                ],
            ),
            (
                "data that is acknowledged in part",
                vec![in_(ACK, 1, 1, 50), out(ACK, 1, 1, 0), out(ACK, 1, 50, 0)],
            ),
        ];
        for (what, conversation) in never {
            let home = home_after(&mut bench, what, &conversation);
            assert_eq!(home, Home::Unassured, "{what}, {}", net.host);
        }
        let assured: [(&str, Conversation); 4] = [
            ("a handshake", handshake(&net)),
            (
                "a handshake whose last ACK is lost",
                vec![
                    in_(SYN, 0, 0, 0),
                    out(SYN | ACK, 0, 1, 0),
                    in_(ACK, 1, 1, 50),
                ],
            ),
            (
                "a picked-up connection whose opener's data is acknowledged",
                vec![in_(ACK, 1, 1, 50), out(ACK, 1, 51, 0)],
            ),
            (
                "a picked-up connection whose other end's data is",
                vec![in_(ACK, 1, 1, 0), out(ACK, 1, 1, 50), in_(ACK, 1, 51, 0)],
            ),
        ];
        for (what, conversation) in assured {
            let home = home_after(&mut bench, what, &conversation);
            assert_eq!(home, Home::Assured, "{what}, {}", net.host);
        }
    }
}

/// EV-159: a connection that has ended is among the assured no longer, and a new one may follow.
#[test]
fn ev_159_a_connection_that_ended_makes_room_among_the_assured() {
    let mut bench = bench(&[]);
    for net in Net::both() {
        let mut closed = handshake(&net);
        closed.push((INGRESS, there(&net, FIN | ACK, 1, 1, 0)));
        closed.push((EGRESS, back(&net, FIN | ACK, 1, 2, 0)));
        let mut reset = handshake(&net);
        reset.push((INGRESS, there(&net, RST, 1, 1, 0)));
        for (what, conversation) in [("closed", closed), ("reset", reset)] {
            let home = home_after(&mut bench, what, &conversation);
            assert_eq!(home, Home::Unassured, "{what}, {}", net.host);
            let mut again = conversation;
            again.extend(handshake(&net));
            let home = home_after(&mut bench, what, &again);
            assert_eq!(home, Home::Assured, "{what} and opened again, {}", net.host);
        }
    }
}

/// EV-159: without a handshake it takes both ends, and an opener that speaks 2 s after its first packet;
/// ICMP queries never are.
#[test]
fn ev_159_others_are_assured_by_time_and_icmp_never() {
    let mut bench = bench(&[]);
    for net in Net::both() {
        let udp = packet::udp(net.client, net.host).dport(53);
        let gre = packet::protocol(net.client, net.host, 47, 20);
        let ping = packet::echo_request(net.client, net.host, 9);
        let pong = packet::echo_reply(net.host, net.client, 9);
        for (what, request, answer, wanted) in [
            ("UDP", udp.clone(), udp.reversed(), Home::Assured),
            ("GRE", gre.clone(), gre.reversed(), Home::Assured),
            ("ICMP", ping, pong, Home::Unassured),
        ] {
            let exchange = vec![(INGRESS, request.clone()), (EGRESS, answer.clone())];
            let mut three = exchange.clone();
            three.extend(exchange.clone());
            three.extend(exchange.clone());
            let home = home_after(&mut bench, what, &three);
            assert_eq!(home, Home::Unassured, "{what}, three exchanges at once");

            for (row, hook, packet, wanted) in [
                ("an answer 2 s later", EGRESS, &answer, Home::Unassured),
                ("a request 2 s later", INGRESS, &request, wanted),
            ] {
                home_after(&mut bench, what, &exchange);
                bench.age_flows(Duration::from_secs(2));
                bench.continue_sequence(&[(row, hook, packet.clone(), KNOWN)]);
                let homes: Vec<_> = bench.flows().iter().map(|flow| flow.home).collect();
                assert_eq!(homes, [wanted], "{what}, {row}, {}", net.host);
            }

            home_after(&mut bench, what, &vec![(INGRESS, request.clone())]);
            bench.age_flows(Duration::from_secs(2));
            bench.continue_sequence(&[("unanswered", INGRESS, request.clone(), KNOWN)]);
            let homes: Vec<_> = bench.flows().iter().map(|flow| flow.home).collect();
            assert_eq!(homes, [Home::Unassured], "{what}, unanswered");
        }
    }
}

/// EV-159: where the table of assured flows is full, further ones pass as the others do, and are counted.
#[test]
fn ev_159_more_assured_flows_than_fit_pass_and_are_counted() {
    let mut bench = bench(&[]);
    let full = 4096 + 8;
    for net in Net::both() {
        bench.forget_flows();
        let of =
            |number: u32, packet: Packet| packet.sport(u16::try_from(1024 + number).expect("fits"));
        for number in 0..full {
            for (hook, packet) in handshake(&net) {
                let packet = match hook {
                    INGRESS => of(number, packet),
                    _ => packet.dport(u16::try_from(1024 + number).expect("fits")),
                };
                let (passes, reason) = bench.run(hook, &packet.frame()).expect("a frame");
                assert!(passes, "{number}: {reason:?}");
            }
        }
        let flows = bench.flows();
        let assured = flows.iter().filter(|flow| flow.home == Home::Assured);
        assert_eq!(assured.count(), 4096, "{}", net.host);
        assert_eq!(flows.len(), usize::try_from(full).expect("fits"));
    }
}

/// EV-156: a RST out of place passes, and shortens nothing, local and forwarded; one in its place does.
#[test]
fn ev_156_a_blind_reset_ends_no_connection() {
    let timeouts = felix("bpfConntrackTimeouts: {tcpResetSeen: 15s}");
    let mut bench = bench(&[timeouts]);
    for net in Net::both() {
        for (end, outward, unknown) in [
            (net.host, EGRESS, Reason::NoProfile),
            (net.inner, FORWARD_OUT, Reason::ForwardDefault),
        ] {
            let net = Net { host: end, ..net };
            let opener = |flags, sent| (INGRESS, there(&net, flags, sent, 1, 0));
            let other = |flags, sent| (outward, back(&net, flags, sent, 1, 0));
            for (what, (hook, reset), survives) in [
                ("of the opener, behind", opener(RST, 0), true),
                ("of the opener, ahead", opener(RST, 2), true),
                ("of the opener, far off", opener(RST | ACK, 1 << 31), true),
                ("of the other end, behind", other(RST | ACK, 0), true),
                ("of the other end, ahead", other(RST, 77), true),
                ("of the opener, in its place", opener(RST, 1), false),
                ("of the other end, in its place", other(RST | ACK, 1), false),
            ] {
                bench.forget_flows();
                for (hook, packet) in handshake(&net) {
                    let hook = if hook == EGRESS { outward } else { hook };
                    assert!(bench.judge(hook, &packet).allows());
                }
                let what = format!("{what}, {end}");
                bench.continue_sequence(&[(&*what, hook, reset, KNOWN)]);
                bench.age_flows(Duration::from_secs(30));
                let data = back(&net, ACK, 1, 1, 10);
                let wanted = if survives { KNOWN } else { unknown };
                bench.continue_sequence(&[(&*what, outward, data, wanted)]);
            }
        }
    }
}
