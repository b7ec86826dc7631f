//! Which endpoint owns which interface, and why.

use hep_common::endpoint::{FLAG_MEMBER, FLAG_NO_ETHERNET, FLAG_WORKLOAD};

use super::fixture::{
    ETH0, ETH1, EndpointExt, arcs, compiled, endpoint, interface, interfaces, snapshot,
};
use crate::{
    compile::{BindingReason, bind},
    model::{HostEndpoint, Interface, LinkLayer, Snapshot},
};

/// For each interface of the host and five more, its owner; a workload's is marked with `w:`.
fn owners(snapshot: &Snapshot) -> Vec<(String, String)> {
    bind(snapshot, "h1", &many_interfaces())
        .reasons
        .iter()
        .map(|(interface, reason)| {
            let owner = match reason {
                BindingReason::ByName(endpoint)
                | BindingReason::ByAddress(endpoint)
                | BindingReason::Wildcard(endpoint) => endpoint.metadata.name.to_string(),
                BindingReason::Workload(endpoint) => format!("w:{}", endpoint.metadata.name),
                BindingReason::UnguardedWorkload
                | BindingReason::Loopback
                | BindingReason::Excluded
                | BindingReason::Member
                | BindingReason::PatternMismatch
                | BindingReason::Unmatched => String::new(),
            };
            (interface.name.to_string(), owner)
        })
        .filter(|(_, owner)| !owner.is_empty())
        .collect()
}

fn many_interfaces() -> Vec<Interface> {
    let mut all = interfaces();
    all.extend([
        interface("cali1", 4, &["192.0.2.10"]),
        interface("kube-ipvs0", 5, &["192.0.2.10"]),
        interface("tun0", 7, &[]),
    ]);
    all[5].link_layer = LinkLayer::None;
    all.push(interface("port1", 6, &[]));
    all[6].is_member = true;
    all
}

fn with(endpoints: impl Into<Vec<HostEndpoint>>) -> Snapshot {
    Snapshot {
        endpoints: arcs(endpoints.into()),
        ..snapshot()
    }
}

fn check(name: &str, endpoints: impl Into<Vec<HostEndpoint>>, expected: &[(&str, &str)]) {
    let owners = owners(&with(endpoints));
    let owners: Vec<(&str, &str)> = owners.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(owners, expected, "{name}");
}

#[test]
fn endpoints_own_what_they_name_carry_or_cover() {
    let both = ["192.0.2.10", "10.0.0.1"];
    let all = [
        ("eth0", "s"),
        ("eth1", "s"),
        ("cali1", "w:s"),
        ("tun0", "s"),
    ];
    check("EV-007 other node", [endpoint("o", "eth0").on("h2")], &[]);
    check("EV-009 by name", [endpoint("n", "eth1")], &[("eth1", "n")]);
    check(
        "EV-010 several by address, never lo, workloads or excluded ones",
        [endpoint("a", "").ips(&[both[0], both[1], "127.0.0.1"])],
        &[("eth0", "a"), ("eth1", "a")],
    );
    check("EV-012 wildcard", [endpoint("s", "*")], &all);
    check(
        "EV-012 two wildcards",
        [endpoint("t", "*"), endpoint("s", "*")],
        &all,
    );
    check(
        "EV-013 specific before wildcard",
        [endpoint("a-star", "*"), endpoint("z", "eth1")],
        &[
            ("eth0", "a-star"),
            ("eth1", "z"),
            ("cali1", "w:a-star"),
            ("tun0", "a-star"),
        ],
    );
    check("EV-015 lo", [endpoint("l", "lo")], &[]);
    check(
        "EV-016 member by name",
        [endpoint("m", "port1")],
        &[("port1", "m")],
    );
    check("EV-018 no such interface", [endpoint("g", "eth9")], &[]);
    check("RS-039 workload by name", [endpoint("w", "cali1")], &[]);
    check(
        "RS-152 excluded by name",
        [endpoint("x", "kube-ipvs0")],
        &[],
    );
}

/// EV-249, EV-250; EV-011.
#[test]
fn the_smallest_name_wins_and_a_name_beats_addresses_of_the_same_endpoint() {
    check(
        "EV-249",
        [
            endpoint("b", "eth0"),
            endpoint("a", "").ips(&["192.0.2.10"]),
        ],
        &[("eth0", "a")],
    );
    check(
        "EV-250",
        [endpoint("x", "eth1").ips(&["192.0.2.10"])],
        &[("eth1", "x")],
    );
}

/// EV-014, RS-153: the pattern limits `*` and nothing else.
#[test]
fn the_interface_pattern_limits_the_wildcard_alone() {
    let mut snapshot = with([endpoint("s", "*"), endpoint("n", "tun0")]);
    snapshot.felix.wildcard_patterns = vec![regex::Regex::new("^eth0").expect("a pattern")];
    assert_eq!(
        owners(&snapshot),
        [("eth0", "s"), ("cali1", "w:s"), ("tun0", "n")].map(|(a, b)| (a.into(), b.into()))
    );
    let interfaces = many_interfaces();
    let binding = bind(&snapshot, "h1", &interfaces);
    let why = |name: &str| {
        let found = binding
            .reasons
            .iter()
            .find(|(interface, _)| *interface.name == *name);
        found
            .map(|(_, reason)| reason.to_string())
            .unwrap_or_default()
    };
    assert_eq!(why("eth1"), "not covered by bpfDataIfacePattern");
    assert_eq!(
        why("port1"),
        "a member of a bridge, bond or team, not covered by *"
    );
    assert_eq!(why("tun0"), "named by HostEndpoint n");
    assert_eq!(why("lo"), "the loopback interface");
    assert_eq!(why("kube-ipvs0"), "excluded by interfaceExclude");
}

/// EV-016, EV-017, EV-103: an interface's entry for the programs.
#[test]
fn the_interface_table_says_what_kind_an_interface_is() {
    let snapshot = with([endpoint("s", "*"), endpoint("m", "port1")]);
    let generation = crate::compile::compile(
        &snapshot,
        "h1",
        &many_interfaces(),
        &super::fixture::options(),
        &crate::compile::Slots::default(),
    )
    .expect("within limits");
    let entry = |ifindex| {
        let entries = &generation.tables.interfaces;
        entries
            .iter()
            .find(|entry| entry.ifindex == ifindex)
            .expect("a bound interface")
    };
    let flags = [
        (ETH0, 0),
        (4, FLAG_WORKLOAD),
        (6, FLAG_MEMBER),
        (7, FLAG_NO_ETHERNET),
    ];
    for (ifindex, expected) in flags {
        assert_eq!(entry(ifindex).flags, expected, "{ifindex}");
    }
    assert_eq!(
        entry(ETH0).lists,
        entry(ETH1).lists,
        "one policy, one set of lists"
    );
    assert_ne!(entry(ETH0).counters, entry(ETH1).counters);
    assert!(
        generation
            .tables
            .interfaces
            .iter()
            .all(|entry| entry.ifindex != 1),
        "EV-015"
    );
    assert_eq!(compiled(&with([])).description.interfaces, []);
}
