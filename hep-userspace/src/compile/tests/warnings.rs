//! Warnings that need the host's interfaces.

use super::fixture::{EndpointExt, endpoint, interfaces, snapshot};
use crate::{
    compile::warnings,
    model::{DEFAULT_ALLOW_PROFILE, Snapshot},
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
    snapshot.endpoints.push(new.into());
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

/// EV-184: the VLAN of a policed interface is policed by an endpoint of its own, or not at all.
#[test]
fn a_vlan_that_nobody_owns_is_told() {
    let mut interfaces = interfaces();
    interfaces[2].vlan_of = Some(interfaces[1].ifindex);
    let told = |snapshot: &Snapshot| -> Vec<String> {
        warnings(snapshot, "h1", &interfaces)
            .iter()
            .map(|problem| format!("{} {}: {}", problem.code, problem.name, problem.message))
            .collect()
    };
    assert_eq!(
        told(&snapshot()),
        [
            "W-VLAN h1-eth0: traffic of eth1 passes eth0 unjudged, as that of a VLAN, and is not \
             policed itself: no HostEndpoint matches it"
        ]
    );
    assert_eq!(told(&with_endpoint(snapshot(), "vlan", "eth1")), [""; 0]);
    assert_eq!(told(&with_endpoint(snapshot(), "all", "*")), [""; 0]);
}
