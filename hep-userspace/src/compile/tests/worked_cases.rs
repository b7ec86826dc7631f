//! The worked cases of the specification that are about order, matching and defaults.

use hep_common::counter::Reason::{
    Failsafe, ForwardDefault, NoProfile, PolicyAllow, PolicyDeny, ProfileAllow, TierDefault,
    Unpoliced, Untracked,
};

use super::fixture::{
    At::{ForwardedIn, ForwardedOut, In, Out},
    ETH0, ETH1, EndpointExt, ON_FORWARD, PolicyExt, RuleExt, SideExt, allow, allow_tcp, arcs,
    check, compiled, deny, endpoint, icmp6, ingress, pass, set, side, snapshot, tcp, tier, udp,
    with_policies,
};
use crate::model::{DEFAULT_ALLOW_PROFILE, DefaultAction, HostEndpoint, Snapshot, Stage};

const C: &str = "198.51.100.7";
const C6: &str = "2001:db8:c::7";
const D: &str = "10.0.0.5";
const HOST: &str = "192.0.2.10";
const HOST6: &str = "2001:db8::10";

fn default_allow(mut snapshot: Snapshot) -> Snapshot {
    let endpoint = HostEndpoint::clone(&snapshot.endpoints[0]);
    snapshot.endpoints[0] = endpoint.profile(DEFAULT_ALLOW_PROFILE).into();
    snapshot
}

/// EV-224 to EV-227; EV-053, EV-057.
#[test]
fn an_endpoint_without_policy_drops_local_traffic_and_lets_forwarded_pass() {
    let mut rows = Vec::new();
    for (c, host, d) in [(C, HOST, D), (C6, HOST6, "2001:db8:d::5")] {
        rows.extend([
            ("EV-224", In(ETH0), tcp(c, host, 80), NoProfile),
            ("EV-225", In(ETH0), tcp(c, host, 22), Failsafe),
            ("EV-226", ForwardedIn(ETH0), tcp(c, d, 80), ForwardDefault),
            ("EV-226", ForwardedOut(ETH0), tcp(d, c, 80), ForwardDefault),
            ("EV-226", ForwardedOut(ETH1), tcp(c, d, 80), Unpoliced),
        ]);
    }
    check(&snapshot(), &rows);
    check(
        &default_allow(snapshot()),
        &[
            ("EV-227", In(ETH0), tcp(C, HOST, 80), ProfileAllow),
            ("EV-227", In(ETH0), tcp(C6, HOST6, 80), ProfileAllow),
        ],
    );
}

/// EV-228, EV-229; EV-049, EV-055, EV-056.
#[test]
fn ingress_policy_denies_the_rest_of_ingress_and_leaves_egress_to_profiles() {
    let snapshot = with_policies([ingress("allow-80", [allow_tcp("80")])]);
    check(
        &snapshot,
        &[
            ("EV-228", In(ETH0), tcp(C, HOST, 80), PolicyAllow),
            ("EV-228", In(ETH0), tcp(C6, HOST6, 80), PolicyAllow),
            ("EV-228", Out(ETH0), tcp(HOST, C, 443), NoProfile),
            ("EV-228", Out(ETH0), tcp(HOST6, C6, 443), NoProfile),
        ],
    );
    check(
        &default_allow(snapshot),
        &[
            ("EV-229", In(ETH0), tcp(C, HOST, 81), TierDefault),
            ("EV-229", In(ETH0), tcp(C6, HOST6, 81), TierDefault),
            ("EV-229", Out(ETH0), tcp(HOST, C, 443), ProfileAllow),
            ("EV-229", Out(ETH0), tcp(HOST6, C6, 443), ProfileAllow),
        ],
    );
}

/// EV-230; EV-058.
#[test]
fn policy_applied_on_forward_judges_forwarded_traffic_of_its_direction() {
    let policy = ingress("allow-80", [allow_tcp("80")]).stage(ON_FORWARD);
    check(
        &with_policies([policy]),
        &[
            ("EV-230", ForwardedIn(ETH0), tcp(C, D, 81), TierDefault),
            ("EV-230", ForwardedIn(ETH0), tcp(C, D, 80), PolicyAllow),
            ("EV-230", ForwardedOut(ETH0), tcp(D, C, 443), ForwardDefault),
        ],
    );
}

/// EV-231; EV-036.
#[test]
fn a_tier_that_passes_leaves_the_rest_to_the_next() {
    let mut snapshot = with_policies([
        ingress("allow-80", [allow_tcp("80")]).tier("a"),
        ingress("deny-all", [deny()]),
    ]);
    snapshot
        .tiers
        .insert(0, tier("a", 1.0, DefaultAction::Pass).into());
    check(
        &snapshot,
        &[
            ("EV-231", In(ETH0), tcp(C, HOST, 80), PolicyAllow),
            ("EV-231", In(ETH0), tcp(C, HOST, 81), PolicyDeny),
        ],
    );
}

/// EV-232; EV-033.
#[test]
fn pass_goes_on_with_the_next_tier() {
    let mut snapshot = with_policies([
        ingress(
            "first",
            [pass().protocol("TCP").to(side().ports(&["80"])), deny()],
        )
        .tier("a"),
        ingress("allow-80", [allow_tcp("80")]),
    ]);
    snapshot
        .tiers
        .insert(0, tier("a", 1.0, DefaultAction::Deny).into());
    check(
        &snapshot,
        &[
            ("EV-232", In(ETH0), tcp(C, HOST, 80), PolicyAllow),
            ("EV-232", In(ETH0), tcp(C, HOST, 81), PolicyDeny),
        ],
    );
}

/// EV-233; EV-027, EV-028.
#[test]
fn of_equal_orders_allow_dns_is_visited_before_allow() {
    // `-` and `.` sort before the slash that follows a name, digits and letters after it.
    for (first, second) in [
        ("allow-dns", "allow"),
        ("a.b", "a"),
        ("a", "a1"),
        ("a", "ab"),
    ] {
        let deny_80 = deny().protocol("TCP").to(side().ports(&["80"]));
        check(
            &with_policies([
                ingress(second, [deny_80]).order(5.0),
                ingress(first, [allow_tcp("80")]).order(5.0),
            ]),
            &[(first, In(ETH0), tcp(C, HOST, 80), PolicyAllow)],
        );
    }
}

/// EV-234 to EV-236; EV-038, EV-060, EV-069.
#[test]
fn pre_dnat_policy_comes_after_failsafes_and_before_everything_else() {
    let port_8080 = side().ports(&["8080"]);
    let denied = deny().protocol("TCP").to(port_8080.clone());
    check(
        &with_policies([ingress("deny-8080", [denied]).stage(Stage::PreDnat)]),
        &[
            ("EV-234", In(ETH0), tcp(C, HOST, 8080), PolicyDeny),
            ("EV-234", ForwardedIn(ETH0), tcp(C, D, 8080), PolicyDeny),
            ("EV-234", In(ETH0), tcp(C, HOST, 22), Failsafe),
        ],
    );
    check(
        &with_policies([ingress("allow-8080", [allow_tcp("8080")]).stage(Stage::PreDnat)]),
        &[
            ("EV-235", In(ETH0), tcp(C, HOST, 8080), PolicyAllow),
            ("EV-235", In(ETH0), tcp(C, HOST, 81), NoProfile),
            ("EV-235", ForwardedIn(ETH0), tcp(C, D, 81), ForwardDefault),
        ],
    );
    check(
        &with_policies([ingress("deny-all", [deny()]).stage(Stage::PreDnat)]),
        &[
            ("EV-236", In(ETH0), tcp(C, HOST, 22), Failsafe),
            ("EV-236", ForwardedIn(ETH0), tcp(C, D, 22), PolicyDeny),
        ],
    );
}

/// EV-237 to EV-239; EV-068, EV-075, EV-076.
#[test]
fn untracked_policy_decides_first_except_for_failsafe_traffic() {
    let from_53 = allow().protocol("UDP").from(side().ports(&["53"]));
    let to_53 = allow().protocol("UDP").to(side().ports(&["53"]));
    let one_way = ingress("dns", [to_53]).stage(Stage::Untracked);
    let request = udp(C, HOST, (40_000, 53));
    let reply = udp(HOST, C, (53, 40_000));
    check(
        &with_policies([one_way.clone()]),
        &[
            ("EV-237", In(ETH0), request.clone(), Untracked),
            ("EV-237", Out(ETH0), reply.clone(), NoProfile),
        ],
    );
    check(
        &with_policies([one_way.egress([from_53])]),
        &[
            ("EV-238", In(ETH0), request, Untracked),
            ("EV-238", Out(ETH0), reply, Untracked),
        ],
    );
    check(
        &with_policies([ingress("deny-all", [deny()]).stage(Stage::Untracked)]),
        &[
            ("EV-239", In(ETH0), tcp(C, HOST, 22), Failsafe),
            // Exempt, then judged as a new flow, because no connection is known.
            ("EV-239", In(ETH0), udp(C, HOST, (53, 40_000)), NoProfile),
            (
                "EV-239",
                In(ETH0),
                udp(C, HOST, (54, 40_000)),
                hep_common::counter::Reason::UntrackedDeny,
            ),
        ],
    );
}

/// EV-240, EV-241; EV-036, RS-114.
#[test]
fn a_tier_with_staged_policy_only_does_not_deny() {
    let snapshot = with_policies([ingress("staged", [deny()]).staged()]);
    check(
        &snapshot,
        &[("EV-240", In(ETH0), tcp(C, HOST, 80), NoProfile)],
    );
    check(
        &default_allow(snapshot),
        &[("EV-241", In(ETH0), tcp(C, HOST, 80), ProfileAllow)],
    );
}

/// EV-242; EV-116.
#[test]
fn a_rule_whose_only_net_is_negated_skips_the_other_family() {
    let denied = deny().from(side().not_nets(&["10.0.0.0/8"]));
    check(
        &with_policies([ingress("p", [denied, allow()])]),
        &[
            ("EV-242", In(ETH0), tcp(C, HOST, 80), PolicyDeny),
            ("EV-242", In(ETH0), tcp(D, HOST, 80), PolicyAllow),
            ("EV-242", In(ETH0), tcp(C6, HOST6, 80), PolicyAllow),
        ],
    );
}

/// EV-243; EV-115, EV-119.
#[test]
fn icmpv6_matches_by_name_and_by_number() {
    for protocol in ["58", "ICMPv6"] {
        check(
            &with_policies([ingress("p", [allow().protocol(protocol)])]),
            &[
                ("EV-243", In(ETH0), icmp6(C6, HOST6, 128), PolicyAllow),
                ("EV-243", In(ETH0), tcp(C6, HOST6, 80), TierDefault),
            ],
        );
    }
}

/// EV-251; EV-012, EV-013, EV-015.
#[test]
fn a_specific_endpoint_replaces_the_wildcard_and_lo_is_never_covered() {
    let mut snapshot = with_policies([ingress("deny", [deny()]).selecting("all-but == 'x'")]);
    snapshot.endpoints = arcs([
        endpoint("eth0", "eth0").profile(DEFAULT_ALLOW_PROFILE),
        endpoint("wildcard", "*").label("all-but", "x"),
    ]);
    check(
        &snapshot,
        &[
            ("EV-251", In(ETH0), tcp(C, HOST, 80), ProfileAllow),
            ("EV-251", In(ETH1), tcp(D, HOST, 80), PolicyDeny),
            (
                "EV-251",
                In(1),
                tcp("127.0.0.1", "127.0.0.1", 80),
                Unpoliced,
            ),
        ],
    );
}

/// EV-252; EV-126.
#[test]
fn a_named_port_matches_only_at_expected_addresses() {
    let mut snapshot = with_policies([ingress("web", [allow_tcp("web")])]);
    snapshot.endpoints = arcs([endpoint("h1-eth0", "eth0")
        .ips(&[HOST])
        .port("web", "TCP", 80)]);
    check(
        &snapshot,
        &[
            ("EV-252", In(ETH0), tcp(C, HOST, 80), PolicyAllow),
            ("EV-252", In(ETH0), tcp(C, HOST, 81), TierDefault),
            ("EV-252", In(ETH0), udp(C, HOST, (1, 80)), TierDefault),
            ("EV-252", In(ETH0), tcp(C6, HOST6, 80), TierDefault),
        ],
    );
}

/// EV-253, EV-254; SL-054, SL-056, EV-118.
#[test]
fn selectors_match_known_addresses_and_their_negation_all_others() {
    let known = allow().from(side().selector("all()"));
    let mut snapshot = with_policies([ingress("known", [known])]);
    snapshot.sets = arcs([set(
        "net",
        ("role", "good"),
        &["203.0.113.0/24", "2001:db8:5::/48"],
    )]);
    check(
        &snapshot,
        &[
            ("EV-253", In(ETH0), tcp(C, HOST, 80), TierDefault),
            (
                "EV-253",
                In(ETH0),
                tcp("203.0.113.1", HOST, 80),
                PolicyAllow,
            ),
            ("EV-253", In(ETH0), tcp(C6, HOST6, 80), TierDefault),
            (
                "EV-253",
                In(ETH0),
                tcp("2001:db8:5::1", HOST6, 80),
                PolicyAllow,
            ),
        ],
    );
    let not_bad = allow().from(side().not_selector("role == 'bad'"));
    let generation = compiled(&with_policies([ingress("p", [not_bad.clone()])]));
    assert_eq!(generation.description.sets[0].selector, "role == \"bad\"");
    check(
        &with_policies([ingress("p", [not_bad])]),
        &[
            ("EV-254", In(ETH0), tcp(C, HOST, 80), PolicyAllow),
            ("EV-254", In(ETH0), tcp(C6, HOST6, 80), PolicyAllow),
        ],
    );
}
