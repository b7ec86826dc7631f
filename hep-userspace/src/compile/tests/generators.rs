//! Random snapshots and packets.

use hep_common::Family;
use proptest::{
    prelude::*,
    sample::{select, subsequence},
};

use super::{
    fixture::{
        At, ETH0, ETH1, EndpointExt, PolicyExt, arcs, endpoint, failsafe, ingress, networks,
        port_match, protocol_named, selector, set, side, snapshot, tier,
    },
    walker::Packet,
};
use crate::model::{
    Action, DEFAULT_ALLOW_PROFILE, DefaultAction, EntityRule, HostEndpoint, IcmpMatch, Policy,
    Profile, Rule, Snapshot, Stage,
};

const NETS4: [&str; 7] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.4/30",
    "10.0.0.5/32",
    "192.0.2.0/24",
    "198.51.100.7/32",
    "255.255.255.255/32",
];
const NETS6: [&str; 7] = [
    "::/0",
    "2001:db8::/32",
    "2001:db8::/64",
    "2001:db8::10/128",
    "2001:db8:0:1::/64",
    "2000::/3",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
];
const ADDRESSES4: [&str; 8] = [
    "0.0.0.0",
    "10.0.0.4",
    "10.0.0.5",
    "10.0.0.8",
    "192.0.2.10",
    "198.51.100.7",
    "198.51.100.8",
    "255.255.255.255",
];
const ADDRESSES6: [&str; 8] = [
    "::",
    "2001:db8::10",
    "2001:db8::11",
    "2001:db8:0:1::",
    "2001:db8:0:1:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "3fff::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const SELECTORS: [&str; 6] = [
    "all()",
    "role == 'a'",
    "role == 'b'",
    "has(zone)",
    "role != 'a'",
    "role == 'nobody'",
];
const PORTS: [&str; 6] = ["22", "53", "80", "80:90", "web", "dns"];
const PORT_NUMBERS: [u16; 7] = [22, 53, 79, 80, 85, 90, 91];

fn some_side(family: Option<Family>, ports: bool) -> impl Strategy<Value = EntityRule> {
    let nets = match family {
        Some(Family::V4) => NETS4.to_vec(),
        Some(Family::V6) => NETS6.to_vec(),
        None => Vec::new(),
    };
    let most = nets.len().min(2);
    let items = if ports { PORTS.to_vec() } else { Vec::new() };
    let most_ports = items.len().min(2);
    (
        subsequence(nets.clone(), 0..=most),
        // A net that covers everything may not be negated (RS-090).
        subsequence(nets.get(1..).unwrap_or_default().to_vec(), 0..=most),
        proptest::option::weighted(0.2, select(&SELECTORS[..])),
        proptest::option::weighted(0.2, select(&SELECTORS[..])),
        subsequence(items.clone(), 0..=most_ports),
        subsequence(items, 0..=most_ports),
        0..3_u8,
    )
        .prop_map(
            |(nets, not_nets, wanted, unwanted, ports, not_ports, form)| {
                let mut made = side();
                made.nets = if form == 0 {
                    networks(&nets)
                } else {
                    Vec::new()
                };
                made.not_nets = if form == 1 {
                    networks(&not_nets)
                } else {
                    Vec::new()
                };
                made.selector = wanted.map(selector);
                made.not_selector = unwanted.map(selector);
                made.ports = ports.iter().map(|text| port_match(text)).collect();
                made.not_ports = not_ports.iter().map(|text| port_match(text)).collect();
                made
            },
        )
}

fn some_rule() -> impl Strategy<Value = Rule> {
    let family = select(vec![None, Some(Family::V4), Some(Family::V6)]);
    let protocol = select(vec![
        None,
        None,
        Some("TCP"),
        Some("TCP"),
        Some("UDP"),
        Some("6"),
        Some("SCTP"),
        Some("ICMP"),
        Some("ICMPv6"),
        Some("1"),
        Some("58"),
        Some("112"),
    ]);
    (family, protocol).prop_flat_map(|(family, protocol)| {
        let family = match protocol {
            Some("ICMP") => family.map(|_| Family::V4),
            Some("ICMPv6") => family.map(|_| Family::V6),
            _ => family,
        };
        let ports = matches!(protocol, Some("TCP" | "UDP" | "6" | "SCTP"));
        let is_icmp = matches!(protocol, Some("ICMP" | "ICMPv6" | "1" | "58"));
        (
            select(vec![
                Action::Allow,
                Action::Allow,
                Action::Deny,
                Action::Deny,
                Action::Log,
                Action::Pass,
            ]),
            proptest::option::weighted(0.1, select(vec![Family::V4, Family::V6])),
            proptest::option::weighted(0.1, select(vec!["TCP", "UDP", "112"])),
            proptest::option::weighted(
                0.6,
                (
                    proptest::option::of(select(vec![0_u8, 8, 128])),
                    proptest::option::of(0..2_u8),
                ),
            ),
            any::<bool>(),
            some_side(family, ports),
            some_side(family, ports),
        )
            .prop_map(
                move |(action, only, not_protocol, icmp, negated, source, destination)| {
                    let mut made = Rule::for_everything(action);
                    made.ip_version = if protocol.is_some() || family.is_some() {
                        None
                    } else {
                        only
                    };
                    made.protocol = protocol.map(protocol_named);
                    made.not_protocol = not_protocol.map(protocol_named);
                    let icmp = icmp.filter(|_| is_icmp).map(|(icmp_type, code)| IcmpMatch {
                        icmp_type,
                        code: icmp_type.and(code),
                    });
                    (made.icmp, made.not_icmp) = if negated { (None, icmp) } else { (icmp, None) };
                    made.source = source;
                    made.destination = destination;
                    made
                },
            )
    })
}

fn some_policy(number: usize) -> impl Strategy<Value = Policy> {
    (
        proptest::collection::vec(some_rule(), 0..5),
        proptest::collection::vec(some_rule(), 0..5),
        select(vec!["default", "a", "b"]),
        proptest::option::of(select(vec![0.0, -0.0, 1.0])),
        select(&SELECTORS[..]),
        select(vec![
            Stage::Untracked,
            Stage::PreDnat,
            Stage::Normal {
                apply_on_forward: false,
            },
            Stage::Normal {
                apply_on_forward: false,
            },
            Stage::Normal {
                apply_on_forward: true,
            },
        ]),
        proptest::bool::weighted(0.15),
        1..4_u8,
    )
        .prop_map(
            move |(inbound, outbound, tier, order, selecting, stage, staged, types)| {
                let mut policy = ingress(&format!("p{number}"), inbound)
                    .egress(outbound)
                    .tier(tier)
                    .stage(stage)
                    .selecting(selecting);
                policy.order = order;
                policy.applies_ingress = types & 1 != 0 || stage == Stage::PreDnat;
                policy.applies_egress = types & 2 != 0 && stage != Stage::PreDnat;
                if staged { policy.staged() } else { policy }
            },
        )
}

pub(super) fn some_snapshot() -> impl Strategy<Value = Snapshot> {
    (
        (0..5_usize).prop_flat_map(|count| (0..count).map(some_policy).collect::<Vec<_>>()),
        proptest::collection::vec(some_rule(), 0..4),
        subsequence(NETS4.to_vec(), 0..3),
        subsequence(NETS6.to_vec(), 0..3),
        select(vec![DefaultAction::Deny, DefaultAction::Pass]),
        select(vec!["eth0", "*", ""]),
        subsequence(vec![DEFAULT_ALLOW_PROFILE, "own"], 0..=2),
        any::<[bool; 5]>(),
    )
        .prop_map(
            |(policies, profile_rules, nets4, nets6, end, name, profiles, options)| {
                let mut made = snapshot();
                made.policies = arcs(policies);
                made.tiers.push(tier("a", 5.0, end).into());
                made.tiers.push(tier("b", 5.0, DefaultAction::Deny).into());
                made.profiles.extend(arcs([Profile {
                    metadata: super::fixture::metadata("own"),
                    ingress: profile_rules.clone().into(),
                    egress: profile_rules.into(),
                    labels_to_apply: [("zone".to_owned(), "z".to_owned())].into(),
                }]));
                made.sets = arcs([
                    set("s4", ("role", "a"), &nets4),
                    set("s6", ("role", "b"), &nets6),
                ]);
                let local = endpoint("e", name)
                    .label("role", "a")
                    .ips(&["192.0.2.10", "2001:db8::10"])
                    .port("web", "TCP", 80)
                    .port("web", "UDP", 85)
                    .port("dns", "UDP", 53);
                let local = profiles
                    .iter()
                    .fold(local, |local, profile| local.profile(profile));
                let local = HostEndpoint {
                    closed: options[2..].iter().all(|set| *set),
                    ..local
                };
                let remote = endpoint("r", "eth0")
                    .on("h2")
                    .label("role", "b")
                    .ips(&["10.0.0.5"])
                    .port("web", "TCP", 90);
                made.endpoints =
                    arcs([local, remote, endpoint("workloads", "*").label("role", "b")]);
                if options[0] {
                    made.felix.failsafe_inbound = vec![failsafe("TCP", 80, Some("10.0.0.0/8"))];
                    made.felix.failsafe_outbound = vec![failsafe("UDP", 53, Some("2001:db8::/32"))];
                }
                if options[1] {
                    made.felix.endpoint_to_host = crate::model::EndpointToHostAction::Accept;
                }
                made
            },
        )
}

pub(super) fn some_packet() -> impl Strategy<Value = (At, Packet)> {
    (
        any::<bool>(),
        (0..8_usize, 0..8_usize),
        select(vec![6_u8, 6, 17, 132, 1, 58, 112]),
        (select(&PORT_NUMBERS[..]), select(&PORT_NUMBERS[..])),
        (select(vec![0_u8, 8, 9, 128]), 0..2_u8),
        select(vec![ETH0, ETH0, ETH1, WORKLOAD]),
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(v6, (from, to), protocol, ports, icmp, ifindex, (inward, forwarded))| {
                let pool = if v6 { ADDRESSES6 } else { ADDRESSES4 };
                let has_ports = matches!(protocol, 6 | 17 | 132);
                let has_icmp = protocol == if v6 { 58 } else { 1 };
                let packet = Packet {
                    source: super::fixture::address(pool[from]),
                    destination: super::fixture::address(pool[to]),
                    protocol,
                    ports: has_ports.then_some(ports),
                    icmp: has_icmp.then_some(icmp),
                };
                let at = match (inward, forwarded) {
                    (true, false) => At::In(ifindex),
                    (false, false) => At::Out(ifindex),
                    (true, true) => At::ForwardedIn(ifindex),
                    (false, true) => At::ForwardedOut(ifindex),
                };
                (at, packet)
            },
        )
}

pub(super) const WORKLOAD: u32 = 9;
