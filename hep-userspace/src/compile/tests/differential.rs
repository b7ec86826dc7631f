//! Random resources, random packets: the tables and the linear reference evaluator agree on verdict,
//! deciding rule, `Log` rules and staged rules.

use hep_common::{Direction, counter::Reason};
use proptest::{prelude::*, test_runner::TestCaseError};

use super::{
    fixture::{At, ETH0, ETH1, interfaces, outcome},
    generators::{WORKLOAD, some_packet, some_snapshot},
    walker::{self, Packet},
};
use crate::{
    compile::{Generation, RuleDescription},
    model::{Behaviour, Snapshot},
    reference::{self, Reference, RuleRef, Source},
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
