//! Warnings that need more than one resource, or the host's interfaces.

use super::fixture::{
    EndpointExt, PolicyExt, RuleExt, SideExt, allow, allow_tcp, endpoint, ingress, interfaces, set,
    side, snapshot, with_policies,
};
use crate::{
    compile::warnings,
    model::{DEFAULT_ALLOW_PROFILE, Snapshot, Stage},
};

/// Code, resource and field of each warning.
fn codes(snapshot: &Snapshot) -> Vec<String> {
    let mut interfaces = interfaces();
    interfaces[2].is_member = true;
    let mut codes: Vec<String> = warnings(snapshot, "h1", &interfaces)
        .iter()
        .map(|problem| format!("{} {} {}", problem.code, problem.name, problem.field))
        .collect();
    codes.sort();
    codes
}

fn with_endpoint(mut snapshot: Snapshot, name: &str, interface: &str) -> Snapshot {
    let new = endpoint(name, interface).profile(DEFAULT_ALLOW_PROFILE);
    snapshot.endpoints.push(new);
    snapshot
}

/// EV-011, EV-012, EV-016, EV-018.
#[test]
fn endpoints_without_interface_and_members_by_name_are_told() {
    assert_eq!(codes(&snapshot()), [""; 0]);
    for (interface, expected) in [
        ("eth9", "W-UNBOUND new spec.interfaceName"),
        ("lo", "W-UNBOUND new spec.interfaceName"),
        ("eth0", "W-UNBOUND new spec.interfaceName"),
        ("eth1", "W-MEMBER new spec.interfaceName"),
    ] {
        let with_new = with_endpoint(snapshot(), "new", interface);
        assert_eq!(codes(&with_new), [expected], "{interface}");
    }
    let loser = &warnings(
        &with_endpoint(snapshot(), "new", "eth0"),
        "h1",
        &interfaces(),
    )[0];
    assert_eq!(
        loser.message,
        "owns no interface: eth0 is named by HostEndpoint h1-eth0"
    );
}

/// EV-049.
#[test]
fn a_direction_that_only_defaults_close_is_told() {
    let one_way = with_policies([ingress("p", [allow_tcp("80")])]);
    assert_eq!(codes(&one_way), ["W-DEFAULT-DENY h1-eth0 spec.profiles"]);
    let both = with_policies([ingress("p", [allow_tcp("80")]).egress([allow()])]);
    assert_eq!(codes(&both), [""; 0]);
}

/// EV-078.
#[test]
fn an_untracked_allow_without_its_return_rule_is_told() {
    let policy = ingress("p", [allow_tcp("80")]).stage(Stage::Untracked);
    assert_eq!(
        codes(&with_policies([policy.clone()])),
        ["W-UNTRACKED p spec.doNotTrack"]
    );
    assert_eq!(codes(&with_policies([policy.egress([allow()])])), [""; 0]);
}

/// EV-129, EV-132, RS-037, SL-056.
#[test]
fn selectors_and_named_ports_that_match_nothing_are_told() {
    let both = |rule| with_policies([ingress("p", [rule]).egress([])]);
    let mut ported = both(allow_tcp("web"));
    assert_eq!(
        codes(&ported),
        ["W-NAMED-PORT p spec.ingress[0].destination.ports"]
    );
    ported.endpoints[0] = endpoint("h1-eth0", "eth0").port("web", "TCP", 80);
    assert_eq!(
        codes(&ported),
        ["W-NAMED-PORT p spec.ingress[0].destination.ports"],
        "EV-132"
    );
    ported.endpoints[0].expected_ips = [super::fixture::address("192.0.2.10")].into();
    assert_eq!(codes(&ported), [""; 0]);

    let mut selecting = both(allow().from(side().selector("has(kind)")));
    assert_eq!(
        codes(&selecting),
        ["W-EMPTY-SET p spec.ingress[0].source.selector"]
    );
    selecting.sets = vec![set("s", ("kind", "x"), &["192.0.2.0/24"])];
    assert_eq!(codes(&selecting), [""; 0]);
    selecting.endpoints[0] = endpoint("h1-eth0", "eth0").label("kind", "y");
    assert_eq!(codes(&selecting), ["W-NO-ADDRESS h1-eth0 spec.expectedIPs"]);
}

#[test]
fn a_policy_that_selects_nothing_is_told() {
    let idle = ingress("p", [allow()]).selecting("has(nothing)");
    assert_eq!(
        codes(&with_policies([idle])),
        ["W-SELECTS-NOTHING p spec.selector"]
    );
}
