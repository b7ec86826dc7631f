//! Fragments, and what they may hide (section 14).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{EGRESS, INGRESS},
    packet,
};

use crate::parse::{at_both_hooks, bench, bench_net};

/// EV-179, EV-123: first fragments are judged, later ones follow them, at the hook where they were
/// judged; fragments that hide a header are dropped.
#[test]
fn fragments_follow_their_first_one() {
    let mut bench = bench();
    let mut next_id = 0;
    at_both_hooks(&mut bench, |net, _| {
        let piece = |id: u32, offset: u16, length: u16, more: bool| {
            packet::udp(net.client, net.host)
                .dport(5000)
                .payload(100)
                .identification(id)
                .fragment(offset, length, more)
        };
        let tcp = |offset: u16, length: u16| {
            packet::tcp(net.client, net.host)
                .payload(100)
                .identification(9000)
                .fragment(offset, length, true)
        };
        vec![
            (
                "later without a first",
                piece(8000, 48, 8, true),
                Reason::FragmentNoFirst,
            ),
            (
                "last without a first",
                piece(8000, 48, 8, false),
                Reason::FragmentNoFirst,
            ),
            (
                "UDP header cut",
                piece(8001, 0, 7, true),
                Reason::BadFragment,
            ),
            ("TCP flags hidden", tcp(0, 8), Reason::BadFragment),
            ("TCP, just the flags", tcp(0, 16), Reason::PolicyAllow),
        ]
    });
    for net in Net::both() {
        let turned = Net {
            client: net.host,
            host: net.client,
            ..net
        };
        for (net, hook, other) in [(net, INGRESS, EGRESS), (turned, EGRESS, INGRESS)] {
            next_id += 1;
            let id = next_id;
            let piece = |port: u16, id: u32, number: u16| {
                packet::udp(net.client, net.host)
                    .dport(port)
                    .payload(64)
                    .identification(id)
                    .fragment(number * 24, 24, number < 2)
            };
            let elsewhere = packet::udp(net.member, net.host)
                .payload(64)
                .identification(id)
                .fragment(24, 24, true);
            bench.expect_sequence(&[
                ("first", hook, piece(5000, id, 0), Reason::PolicyAllow),
                ("second", hook, piece(5000, id, 1), Reason::FragmentAllow),
                ("last", hook, piece(5000, id, 2), Reason::FragmentAllow),
                (
                    "another id",
                    hook,
                    piece(5000, id + 100, 1),
                    Reason::FragmentNoFirst,
                ),
                ("another source", hook, elsewhere, Reason::FragmentNoFirst),
                (
                    "another hook",
                    other,
                    piece(5000, id, 1),
                    Reason::FragmentNoFirst,
                ),
                (
                    "first, denied",
                    hook,
                    piece(5001, id + 200, 0),
                    Reason::TierDefault,
                ),
                (
                    "second, denied",
                    hook,
                    piece(5001, id + 200, 1),
                    Reason::FragmentDeny,
                ),
                (
                    "again the allowed one",
                    hook,
                    piece(5000, id, 1),
                    Reason::FragmentAllow,
                ),
            ]);
        }
    }
}

/// EV-179: an overlap of the TCP header (RFC 1858) is dropped; an atomic IPv6 fragment is whole.
#[test]
fn overlapping_and_atomic_fragments() {
    let mut bench = bench();
    let v4 = bench_net(0);
    let overlap = packet::tcp(v4.client, v4.host)
        .payload(100)
        .fragment(8, 40, true);
    let v6 = bench_net(1);
    let atomic = |port: u16| {
        packet::udp(v6.client, v6.host)
            .dport(port)
            .fragment(0, 100, false)
    };
    bench.expect(&[
        ("offset 8 in TCP", INGRESS, overlap, Reason::BadFragment),
        (
            "atomic, allowed",
            INGRESS,
            atomic(5000),
            Reason::PolicyAllow,
        ),
        ("atomic, denied", INGRESS, atomic(5001), Reason::TierDefault),
    ]);
}
