//! Tiers, order, Pass, Log, staged policies (EV-231 to EV-233, EV-240, EV-241).

use hep_tests::{
    address::Net,
    policy::{endpoint, eth0, eth0_default_allow, policy, profile, staged_policy, tier},
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
};

use crate::{Fixture, fixture, judge};

/// EV-231: an Allow in an early tier decides; the tier's default action Pass hands the rest on.
#[test]
fn ev_231_a_tier_with_default_action_pass_hands_on_what_it_does_not_decide() {
    let resources = [
        eth0(),
        tier("a", "order: 1, defaultAction: Pass"),
        policy(
            "a.web",
            "tier: a, types: [Ingress], \
             ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
        ),
        policy("none", "types: [Ingress], ingress: [{action: Deny}]"),
    ];
    judge(&resources, |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
        ]
    });
}

/// EV-232: Pass continues with the next tier, past a Deny of its own (EV-033).
#[test]
fn ev_232_pass_skips_the_rest_of_its_tier() {
    let resources = [
        eth0(),
        tier("a", "order: 1"),
        policy(
            "a.first",
            "tier: a, types: [Ingress], order: 1, ingress: [\
             {action: Log}, \
             {action: Pass, protocol: TCP, destination: {ports: [80]}}, {action: Deny}]",
        ),
        policy(
            "web",
            "types: [Ingress], ingress: [\
             {action: Log, protocol: TCP}, \
             {action: Allow, protocol: TCP, destination: {ports: ['80:81']}}]",
        ),
    ];
    judge(&resources, |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
        ]
    });
}

/// EV-233: with equal order, `allow-dns` comes before `allow` (EV-028); a number comes before no
/// order (EV-027).
#[test]
fn ev_233_equal_orders_are_settled_by_name_with_the_slash() {
    let rule = |action: &str, port: u16| {
        format!(
            "types: [Ingress], ingress: [{{action: {action}, protocol: TCP, \
             destination: {{ports: [{port}]}}}}]"
        )
    };
    let resources = [
        eth0(),
        policy("allow", &rule("Deny", 80)),
        policy("allow-dns", &rule("Allow", 80)),
        policy("a-first-by-name", &rule("Deny", 81)),
        policy(
            "z-first-by-order",
            &format!("order: 5, {}", rule("Allow", 81)),
        ),
    ];
    judge(&resources, |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Answer),
            (tcp(net.client, net.host, 82), Nothing),
        ]
    });
}

/// EV-240: a staged policy makes no tier apply: without a profile there is none to allow.
#[test]
fn ev_240_a_staged_policy_alone_leaves_the_host_closed() {
    let staged = staged_policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    judge(&[eth0(), staged], |net| {
        vec![(tcp(net.client, net.host, 80), Nothing)]
    });
}

/// EV-241: nor does it end its tier in a deny: the profile applies (EV-036, RS-114).
#[test]
fn ev_241_a_staged_policy_does_not_hide_the_profile() {
    let staged = staged_policy("none", "types: [Ingress], ingress: [{action: Deny}]");
    judge(&[eth0_default_allow(), staged], |net| {
        vec![(tcp(net.client, net.host, 80), Answer)]
    });
}

/// RS-116: a staged policy is evaluated and counted in its place: packets that an enforced policy before it
/// decides never get to it, those that one after it decides do.
#[test]
fn rs_116_staged_policies_are_counted_in_their_place() {
    let rule = |action: &str, port: u16| {
        format!("{{action: {action}, protocol: TCP, destination: {{ports: [{port}]}}}}")
    };
    let spec = |order: u8, rules: &[String]| {
        format!(
            "order: {order}, types: [Ingress], ingress: [{}]",
            rules.join(", ")
        )
    };
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    daemon.replace(&[
        eth0(),
        staged_policy(
            "early",
            &spec(1, &[rule("Deny", 80), rule("Allow", 80), rule("Deny", 81)]),
        ),
        policy("web", &spec(2, &[rule("Allow", 80)])),
        staged_policy("late", &spec(3, &[rule("Deny", 80), rule("Allow", 81)])),
    ]);
    for net in Net::both() {
        topology.expect(
            "staged policies decide nothing",
            &[
                (tcp(net.client, net.host, 80), Answer),
                (tcp(net.client, net.host, 81), Nothing),
            ],
        );
    }
    let lists = daemon.show("rules");
    let packets = |policy: &str, index: usize| {
        let rules = lists
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|list| list["rules"].as_array());
        let found = rules.flatten().find(|shown| {
            shown["policy"] == format!("StagedGlobalNetworkPolicy/{policy}")
                && shown["rule"] == format!("ingress[{index}]")
        });
        found
            .and_then(|shown| shown["packets"].as_u64())
            .unwrap_or_else(|| panic!("{lists:#}"))
    };
    assert!(packets("early", 0) >= 2, "a connection of each family");
    assert_eq!(packets("early", 1), 0, "the policy's first match counts");
    assert!(packets("early", 2) >= 2, "denied in the end, by the tier");
    assert_eq!(packets("late", 0), 0, "decided before");
    assert_eq!(
        packets("late", 1),
        packets("early", 2),
        "undecided until here"
    );
}

/// EV-046, EV-047, EV-048, EV-050, EV-051: profiles in their order; Pass continues with the next one, Log
/// with the next rule, and the end of the last denies.
#[test]
fn profiles_are_asked_in_order_after_all_tiers_have_passed() {
    let resources = [
        endpoint("h1-eth0", "interfaceName: eth0, profiles: [b, a]"),
        profile(
            "a",
            "ingress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}, \
             {action: Allow, protocol: TCP, destination: {ports: [81, 82]}}]",
        ),
        profile(
            "b",
            "ingress: [{action: Log}, \
             {action: Allow, protocol: TCP, destination: {ports: [80]}}, \
             {action: Pass, protocol: TCP, destination: {ports: [81]}}, \
             {action: Deny, protocol: TCP, destination: {ports: ['81:82']}}]",
        ),
    ];
    judge(&resources, |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Answer),
            (tcp(net.client, net.host, 82), Nothing),
            (tcp(net.client, net.host, 83), Nothing),
        ]
    });
}
