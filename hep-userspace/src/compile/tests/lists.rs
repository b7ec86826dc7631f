//! Lists as tables to read: every rule, in order.

use std::sync::Arc;

use hep_common::{Direction, Family};

use super::fixture::{
    ETH0, EndpointExt, ON_FORWARD, PolicyExt, RuleExt, allow, allow_tcp, arcs, compiled, deny,
    endpoint, ingress, interface, interfaces, log, metadata, options, pass, snapshot, tier,
    with_policies,
};
use crate::{
    compile::{Generation, Slots, compile},
    model::{DEFAULT_ALLOW_PROFILE, DefaultAction, EndpointToHostAction, Profile, Snapshot, Stage},
};

/// A list as lines `stage policy rule action`, with `→ n` for the target of a jump, without failsafes.
fn lines(generation: &Generation, ifindex: u32, direction: Direction, pick: Pick) -> Vec<String> {
    let tables = &generation.tables;
    let found = tables
        .interfaces
        .iter()
        .find(|entry| entry.ifindex == ifindex);
    let lists = found.expect("bound").lists[direction as usize][Family::V4 as usize];
    let number = match pick {
        Pick::Exempt => lists.exempt,
        Pick::Untracked => lists.untracked,
        Pick::Local => lists.local,
        Pick::Forward => lists.forward,
    };
    let list = tables.lists[number as usize];
    let rules = &tables.rules[list.first_rule as usize..][..list.rules as usize];
    rules
        .iter()
        .map(|rule| {
            let described = super::walker::rule(generation, rule.slot);
            let target = match rule.target {
                0 => String::new(),
                target => format!(" -> {target}"),
            };
            let words = [
                &described.stage,
                &described.policy,
                &described.rule,
                &described.action,
            ];
            let words: Vec<&str> = words
                .iter()
                .filter(|w| !w.is_empty())
                .map(|w| &***w)
                .collect();
            format!("{}{target}", words.join(" "))
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Pick {
    Exempt,
    Untracked,
    Local,
    Forward,
}

fn without_failsafes(mut snapshot: Snapshot) -> Snapshot {
    snapshot.felix.failsafe_inbound.clear();
    snapshot.felix.failsafe_outbound.clear();
    snapshot
}

/// EV-023, EV-030, EV-033, EV-036, EV-046 to EV-050: stages, tiers, policies, profiles, default.
#[test]
fn a_local_list_holds_everything_in_order() {
    let mut snapshot = without_failsafes(with_policies([
        ingress("dnat", [deny()]).stage(Stage::PreDnat),
        ingress(
            "first",
            [log(), pass().protocol("TCP"), deny().protocol("UDP")],
        )
        .tier("a"),
        ingress("second", [allow_tcp("80")])
            .order(1.0)
            .stage(ON_FORWARD),
        ingress("third", []).order(2.0),
    ]));
    snapshot
        .tiers
        .push(tier("a", 1.0, DefaultAction::Pass).into());
    Arc::make_mut(&mut snapshot.tiers[0]).default_action = DefaultAction::Pass;
    snapshot.endpoints = arcs([endpoint("e", "eth0").profile(DEFAULT_ALLOW_PROFILE)]);
    let generation = compiled(&snapshot);
    assert_eq!(
        lines(&generation, ETH0, Direction::Ingress, Pick::Local),
        [
            "preDNAT GlobalNetworkPolicy/dnat ingress[0] Deny",
            "normal GlobalNetworkPolicy/first ingress[0] Log",
            "normal GlobalNetworkPolicy/first ingress[1] Pass -> 5",
            "normal GlobalNetworkPolicy/first ingress[2] Deny",
            "normal end of tier a Pass -> 5",
            "normal GlobalNetworkPolicy/second ingress[0] Allow",
            "normal end of tier default Pass -> 7",
            "profile Profile/projectcalico-default-allow ingress[0] Allow",
            "default no profile Deny",
        ]
    );
    assert_eq!(
        lines(&generation, ETH0, Direction::Ingress, Pick::Forward),
        [
            "preDNAT GlobalNetworkPolicy/dnat ingress[0] Deny",
            "forward GlobalNetworkPolicy/second ingress[0] Allow",
            "forward end of tier default Pass -> 3",
            "default forwarded Allow",
        ]
    );
    assert_eq!(
        lines(&generation, ETH0, Direction::Egress, Pick::Local),
        [
            "profile Profile/projectcalico-default-allow egress[0] Allow",
            "default no profile Deny",
        ]
    );
}

/// EV-050, EV-051: Pass in a profile continues with the next one, and after the last one denies.
#[test]
fn pass_in_a_profile_goes_on_with_the_next_profile() {
    let mut snapshot = without_failsafes(snapshot());
    let mut profile = Profile::clone(&snapshot.profiles[0]);
    profile.metadata = metadata("own");
    profile.ingress = [pass().protocol("TCP"), log(), deny()].into();
    snapshot.profiles.push(profile.into());
    snapshot.endpoints = arcs([endpoint("e", "eth0")
        .profile("own")
        .profile("gone")
        .profile("own")]);
    assert_eq!(
        lines(&compiled(&snapshot), ETH0, Direction::Ingress, Pick::Local),
        [
            "profile Profile/own ingress[0] Pass -> 3",
            "profile Profile/own ingress[1] Log",
            "profile Profile/own ingress[2] Deny",
            "default missing profile gone Deny",
            "profile Profile/own ingress[0] Pass -> 7",
            "profile Profile/own ingress[1] Log",
            "profile Profile/own ingress[2] Deny",
            "default no profile Deny",
        ]
    );
}

/// RS-113 to RS-115, EV-036: staged rules are in their place and continue behind their policy.
#[test]
fn staged_rules_are_counted_and_decide_nothing() {
    let staged = ingress("p", [log(), deny().protocol("TCP"), pass()]).staged();
    let snapshot = without_failsafes(with_policies([staged, ingress("p", [allow_tcp("80")])]));
    assert_eq!(
        lines(&compiled(&snapshot), ETH0, Direction::Ingress, Pick::Local),
        [
            "normal GlobalNetworkPolicy/p ingress[0] Allow",
            "normal StagedGlobalNetworkPolicy/p ingress[0] Log -> 2",
            "normal StagedGlobalNetworkPolicy/p ingress[1] Deny -> 4",
            "normal StagedGlobalNetworkPolicy/p ingress[2] Pass -> 4",
            "normal end of tier default Deny",
            "default no profile Deny",
        ]
    );
}

/// EV-038, EV-039, EV-068, EV-081: untracked tiers always pass; failsafes of both forms are exempt.
#[test]
fn untracked_lists_continue_and_their_exemption_has_both_forms() {
    let mut snapshot = with_policies([
        ingress("a", [pass().protocol("TCP"), deny()])
            .tier("a")
            .stage(Stage::Untracked),
        ingress("b", [allow()]).stage(Stage::Untracked),
    ]);
    snapshot
        .tiers
        .push(tier("a", 1.0, DefaultAction::Deny).into());
    snapshot.felix.failsafe_inbound.truncate(1);
    snapshot.felix.failsafe_outbound.truncate(1);
    let generation = compiled(&snapshot);
    assert_eq!(
        lines(&generation, ETH0, Direction::Ingress, Pick::Untracked),
        [
            "untracked GlobalNetworkPolicy/a ingress[0] Pass -> 2",
            "untracked GlobalNetworkPolicy/a ingress[1] Deny",
            "untracked GlobalNetworkPolicy/b ingress[0] Allow",
            "default end of untracked policy Continue",
        ]
    );
    assert_eq!(
        lines(&generation, ETH0, Direction::Ingress, Pick::Exempt),
        [
            "failsafe failsafe[0] Allow",
            "failsafe reverse failsafe[0] Allow",
            "default not exempt Continue",
        ]
    );
    let failsafes: Vec<&str> = generation
        .description
        .rules
        .iter()
        .filter(|rule| rule.stage == "failsafe")
        .map(|rule| &*rule.matches)
        .collect();
    for text in ["TCP, to port 22", "UDP, from port 53", "UDP, to port 53"] {
        assert!(failsafes.contains(&text), "{text} in {failsafes:?}");
    }

    snapshot.felix.failsafe_inbound.clear();
    snapshot.felix.failsafe_outbound.clear();
    let generation = compiled(&snapshot);
    let interfaces = &generation.tables.interfaces;
    let lists = interfaces.iter().flat_map(|interface| interface.lists);
    assert!(
        lists.flatten().all(|lists| lists.exempt == 0),
        "nothing is exempt"
    );
}

/// EV-090, EV-100 to EV-103.
#[test]
fn workload_interfaces_meet_pre_dnat_policy_and_the_endpoint_to_host_action() {
    let mut snapshot = with_policies([
        ingress("dnat", [deny().protocol("UDP")]).stage(Stage::PreDnat),
        ingress("normal", [allow()]).stage(ON_FORWARD),
    ]);
    snapshot.endpoints = arcs([endpoint("all", "*")]);
    let mut interfaces = interfaces();
    interfaces.push(interface("cali1", 9, &[]));
    for (action, default) in [
        (EndpointToHostAction::Drop, "default workload to host Deny"),
        (
            EndpointToHostAction::Accept,
            "default workload to host Allow",
        ),
        (
            EndpointToHostAction::Return,
            "default workload to host Allow",
        ),
    ] {
        snapshot.felix.endpoint_to_host = action;
        let generation = compile(&snapshot, "h1", &interfaces, &options(), &Slots::default())
            .expect("within limits");
        let dnat = "preDNAT GlobalNetworkPolicy/dnat ingress[0] Deny";
        for (direction, pick, expected) in [
            (Direction::Ingress, Pick::Local, vec![dnat, default]),
            (
                Direction::Ingress,
                Pick::Forward,
                vec![dnat, "default forwarded from workload Allow"],
            ),
            (
                Direction::Egress,
                Pick::Local,
                vec!["default to workload Allow"],
            ),
            (
                Direction::Egress,
                Pick::Forward,
                vec!["default to workload Allow"],
            ),
        ] {
            assert_eq!(lines(&generation, 9, direction, pick), expected);
        }
    }
}

/// EV-049: what happens to unmatched traffic, per endpoint and direction.
#[test]
fn the_description_says_what_happens_to_unmatched_traffic() {
    let policy = || ingress("p", [allow_tcp("80")]);
    let profile = || endpoint("e", "eth0").profile(DEFAULT_ALLOW_PROFILE);
    let bare = || endpoint("e", "eth0");
    let rows = [
        (bare(), None, "denied, no profile", "allowed"),
        (
            profile(),
            None,
            "allowed by profile projectcalico-default-allow",
            "allowed",
        ),
        (
            profile(),
            Some(policy()),
            "denied by tier default",
            "allowed",
        ),
        (
            bare(),
            Some(policy().stage(ON_FORWARD)),
            "denied by tier default",
            "denied by tier default",
        ),
        (
            bare(),
            Some(policy().staged()),
            "denied, no profile",
            "allowed",
        ),
        (
            bare(),
            Some(policy().stage(Stage::PreDnat)),
            "denied, no profile",
            "allowed",
        ),
    ];
    for (endpoint, policy, local, forwarded) in rows {
        let mut snapshot = with_policies(policy.into_iter().collect::<Vec<_>>());
        snapshot.endpoints = arcs([endpoint]);
        let description = compiled(&snapshot).description;
        let ingress = &description.endpoints[0].ingress;
        assert_eq!(
            [&*ingress.unmatched, &*ingress.unmatched_forwarded],
            [local, forwarded]
        );
        assert_eq!(description.endpoints[0].interfaces, ["eth0"]);
    }
}

/// The slot of every rule in the generation by its place.
fn slots(generation: &Generation) -> Vec<(String, u32)> {
    let rules = generation.description.rules.iter();
    rules
        .map(|rule| (format!("{} {}", rule.policy, rule.matches), rule.slot))
        .collect()
}

#[test]
fn rules_that_stay_keep_their_counters_and_changed_ones_get_new_ones() {
    let snapshot = |port: &str| {
        without_failsafes(with_policies([
            ingress("changes", [allow_tcp(port)]),
            ingress("stays", [allow_tcp("443")]),
        ]))
    };
    let first = compiled(&snapshot("80"));
    let next = |port: &str| {
        let previous = &first.description.slots;
        compile(&snapshot(port), "h1", &interfaces(), &options(), previous).expect("in limits")
    };
    assert_eq!(slots(&next("80")), slots(&first));
    let changed = slots(&next("81"));
    let old = slots(&first);
    let slot = |slots: &[(String, u32)], text: &str| {
        slots
            .iter()
            .find(|(name, _)| name.contains(text))
            .map(|(_, slot)| *slot)
    };
    assert_eq!(slot(&changed, "/stays"), slot(&old, "/stays"));
    assert!(slot(&changed, "/changes") > old.iter().map(|(_, slot)| Some(*slot)).max().flatten());
}
