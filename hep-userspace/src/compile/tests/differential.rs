//! Random resources, random packets: the tables and the linear reference evaluator agree on verdict,
//! deciding rule, `Log` rules and staged rules.

use std::collections::BTreeMap;

use hep_common::{Direction, counter::Reason};
use proptest::{prelude::*, sample::select, test_runner::TestCaseError};

use super::{
    fixture::{At, ETH0, ETH1, interfaces, outcome},
    generators::{WORKLOAD, some_packet, some_snapshot},
    walker::{self, Packet},
};
use crate::{
    compile::{Generation, RuleDescription},
    model::{Behaviour, ObjectKey, Origin, Snapshot},
    reference::{self, Reference, RuleRef, Source},
    source::Unit,
    validate::{Loader, Node, Scope},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn tables_and_reference_agree(
        snapshot in some_snapshot(),
        packets in proptest::collection::vec(some_packet(), 60),
    ) {
        agree(&snapshot, &packets)?;
    }
}

/// Sides of rules as a store may have them.
const SIDES: [&str; 9] = [
    "",
    r#""selector":"role == 'a'""#,
    r#""notSelector":"role == 'a'""#,
    r#""namespaceSelector":"env == 'live'""#,
    r#""namespaceSelector":"env == 'live'","selector":"role == 'b'""#,
    r#""namespaceSelector":"all()","notSelector":"role == 'b'""#,
    r#""namespaceSelector":"global()""#,
    r#""serviceAccounts":{"selector":"team == 'red'"}"#,
    r#""services":{"name":"s","namespace":"n"}"#,
];

/// Objects of a store: some of them not valid, some missing.
fn objects(sides: &[(&'static str, &'static str)], lacks: u8) -> Vec<Unit> {
    let rules: Vec<String> = sides
        .iter()
        .map(|(action, side)| format!(r#"{{"action":"{action}","source":{{{side}}}}}"#))
        .collect();
    let rules = rules.join(",");
    let policy = format!(r#"{{"tier":"late","applyOnForward":true,"ingress":[{rules}]}}"#);
    let all = [
        ("Tier", "late", "", r#"{"order":3,"defaultAction":"Pass"}"#),
        (
            "Profile",
            "kns.prod",
            "",
            r#"{"labelsToApply":{"pcns.env":"live"}}"#,
        ),
        (
            "Profile",
            "ksa.prod.s",
            "",
            r#"{"labelsToApply":{"pcsa.team":"red"}}"#,
        ),
        ("Profile", "own", "", r#"{"ingress":[{"action":"Allow"}]}"#),
        ("GlobalNetworkSet", "s", "a", r#"{"nets":["10.0.0.4/30"]}"#),
        (
            "NetworkSet",
            "prod/s",
            "b",
            r#"{"nets":["192.0.2.0/24","2001:db8::/64"]}"#,
        ),
        (
            "WorkloadEndpoint",
            "prod/w",
            "b",
            r#"{"ipNetworks":["10.0.0.5/32"],
            "profiles":["kns.prod","ksa.prod.s"]}"#,
        ),
        (
            "GlobalNetworkPolicy",
            "bad",
            "",
            r#"{"selector":"role == 'b'","order":"x"}"#,
        ),
    ];
    let endpoint = r#"{"node":"h1","interfaceName":"eth0","profiles":["own"]}"#;
    let broken = r#"{"node":"h1","interfaceName":"eth1","ports":[1]}"#;
    let here = [
        ("HostEndpoint", "e", "b", endpoint),
        ("HostEndpoint", "closed", "a", broken),
        ("GlobalNetworkPolicy", "p", "", &policy),
    ];
    let kept = all.into_iter().enumerate();
    let kept = kept
        .filter(|(bit, _)| lacks >> bit & 1 == 0)
        .map(|(_, object)| object);
    kept.chain(here).map(object).collect()
}

fn object((kind, key, role, spec): (&str, &str, &str, &str)) -> Unit {
    let (namespace, name) = key.split_once('/').unwrap_or(("", key));
    let text = format!(
        r#"{{"apiVersion":"projectcalico.org/v3","kind":"{kind}","metadata":{{"name":"{name}",
            "namespace":"{namespace}","labels":{{"role":"{role}"}}}},"spec":{spec}}}"#
    );
    let key = ObjectKey {
        store: "etcd".into(),
        key: format!("{kind}/{key}").into(),
    };
    Unit {
        origin: Origin::Object {
            key: key.into(),
            revision: "1".into(),
        },
        text: text.into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// (spec DS-312, DS-313, DS-315, DS-316)
    #[test]
    fn tables_and_reference_agree_about_a_store(
        sides in proptest::collection::vec(
            (select(vec!["Allow", "Deny", "Pass", "Log"]), select(&SIDES[..])),
            0..6,
        ),
        lacks in any::<u8>(),
        knows_workloads in any::<bool>(),
        packets in proptest::collection::vec(some_packet(), 40),
    ) {
        let mut loader = Loader::default();
        loader.set_workloads(knows_workloads);
        let node = Node {
            name: "h1".into(),
            labels: BTreeMap::new(),
            cpus: 1,
        };
        let loaded = loader.load(&objects(&sides, lacks), &node, Scope::Store);
        agree(&loaded.snapshot.expect("a store is always loaded"), &packets)?;
    }
}

fn agree(snapshot: &Snapshot, packets: &[(At, Packet)]) -> Result<(), TestCaseError> {
    let mut interfaces = interfaces();
    interfaces.push(super::fixture::interface("cali1", WORKLOAD, &[]));
    let generation = crate::compile::compile(
        snapshot,
        "h1",
        &interfaces,
        &super::fixture::options(),
        &crate::compile::Slots::default(),
    )
    .expect("within limits");
    let options = reference::Options {
        behaviour: Behaviour {
            nd_exempt: false,
            ..Behaviour::default()
        },
        any_icmp: false,
    };
    let reference = Reference::new(snapshot, "h1", &interfaces, options);
    for (at, packet) in packets {
        let judgement = reference.judge(&for_reference(*at, packet));
        if is_decided_before_rules(judgement.reason) {
            continue;
        }
        let outcome = outcome(&generation, *at, packet);
        prop_assert_eq!(outcome.reason, judgement.reason, "{:?} {:?}", at, packet);
        if let reference::Decider::Rule(decided) = judgement.decider {
            let rule = walker::rule(&generation, outcome.slot);
            prop_assert_eq!(
                name(rule),
                reference_name(&decided),
                "{:?} {:?}",
                at,
                packet
            );
        }
        prop_assert_eq!(
            names(&generation, &outcome.logged),
            references(&judgement.logged)
        );
        prop_assert_eq!(
            names(&generation, &outcome.staged),
            references(&judgement.staged)
        );
    }
    Ok(())
}

/// Whether a packet gets this verdict for what it is (EV-170, EV-262): no table holds that.
const fn is_decided_before_rules(reason: Reason) -> bool {
    matches!(reason, Reason::Martian | Reason::InvalidIcmp)
}

/// Stage, policy and place.
type Name = (String, String, String);

fn name(rule: &RuleDescription) -> Name {
    (rule.stage.clone(), rule.policy.clone(), rule.rule.clone())
}

fn names(generation: &Generation, slots: &[u32]) -> Vec<Name> {
    let rules = slots.iter().map(|slot| walker::rule(generation, *slot));
    rules.map(name).collect()
}

fn reference_name(rule: &RuleRef<'_>) -> Name {
    let owner = match rule.source {
        Source::Policy(_, policy) => format!("{}/{}", policy.kind.name(), policy.metadata.name),
        Source::Profile(profile) => format!("Profile/{}", profile.metadata.name),
    };
    let direction = rule.direction.name();
    (
        rule.stage.name().to_owned(),
        owner,
        format!("{direction}[{}]", rule.index),
    )
}

fn references(rules: &[RuleRef<'_>]) -> Vec<Name> {
    rules.iter().map(reference_name).collect()
}

fn for_reference(at: At, packet: &Packet) -> reference::Packet {
    let (ifindex, direction, forwarded) = match at {
        At::In(ifindex) => (ifindex, Direction::Ingress, false),
        At::Out(ifindex) => (ifindex, Direction::Egress, false),
        At::ForwardedIn(ifindex) => (ifindex, Direction::Ingress, true),
        At::ForwardedOut(ifindex) => (ifindex, Direction::Egress, true),
    };
    let interface = match ifindex {
        ETH0 => "eth0",
        ETH1 => "eth1",
        _ => "cali1",
    };
    reference::Packet {
        direction,
        interface: interface.into(),
        forwarded,
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol,
        ports: packet.ports.map(|(source, destination)| reference::Ports {
            source,
            destination,
        }),
        icmp: packet
            .icmp
            .map(|(icmp_type, code)| reference::IcmpHeader { icmp_type, code }),
        tcp_flags: if packet.protocol == 6 {
            reference::tcp_flags::SYN
        } else {
            0
        },
        sctp_chunk: reference::sctp_chunk::INIT,
        hop_limit: 64,
        mark: 0,
        framing: reference::Framing::default(),
        fragmented: false,
    }
}
