//! Generations made from the one before mean what generations made from nothing mean, and leave the
//! one before whole.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use hep_common::{Direction, Family, counter::Reason};
use ipnetwork::IpNetwork;
use proptest::{prelude::*, sample::select};

use super::{
    fixture::{
        ETH0, EndpointExt, RuleExt, SideExt, allow, allow_tcp, arcs, deny, endpoint, ingress,
        interfaces, networks, options, set, side, snapshot,
    },
    walker::{self, Packet, address_class},
};
use crate::{
    compile::{Generation, RuleDescription, Slots, compile, compile_after},
    model::Snapshot,
};

/// Resources of few addresses that are added and removed: some addresses are those of others, or in their
/// networks. The odd ones are HostEndpoints of another node.
const RESOURCES: [&[&str]; 6] = [
    &["10.0.0.37/32", "2001:db8:0:1::1/128"],
    &["10.0.0.37", "2001:db8:0:1::1"],
    &[
        "10.9.9.9/32",
        "10.0.0.0/16",
        "2001:db8:0:1::1/128",
        "2001:db8:0:300::/56",
    ],
    &["10.9.9.9", "2001:db8:0:100::7"],
    &["2001:db8:0:100::7/128"],
    &["10.3.3.3"],
];

const LABELS: [&str; 3] = ["a", "b", "c"];

/// Members of the long set in each family: more than a run of the middle stage has uncut.
const LONG: u32 = 1300;

#[derive(Clone, Debug)]
enum Change {
    /// A network joins a set, or leaves it if it is in it.
    Toggle { set: usize, net: IpNetwork },
    /// A member of the long set leaves it.
    Leave(usize),
    /// A rule is added, or removed if it is there.
    Rule(usize),
    /// A small resource gets the label of this set, or is removed if there is none.
    Resource { resource: usize, label: usize },
}

fn some_net() -> impl Strategy<Value = IpNetwork> {
    let v4 = (
        select(vec![8_u8, 15, 16, 17, 24, 31, 32, 32]),
        0..6_u32,
        0..256_u32,
        any::<u8>(),
    )
        .prop_map(|(prefix, b, c, d)| {
            let bits = 10 << 24 | b << 16 | c << 8 | u32::from(d);
            IpNetwork::new(Ipv4Addr::from_bits(bits).into(), prefix).expect("a prefix")
        });
    let v6 = (
        select(vec![
            0_u8, 16, 20, 32, 40, 48, 60, 63, 64, 64, 65, 96, 127, 128, 128,
        ]),
        select(vec![0xdb8_u128, 0xdb9, 0]),
        0..1400_u128,
        0..3_u128,
    )
        .prop_map(|(prefix, b, cd, low)| {
            let bits = 0x2001_u128 << 112 | b << 96 | cd << 64 | low << 30 | low;
            IpNetwork::new(Ipv6Addr::from_bits(bits).into(), prefix).expect("a prefix")
        });
    prop_oneof![v4, v6]
}

fn some_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..3_usize, some_net()).prop_map(|(set, net)| Change::Toggle { set, net }),
        2 => (0..2 * LONG as usize).prop_map(Change::Leave),
        1 => (0..4_usize).prop_map(Change::Rule),
        4 => (0..RESOURCES.len(), 0..4_usize)
            .prop_map(|(resource, label)| Change::Resource { resource, label }),
    ]
}

/// The members of the sets, and which rules are there.
#[derive(Clone)]
struct State {
    sets: [BTreeSet<IpNetwork>; 3],
    rules: [bool; 4],
    /// Which label each small resource has; `None` if it is not there.
    resources: [Option<&'static str>; RESOURCES.len()],
}

impl State {
    fn new() -> Self {
        let v4 = (0..LONG).map(|n| {
            let address = Ipv4Addr::from_bits(10 << 24 | (n * 37 % 0x4_0000));
            IpNetwork::new(address.into(), if n % 3 == 0 { 32 } else { 30 })
        });
        let v6 = (0..u128::from(LONG)).map(|n| {
            let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | n << 64 | (n % 2));
            IpNetwork::new(address.into(), if n % 3 == 0 { 64 } else { 128 })
        });
        let long = v4.chain(v6).map(|net| masked(net.expect("a prefix")));
        Self {
            sets: [long.collect(), BTreeSet::new(), BTreeSet::new()],
            rules: [false; 4],
            resources: [None; RESOURCES.len()],
        }
    }

    /// Makes the change; returns the networks it is about.
    fn change(&mut self, change: &Change) -> Vec<IpNetwork> {
        match change {
            Change::Toggle { set, net } => {
                let net = masked(*net);
                if !self.sets[*set].remove(&net) {
                    self.sets[*set].insert(net);
                }
                vec![net]
            }
            Change::Leave(at) => {
                let net = self.sets[0].iter().nth(*at % self.sets[0].len().max(1));
                let Some(net) = net.copied() else {
                    return Vec::new();
                };
                self.sets[0].remove(&net);
                vec![net]
            }
            Change::Rule(at) => {
                self.rules[*at] ^= true;
                Vec::new()
            }
            Change::Resource { resource, label } => {
                self.resources[*resource] = LABELS.get(*label).copied();
                networks(RESOURCES[*resource])
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = snapshot();
        snapshot.endpoints = arcs([endpoint("e", "eth0")]);
        let mut rules = vec![
            deny().from(side().selector("set == 'b'")),
            allow().from(side().selector("set == 'a'")),
            allow_tcp("1").from(side().selector("has(set)")),
            deny().from(side().not_selector("set in {'b', 'c'}")),
        ];
        let others = [
            deny().from(side().nets(&["10.1.0.0/16"])),
            deny().from(side().nets(&["2001:db8::/36"])),
            deny().from(side().selector("set == 'c'")),
        ];
        for (is_there, rule) in self.rules.iter().zip(others) {
            if *is_there {
                rules.insert(1, rule);
            }
        }
        if self.rules[3] {
            // While nothing has label c this selects what another rule selects, which decides before.
            rules.push(deny().from(side().selector("set in {'a', 'c'}")));
        }
        snapshot.policies = arcs([ingress("p", rules)]);
        snapshot.sets = LABELS
            .iter()
            .zip(&self.sets)
            .map(|(name, nets)| {
                let mut made = set(name, ("set", name), &[]);
                made.nets = nets.iter().copied().collect();
                made.into()
            })
            .collect();
        for (number, label) in self.resources.iter().enumerate() {
            let Some(label) = label else { continue };
            let (name, addresses) = (format!("x{number}"), RESOURCES[number]);
            if number % 2 == 0 {
                let set = set(&name, ("set", label), addresses);
                snapshot.sets.push(set.into());
            } else {
                let other = endpoint(&name, "").on("h2").label("set", label);
                snapshot.endpoints.push(other.ips(addresses).into());
            }
        }
        snapshot
    }
}

fn masked(net: IpNetwork) -> IpNetwork {
    IpNetwork::new(net.network(), net.prefix()).expect("it has that prefix")
}

/// The first and last address of a network and their neighbours.
fn edges(net: &IpNetwork) -> Vec<IpAddr> {
    match net {
        IpNetwork::V4(net) => [net.network().to_bits(), net.broadcast().to_bits()]
            .iter()
            .flat_map(|bits| [bits.wrapping_sub(1), *bits, bits.wrapping_add(1)])
            .map(|bits| Ipv4Addr::from_bits(bits).into())
            .collect(),
        IpNetwork::V6(net) => [net.network().to_bits(), net.broadcast().to_bits()]
            .iter()
            .flat_map(|bits| [bits.wrapping_sub(1), *bits, bits.wrapping_add(1)])
            .map(|bits| Ipv6Addr::from_bits(bits).into())
            .collect(),
    }
}

fn judged(generation: &Generation, source: IpAddr) -> (Reason, RuleDescription) {
    let destination = match source {
        IpAddr::V4(_) => IpAddr::from([192, 0, 2, 10]),
        IpAddr::V6(_) => "2001:db8:ffff::1".parse().expect("an address"),
    };
    let packet = Packet {
        source,
        destination,
        protocol: hep_common::protocol::TCP,
        ports: Some((40_000, 443)),
        icmp: None,
    };
    let outcome = walker::judge(generation, ETH0, Direction::Ingress, false, &packet);
    let mut rule = walker::rule(generation, outcome.slot).clone();
    rule.slot = 0;
    (outcome.reason, rule)
}

fn check(steps: &[Vec<Change>]) -> Result<(), TestCaseError> {
    let mut state = State::new();
    let mut probes: Vec<IpAddr> = state.sets[0].iter().step_by(211).flat_map(edges).collect();
    let mut generation = fresh(&state);
    for changes in steps {
        for change in changes {
            probes.extend(state.change(change).iter().flat_map(edges));
        }
        probes.sort_unstable();
        probes.dedup();
        let (next, fresh) = (after(&state, &generation), fresh(&state));
        // What a packet of the former generation sees while the new one is written beside it.
        let mut meanwhile = generation.tables.clone();
        let lineage = &next.tables.lineage;
        if lineage.continues(&generation.tables.lineage, Family::V4) {
            meanwhile.addresses.ranges4 = next.tables.addresses.ranges4.clone();
        }
        if lineage.continues(&generation.tables.lineage, Family::V6) {
            meanwhile.addresses.ranges6_top = next.tables.addresses.ranges6_top.clone();
            meanwhile.addresses.ranges6_mid = next.tables.addresses.ranges6_mid.clone();
            meanwhile.addresses.ranges6_low = next.tables.addresses.ranges6_low.clone();
        }
        for probe in &probes {
            prop_assert_eq!(judged(&next, *probe), judged(&fresh, *probe), "{}", probe);
            prop_assert_eq!(
                address_class(&meanwhile, *probe),
                address_class(&generation.tables, *probe),
                "{} meanwhile",
                probe
            );
        }
        generation = next;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// EV-190.
    #[test]
    fn a_changed_generation_means_what_a_new_one_means(
        steps in proptest::collection::vec(proptest::collection::vec(some_change(), 1..5), 1..6)
    ) {
        check(&steps)?;
    }
}

/// The generation compiled from nothing.
fn fresh(state: &State) -> Generation {
    let (snapshot, slots) = (state.snapshot(), Slots::default());
    compile(&snapshot, "h1", &interfaces(), &options(), &slots).expect("within limits")
}

/// The generation compiled after `before`.
fn after(state: &State, before: &Generation) -> Generation {
    let snapshot = state.snapshot();
    compile_after(&snapshot, "h1", &interfaces(), &options(), before).expect("within limits")
}

/// Fails unless the tables differ as little as for one address, and may be written in place.
fn check_changes_little(before: &Generation, after: &Generation, what: &str) {
    let [old, new] = [before, after].map(|generation| &generation.tables.addresses);
    let roots = (0..65_536)
        .filter(|at| (old.roots4[*at], old.roots6[*at]) != (new.roots4[*at], new.roots6[*at]));
    let roots = roots.count();
    assert!(roots <= 2, "{roots} roots for {what}");
    let leads = (0..old.ranges6_top.len())
        .filter(|at| old.ranges6_top[*at] != new.ranges6_top[*at])
        .count();
    assert!(leads <= 600, "{leads} leads for {what}");
    let ranges = (0..old.ranges6_mid.len())
        .filter(|at| old.ranges6_mid[*at] != new.ranges6_mid[*at])
        .count();
    assert!(ranges <= 64, "{ranges} of the middle stage for {what}");
    for family in [Family::V4, Family::V6] {
        let lineage = &after.tables.lineage;
        assert!(
            lineage.continues(&before.tables.lineage, family),
            "{what}, {family:?}"
        );
    }
}

/// One address more or less changes next to nothing, in either family.
#[test]
fn one_address_changes_one_run_of_each_stage() {
    for net in [
        "10.3.77.77/32",
        "2001:db8:0:322::77/128",
        "2001:db8:0:2fff::/64",
    ] {
        let mut state = State::new();
        let before = fresh(&state);
        state.sets[0].insert(net.parse().expect("a network"));
        let after = after(&state, &before);
        check_changes_little(&before, &after, net);
        assert_eq!(before.tables.index, after.tables.index);
    }
}

/// A resource that joins a selector, or leaves it, changes as little as an address of its set, also if
/// other selectors select the same but for it.
#[test]
fn one_resource_changes_one_run_of_each_stage() {
    for resource in [3, 4, 5] {
        let mut state = State::new();
        state.rules = [false, false, true, true];
        let members: Vec<IpNetwork> = state.sets[0].iter().step_by(211).copied().collect();
        let mut before = fresh(&state);
        let steps = [("joins", 0), ("changes", 2), ("returns", 0), ("leaves", 3)];
        for (step, label) in steps.into_iter().cycle().take(8) {
            state.change(&Change::Resource { resource, label });
            let after = after(&state, &before);
            let what = format!("resource {resource} {step}");
            check_changes_little(&before, &after, &what);
            let fresh = fresh(&state);
            for probe in networks(RESOURCES[resource])
                .iter()
                .chain(&members)
                .flat_map(edges)
            {
                assert_eq!(
                    judged(&after, probe),
                    judged(&fresh, probe),
                    "{what}: {probe}"
                );
            }
            before = after;
        }
    }
}
