//! Flows that versions with other layouts of them wrote.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use aya::{Pod, maps::HashMap};
use hep_common::{
    Direction,
    conntrack::{
        Approval, ConnKey4, ConnKey6, FLAG_OPENED_BY_A, FLAG_SEEDED, LAYOUT_VERSION,
        RESET_GRACE_NS, State, leg,
    },
    counter::Reason,
    protocol,
    tick::{TICK_NS, Tick},
};
use hep_tests::{
    address::Net,
    packet::{self, ACK, Packet},
};
use hep_userspace::datapath::{Flow, Home, Kernel, LoadOptions, SeedFlow};

use crate::{
    fixture::{Fixture, generation},
    flows::{ago_ns, of_another_version},
};

/// The interface at whose ingress hook the flows were approved; the one of [`generation`].
const IFINDEX: u32 = 1;
/// The interface at whose egress hook they were.
const ELSEWHERE: u32 = 6;

/// A flow in the first layout: 72 bytes, times in nanoseconds.
type First = [u64; 9];

/// A flow that end `opener` opened, approved at both hooks; both ends have sent the flags `said`.
fn first(number: u8, opener: usize, said: u8, reset_ns: u64) -> First {
    let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let flags = if opener == 0 {
        FLAG_OPENED_BY_A | FLAG_SEEDED
    } else {
        FLAG_SEEDED
    };
    [
        ago_ns(IDLE),
        reset_ns,
        1100,
        2200,
        pair(11, 22),
        pair(IFINDEX, 5),
        pair(7, ELSEWHERE),
        pair(5, 8),
        u64::from_le_bytes([said, said, flags, 0, 0, number, 0, 0]),
    ]
}

/// The same in the second layout: 64 bytes, times in ticks.
type Second = [u64; 8];

/// A flow of the first layout as the second has it.
fn second(flow: First) -> Second {
    let [
        last_seen,
        reset,
        bytes_a,
        bytes_b,
        packets,
        ingress,
        both,
        egress,
        last,
    ] = flow;
    let reset = if reset == 0 {
        0
    } else {
        u64::from(Tick::some_at(reset).0)
    };
    let moments = u64::from(Tick::at(last_seen).0) << 32 | reset;
    [
        last, moments, ingress, both, egress, packets, bytes_a, bytes_b,
    ]
}

/// How long ago the last packets came.
const IDLE: Duration = Duration::from_secs(3);

/// Puts a table of the first layout in place of one of this version's.
fn pin<K: Pod, V: Pod>(directory: &Path, name: &str, flows: &[(K, V)]) {
    let mut map = HashMap::<_, K, V>::create(64, 0).expect("creates");
    for (key, flow) in flows {
        map.insert(key, flow, 0).expect("has room");
    }
    map.pin(directory.join(name)).expect("pins");
}

/// Puts tables of the first two layouts in place of this version's.
fn pin_all(directory: &Path, layout: u32, v4: &[(ConnKey4, First)], v6: &[(ConnKey6, First)]) {
    for name in [
        "ASSURED_TCP4",
        "ASSURED_TCP6",
        "ASSURED4",
        "ASSURED6",
        "UNASSURED",
    ] {
        fs::remove_file(directory.join(name)).expect("is pinned");
    }
    let noted = directory.join(format!("flows-{LAYOUT_VERSION}"));
    fs::rename(noted, directory.join(format!("flows-{layout}"))).expect("renames");
    if layout == 1 {
        pin(directory, "CONNS4", v4);
        pin(directory, "CONNS6", v6);
        pin::<ConnKey4, First>(directory, "HALF4", &[]);
        pin(directory, "HALF6", &v6[..1]);
    } else {
        let v4: Vec<_> = v4.iter().map(|(key, flow)| (*key, second(*flow))).collect();
        let v6: Vec<_> = v6.iter().map(|(key, flow)| (*key, second(*flow))).collect();
        pin(directory, "CONNS4", &v4);
        pin(directory, "CONNS6", &v6);
        pin::<ConnKey4, Second>(directory, "HALF4", &[]);
        pin(directory, "HALF6", &v6[..1]);
    }
}

/// The host has a socket of each TCP connection.
fn connections() -> Vec<SeedFlow> {
    let flows = Net::both().map(|net| SeedFlow {
        protocol: protocol::TCP,
        opener: (net.client, SPORT),
        responder: (net.host, DPORT),
        assured: true,
    });
    flows.into()
}

/// The key of the packet's flow of either family, and the end that sent it.
fn key(number: u8, packet: &Packet) -> (Result<ConnKey4, ConnKey6>, usize) {
    let (key, by_a) = match (packet.source(), packet.destination()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let (key, by_a) = ConnKey4::of(number, (from.octets(), SPORT), (to.octets(), DPORT));
            (Ok(key), by_a)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let (key, by_a) = ConnKey6::of(number, (from.octets(), SPORT), (to.octets(), DPORT));
            (Err(key), by_a)
        }
        (from, to) => panic!("{from} and {to} are of two families"),
    };
    (key, usize::from(!by_a))
}

const SPORT: u16 = 40_000;
const DPORT: u16 = 53;

/// EV-158, EV-159, EV-191: an upgrade from versions with the first two layouts keeps the flows; those with
/// a socket are assured.
#[test]
fn flows_of_earlier_layouts_are_taken_over_and_go_on() {
    for layout in [1, 2] {
        take_over(layout);
    }
}

fn take_over(layout: u32) {
    let fixture = Fixture::new();
    let options = LoadOptions {
        record_decisions: true,
        connections,
        ..fixture.options()
    };
    let open = || {
        let mut kernel = Kernel::open(&options).expect("opens");
        let mut generation = generation("node", 1);
        generation.tables.settings.timeouts.udp_ns = 3_600_000_000_000;
        kernel.apply(&mut generation).expect("applies");
        kernel
    };
    drop(open());
    let other = of_another_version(&fixture.pins());

    let established = leg::SEEN | leg::SYN | leg::ACK;
    let (mut v4, mut v6, mut packets) = (Vec::new(), Vec::new(), Vec::new());
    for net in Net::both() {
        let udp = packet::udp(net.client, net.host);
        let tcp = packet::tcp(net.client, net.host).flags(ACK);
        for (number, packet, said, reset_ns) in [
            (protocol::UDP, udp, leg::SEEN, 0),
            (protocol::TCP, tcp, established, ago_ns(IDLE)),
        ] {
            let packet = packet.sport(SPORT).dport(DPORT);
            let (key, opener) = key(number, &packet);
            let flow = first(number, opener, said, reset_ns);
            match key {
                Ok(key) => v4.push((key, flow)),
                Err(key) => v6.push((key, flow)),
            }
            packets.push(packet);
        }
    }
    pin_all(&other, layout, &v4, &v6);

    let mut kernel = open();
    assert!(!kernel.is_cold().expect("reads"));
    let flows = kernel.maps().flows().expect("reads");
    assert_eq!(flows.len(), 4, "{flows:#?}");
    for flow in &flows {
        check(flow);
    }
    for packet in packets {
        let stranger = packet.clone().sport(SPORT + 1);
        let judge = |packet: &Packet| {
            let outcome = kernel.test_run(Direction::Ingress, IFINDEX, 0, &packet.frame());
            let decision = outcome.expect("runs").decision.expect("is recorded");
            Reason::try_from(decision.reason).expect("is a reason")
        };
        assert_ne!(judge(&stranger), Reason::Established, "{stranger:?}");
        assert_eq!(judge(&packet), Reason::Established, "{packet:?}");
    }
    kernel.finish_adoption().expect("copies");
    assert!(!other.exists());
}

/// Every field is what was written.
fn check(flow: &Flow) {
    let (state, idle_limit) = match flow.protocol {
        protocol::UDP => (State::Replied, Duration::from_secs(3600)),
        // The RST was not the last word, but is not outlived yet.
        _ => (State::Established, Duration::from_nanos(RESET_GRACE_NS)),
    };
    assert_eq!((flow.state, flow.idle_limit), (state, idle_limit));
    let told_at_least = IDLE - 2 * Duration::from_nanos(TICK_NS);
    assert!(
        (told_at_least..idle_limit).contains(&flow.idle),
        "{flow:#?}"
    );
    let ends = [&flow.opener, &flow.responder].map(|end| (end.port, end.packets, end.bytes));
    let by_a = [(SPORT, 11, 1100), (DPORT, 22, 2200)];
    let by_b = [(SPORT, 22, 2200), (DPORT, 11, 1100)];
    assert!(ends == by_a || ends == by_b, "{flow:#?}");
    let home = match flow.protocol {
        protocol::TCP => Home::Assured,
        _ => Home::Unassured,
    };
    assert_eq!(flow.home, home, "{flow:#?}");
    // What approved them is numbered anew here.
    assert_eq!(flow.generation, 0);
    let approved_at = |ifindex| {
        Some(Approval {
            ifindex,
            ..Approval::default()
        })
    };
    assert_eq!(flow.approvals, [IFINDEX, ELSEWHERE].map(approved_at));
    assert!(flow.is_seeded && !flow.is_blocked, "{flow:#?}");
}
