//! Loads and starts under traffic: whole, or not at all (EV-188, EV-189).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    packet::{self, Packet},
    policy::{eth0, network_set, policy},
    probe::PATIENCE,
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};

/// Payload of datagrams that policy denies.
const DENIED_BYTES: usize = 8;
/// Payload of datagrams that policy allows.
const ALLOWED_BYTES: usize = 16;
/// How often policy changes.
const CHANGES: usize = 8;
/// Pairs of datagrams during which nothing changes.
const QUIET: u32 = 50;

/// Sends pairs of datagrams to the host, each the first of its flow: one of `DENIED_BYTES`, then one
/// of `ALLOWED_BYTES`, over a link that keeps their order.
struct Pairs<'a> {
    link: Link,
    sent: u32,
    topology: &'a Topology,
}

impl<'a> Pairs<'a> {
    fn new(topology: &'a Topology) -> Self {
        let link = Link::open(&topology.outside, "eth0");
        Self {
            link,
            sent: 0,
            topology,
        }
    }

    /// Sends a pair in each family until `done` is set, and `QUIET` pairs more. `pair` makes the datagrams;
    /// they must arrive at `port`.
    ///
    /// Returns whether the denied one of each pair arrived, by family.
    fn send(
        &mut self,
        port: u16,
        done: &AtomicBool,
        pair: impl Fn(&Net) -> [packet::Packet; 2],
    ) -> [Vec<bool>; 2] {
        let receivers = Net::both().map(|net| Receiver::udp(&self.topology.host, net.host, port));
        let mut arrived = [Vec::new(), Vec::new()];
        let mut left = QUIET;
        while left > 0 {
            if done.load(Ordering::Relaxed) {
                left -= 1;
            }
            self.sent += 1;
            let sport = u16::try_from(1024 + self.sent % 60_000).expect("below 65536");
            for ((net, receiver), arrived) in Net::both().iter().zip(&receivers).zip(&mut arrived) {
                let [denied, allowed] = pair(net);
                for (packet, bytes) in [(denied, DENIED_BYTES), (allowed, ALLOWED_BYTES)] {
                    let frame = packet.sport(sport).dport(port).payload(bytes);
                    self.link
                        .send(&frame.ethernet(OUTSIDE_MAC, HOST_MAC).frame());
                }
                let first = receiver.receive(PATIENCE, |_| true);
                if first == Some(DENIED_BYTES) {
                    arrived.push(true);
                    let second = receiver.receive(PATIENCE, |_| true);
                    assert_eq!(
                        second,
                        Some(ALLOWED_BYTES),
                        "pair {} to {}",
                        self.sent,
                        net.host
                    );
                } else {
                    arrived.push(false);
                    assert_eq!(
                        first,
                        Some(ALLOWED_BYTES),
                        "pair {} to {}",
                        self.sent,
                        net.host
                    );
                }
            }
        }
        arrived
    }
}

/// One datagram each from the client and from the member of a set.
fn client_then_member(net: &Net) -> [Packet; 2] {
    [net.client, net.member].map(|from| packet::udp(from, net.host))
}

/// EV-188: rules and sets change together. Either policy denies the client and allows the member;
/// the rules of one with the sets of the other would do the reverse.
#[test]
fn ev_188_no_packet_is_judged_by_rules_and_sets_of_two_generations() {
    let topology = Topology::new();
    let addresses =
        |of: fn(&Net) -> std::net::IpAddr| Net::both().map(|net| net.prefix(of(&net))).to_vec();
    let generation = |rule_of: &str, other: &str| {
        vec![
            eth0(),
            policy(
                "some",
                &format!(
                    "types: [Ingress], \
                     ingress: [{{action: Allow, source: {{selector: set == '{rule_of}'}}}}]"
                ),
            ),
            network_set(
                rule_of,
                &format!("set: {rule_of}"),
                &addresses(|net| net.member),
            ),
            network_set(
                other,
                &format!("set: {other}"),
                &addresses(|net| net.client),
            ),
        ]
    };
    let generations = [generation("one", "two"), generation("two", "one")];
    let mut daemon = Daemon::start(&topology.host, &generations[0]);
    let done = AtomicBool::new(false);
    let mut pairs = Pairs::new(&topology);
    let arrived = thread::scope(|scope| {
        let sending = scope.spawn(|| pairs.send(5000, &done, client_then_member));
        for change in 1..=CHANGES {
            daemon.replace(&generations[change % 2]);
        }
        done.store(true, Ordering::Relaxed);
        sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    for arrived in arrived {
        assert!(
            !arrived.contains(&true),
            "of the client's {} datagrams",
            arrived.len()
        );
    }
}

/// EV-189, EV-191: while the daemon starts, stops and starts again, policy is there from one packet
/// to the next, and then for good: what it allows is never lost, and what it denies never comes
/// through any more.
#[test]
fn ev_189_policy_begins_between_two_packets_and_stays() {
    let topology = Topology::new();
    let allow = policy(
        "some",
        &format!(
            "types: [Ingress], ingress: [{}]",
            Net::both()
                .map(|net| format!(
                    "{{action: Allow, protocol: UDP, source: {{nets: ['{}']}}}}",
                    net.prefix(net.member)
                ))
                .join(", ")
        ),
    );
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon
        .directory()
        .write("all.yaml", &hep_tests::policy::documents(&[eth0(), allow]));
    let done = AtomicBool::new(false);
    let mut pairs = Pairs::new(&topology);
    let arrived = thread::scope(|scope| {
        let sending = scope.spawn(|| pairs.send(5000, &done, client_then_member));
        thread::sleep(Duration::from_millis(20));
        daemon.spawn();
        daemon.wait_for(1);
        daemon.stop();
        daemon.spawn();
        daemon.wait_for(2);
        done.store(true, Ordering::Relaxed);
        sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    for arrived in arrived {
        let before = arrived.iter().take_while(|arrived| **arrived).count();
        let after = &arrived[before..];
        assert!(before > 0, "nothing is policed before the start");
        assert!(after.len() > QUIET as usize, "policed in the end");
        assert!(
            !after.contains(&true),
            "policed once and then not: {before} of {}",
            arrived.len()
        );
    }
}

/// Members of each family in the long set, all around the probed addresses.
const LONG: u32 = 4000;
/// How often some members leave the long set, and others join it.
const EDITS: u32 = 20;
/// How many, of each family.
const AT_ONCE: u32 = 25;

/// The long set, as the edit of this number leaves it: the member of each network is always in it, its
/// client never, and most others stay.
fn long_set(edit: u32) -> String {
    let nets = Net::both().map(|net| {
        let at = |offset: u32| match net.member {
            IpAddr::V4(member) => {
                IpAddr::from(Ipv4Addr::from_bits(member.to_bits() & !0xffff | offset))
            }
            // Of three /64s, one of them that of the addresses asked about.
            IpAddr::V6(member) => {
                let block = u128::from(offset % 3) << 64;
                IpAddr::from(Ipv6Addr::from_bits(
                    (member.to_bits() ^ block) + u128::from(offset),
                ))
            }
        };
        let stay = (0..LONG).map(|number| 16 * number + 5);
        let come = (0..AT_ONCE).map(|number| 16 * ((edit * 97 + number * 3) % LONG) + 12);
        let others = stay.chain(come).map(at);
        let others = others.filter(|address| ![net.member, net.client].contains(address));
        let all: Vec<_> = others
            .chain([net.member])
            .map(|address| net.prefix(address))
            .collect();
        all
    });
    network_set("long", "set: long", &nets.concat())
}

/// EV-188, EV-190: while addresses join a long set and leave it, no packet of another address meets
/// anything but its own verdict, allowed or denied.
#[test]
fn other_addresses_keep_their_verdicts_while_a_long_set_changes() {
    let topology = Topology::new();
    let members = policy(
        "members",
        "types: [Ingress], ingress: [{action: Allow, source: {selector: set == 'long'}}]",
    );
    let resources = |edit: u32| [eth0(), members.clone(), long_set(edit)];
    let mut daemon = Daemon::start(&topology.host, &resources(0));
    let done = AtomicBool::new(false);
    let mut pairs = Pairs::new(&topology);
    let arrived = thread::scope(|scope| {
        let sending = scope.spawn(|| pairs.send(5000, &done, client_then_member));
        for edit in 1..=EDITS {
            daemon.replace(&resources(edit));
            let load = &daemon.status()["daemon"]["lastLoad"];
            let [written, entries] = ["written", "entries"].map(|key| load[key].as_u64());
            assert!(
                written.map(|written| 100 * written) < entries,
                "no delta: {load}"
            );
        }
        done.store(true, Ordering::Relaxed);
        sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    for arrived in arrived {
        assert!(arrived.len() > EDITS as usize, "traffic all the while");
        let wrong = arrived.iter().filter(|arrived| **arrived).count();
        assert_eq!(wrong, 0, "of the client's {} datagrams", arrived.len());
    }
}
