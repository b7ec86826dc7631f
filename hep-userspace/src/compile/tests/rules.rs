//! The packets that one rule matches, field by field, from the compiled tables.

use super::{
    fixture::{
        At::In, ETH0, EndpointExt, RuleExt, SideExt, allow, arcs, compiled, endpoint, icmp6,
        ingress, judge, log, outcome, portless, set, side, tcp, udp, with_policies,
    },
    walker::{self, Packet},
};
use crate::model::{IpFamily, Rule, Snapshot};

const C: &str = "198.51.100.7";
const C6: &str = "2001:db8:c::7";
const HOST: &str = "192.0.2.10";
const HOST6: &str = "2001:db8::10";

/// One policy with this rule; endpoints of two nodes with ports `web`, and a set.
fn with(rule: Rule) -> Snapshot {
    let mut snapshot = with_policies([ingress("p", [rule])]);
    snapshot.felix.failsafe_inbound.clear();
    snapshot.endpoints = arcs([
        endpoint("h1-eth0", "eth0")
            .label("role", "web")
            .ips(&[HOST])
            .port("web", "TCP", 80)
            .port("web", "UDP", 81),
        endpoint("remote", "eth0")
            .on("h2")
            .label("role", "db")
            .ips(&[C, C6])
            .port("web", "TCP", 8080),
    ]);
    snapshot.sets = arcs([
        set("bad", ("role", "bad"), &["198.51.100.0/24"]),
        set("db", ("role", "db"), &["203.0.113.0/24"]),
    ]);
    snapshot
}

fn check(name: &str, rule: Rule, rows: &[(Packet, bool)]) {
    let generation = compiled(&with(rule));
    for (packet, expected) in rows {
        let reason = judge(&generation, In(ETH0), packet);
        assert_eq!(reason.allows(), *expected, "{name}: {packet:?}");
    }
}

fn icmp4(icmp_type: u8) -> Packet {
    Packet {
        icmp: Some((icmp_type, 0)),
        ..portless(C, HOST, 1)
    }
}

/// EV-104 to EV-106, EV-112, EV-114, EV-116.
#[test]
fn addresses_and_families() {
    let rows = [(tcp(C, HOST, 1), true), (tcp(C6, HOST6, 1), true)];
    check("EV-104 no field", allow(), &rows);
    let mut only6 = allow();
    only6.ip_version = Some(IpFamily::V6);
    check(
        "EV-114",
        only6,
        &[(tcp(C, HOST, 1), false), (tcp(C6, HOST6, 1), true)],
    );
    let nets = side().nets(&["198.51.100.0/24", "10.0.0.0/8"]);
    let rows = [
        (tcp(C, HOST, 1), true),
        (tcp("10.9.9.9", HOST, 1), true),
        (tcp("203.0.113.1", HOST, 1), false),
        (tcp(C6, HOST6, 1), false),
    ];
    check("EV-105 nets", allow().from(nets), &rows);
    let narrowed = side().nets(&["198.51.100.0/24"]).selector("role == 'db'");
    let rows = [
        (tcp(C, HOST, 1), true),
        (tcp("198.51.100.8", HOST, 1), false),
        (tcp("203.0.113.1", HOST, 1), false),
    ];
    check("EV-106 selector and nets", allow().from(narrowed), &rows);
    let both = allow()
        .from(side().nets(&["198.51.100.7/32"]))
        .to(side().nets(&["192.0.2.11/32"]));
    let rows = [(tcp(C, HOST, 1), false), (tcp(C, "192.0.2.11", 1), true)];
    check("EV-112 both sides", both, &rows);
}

/// EV-107, SL-057, RS-103: the merge compares objects; no object has a namespace, so a condition on it
/// selects all objects or none.
#[test]
fn selectors_of_one_side_are_merged() {
    let merged = side().selector("has(role)").not_selector("role == 'bad'");
    let rows = [
        (tcp(C, HOST, 1), true), // Also in `bad`, but as an address of `remote` it is selected.
        (tcp("198.51.100.8", HOST, 1), false),
        (tcp("203.0.113.1", HOST, 1), true),
        (tcp("192.0.2.99", HOST, 1), false),
    ];
    check("SL-057", allow().from(merged), &rows);
    let scoped = |text| allow().from(side().selector(text));
    let rows = [(tcp(C, HOST, 1), true), (tcp("192.0.2.99", HOST, 1), false)];
    check(
        "RS-103 known",
        scoped("!has(projectcalico.org/namespace)"),
        &rows,
    );
    check(
        "RS-103 nothing",
        scoped("has(projectcalico.org/namespace)"),
        &[(tcp(C, HOST, 1), false)],
    );
}

/// EV-108 to EV-111, EV-119 to EV-123.
#[test]
fn protocols_ports_and_icmp() {
    let ports = allow()
        .protocol("TCP")
        .to(side().ports(&["80:90"]).not_ports(&["85"]));
    let rows = [
        (tcp(C, HOST, 80), true),
        (tcp(C6, HOST6, 90), true),
        (tcp(C, HOST, 85), false),
        (tcp(C, HOST, 91), false),
        (udp(C, HOST, (1, 80)), false),
    ];
    check("EV-108 ports", ports, &rows);
    let from = allow().protocol("UDP").from(side().ports(&["53"]));
    let rows = [
        (udp(C, HOST, (53, 1)), true),
        (udp(C, HOST, (1, 53)), false),
    ];
    check("EV-109 source ports", from, &rows);
    check(
        "EV-110 by number",
        allow().protocol("112"),
        &[
            (portless(C, HOST, 112), true),
            (portless(C6, HOST6, 112), true),
            (portless(C, HOST, 89), false),
        ],
    );
    let rows = [
        (icmp4(8), true),
        (icmp4(0), false),
        (icmp6(C6, HOST6, 8), false),
    ];
    check("EV-111 ICMP", allow().protocol("ICMP").icmp_type(8), &rows);
    let rows = [(icmp6(C6, HOST6, 128), true), (icmp4(128), false)];
    check(
        "EV-111 ICMPv6",
        allow().protocol("ICMPv6").icmp_type(128),
        &rows,
    );
    let portless = || [portless(C, HOST, 112), icmp4(8), icmp6(C6, HOST6, 128)];
    let rows = portless().map(|packet| (packet, true));
    let unnamed = allow().from(side().not_ports(&["web"]));
    check("EV-123 outside of a set of names", unnamed, &rows);
    let rows = portless().map(|packet| (packet, false));
    let named = allow()
        .from(side().not_ports(&["web"]))
        .to(side().ports(&["web"]));
    check("EV-123 no ports to compare", named, &rows);
}

/// EV-124 to EV-128, EV-131.
#[test]
fn named_ports_are_triples_of_endpoints_and_ored_with_numbers() {
    let to = |ports: &[&str]| allow().protocol("TCP").to(side().ports(ports));
    let rows = [
        (tcp(C, HOST, 80), true),
        (tcp(HOST, C, 8080), true),
        (tcp(C, HOST, 8080), false),
        (udp(C, HOST, (1, 81)), false),
        (tcp(C, "192.0.2.11", 80), false),
    ];
    check("EV-124", to(&["web"]), &rows);
    let rows = [
        (tcp(C, HOST, 80), true),
        (tcp(C, HOST, 443), true),
        (tcp(C, HOST, 81), false),
        (tcp(C6, HOST6, 443), true),
    ];
    check("EV-108 named and numeric", to(&["web", "443"]), &rows);
    let rows = [
        (tcp(C, HOST, 80), true),
        (udp(C, HOST, (1, 81)), true),
        (tcp(C, HOST, 81), false),
    ];
    check(
        "EV-125 any protocol",
        allow().to(side().ports(&["web"])),
        &rows,
    );
    let selected = side().ports(&["web"]).selector("role == 'db'");
    let rows = [(tcp(C, HOST, 80), false), (tcp(HOST, C, 8080), true)];
    check(
        "EV-124 selector",
        allow().protocol("TCP").to(selected),
        &rows,
    );
    let excluded = side().not_ports(&["web", "443"]);
    let rows = [
        (tcp(C, HOST, 80), false),
        (tcp(C, HOST, 443), false),
        (tcp(C, HOST, 81), true),
        (tcp(C, "192.0.2.11", 80), true),
    ];
    check(
        "EV-128 notPorts",
        allow().protocol("TCP").to(excluded),
        &rows,
    );
}

/// EV-108, EV-136: a rule with several alternatives logs once, and counts in one slot.
#[test]
fn a_rule_in_several_parts_is_one_rule() {
    let rule = log()
        .protocol("TCP")
        .to(side().ports(&["web", "80", "443"]));
    let generation = compiled(&with(rule));
    for packet in [tcp(C, HOST, 80), tcp(C, HOST, 443)] {
        let logged = outcome(&generation, In(ETH0), &packet).logged;
        assert_eq!(logged.len(), 1, "{packet:?}");
        assert_eq!(walker::rule(&generation, logged[0]).rule, "ingress[0]");
    }
}
