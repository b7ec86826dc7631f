//! Limits: past each the snapshot is refused, with the number and the limit.

use std::net::Ipv4Addr;

use super::fixture::{
    EndpointExt as _, RuleExt as _, SideExt as _, allow, allow_tcp, arcs, endpoint, ingress,
    interfaces, options, set, side, snapshot, with_policies,
};
use crate::{
    compile::{CompileError, Slots, compile},
    model::{Rule, Snapshot},
};

/// The limit that this snapshot exceeds.
fn refused(snapshot: &Snapshot) -> CompileError {
    compile(snapshot, "h1", &interfaces(), &options(), &Slots::default())
        .map(|generation| generation.description)
        .expect_err("past a limit")
}

/// Every failsafe is a rule of a list too.
fn without_failsafes(mut snapshot: Snapshot) -> Snapshot {
    snapshot.felix.failsafe_inbound.clear();
    snapshot.felix.failsafe_outbound.clear();
    snapshot
}

#[test]
fn a_list_may_have_so_many_rules() {
    let many = ingress("many", vec![allow_tcp("80"); 16_384]);
    assert_eq!(
        refused(&without_failsafes(with_policies([many]))),
        CompileError::ListTooLong {
            endpoint: "h1-eth0".into(),
            list: "local ingress IPv4 list".into(),
            rules: 16_386,
            limit: 16_384,
        }
    );
}

/// RS-172.
#[test]
fn so_many_interfaces_may_be_policed() {
    let mut two = snapshot();
    two.endpoints = arcs([endpoint("all", "*")]);
    two.felix.max_interfaces = 1;
    let error = refused(&two);
    assert_eq!(
        error,
        CompileError::TooManyInterfaces {
            interfaces: 2,
            limit: 1,
        }
    );
    assert_eq!(
        error.to_string(),
        "2 interfaces are policed; the limit (bpfMapSizeIfState) is 1"
    );
}

/// RS-170.
#[test]
fn sets_may_have_so_many_members_together() {
    let from = side().selector("has(kind)");
    let mut sets = with_policies([ingress("p", [allow().from(from)])]);
    let nets = ["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32"];
    sets.sets = arcs([set("s", ("kind", "x"), &nets)]);
    sets.felix.max_set_members = 2;
    let error = refused(&sets);
    assert_eq!(
        error,
        CompileError::TooManySetMembers {
            members: 3,
            limit: 2,
            largest: "has(kind)".into(),
            largest_members: 3,
        }
    );
    assert_eq!(
        error.to_string(),
        "the address sets of all rule selectors have 3 members; the limit (bpfMapSizeIPSets) is 2; \
         the largest is has(kind) with 3"
    );
}

/// Numbers whose pairs are all distinguished: more pairs than classes.
const HALF: u32 = 257;

/// Rules that distinguish pairs: one for each half, made from the pairs with that half.
fn of_pairs(rule: impl Fn(&mut dyn Iterator<Item = (u32, u32)>) -> Rule) -> Snapshot {
    let firsts = (0..HALF).map(|first| rule(&mut (0..HALF).map(|second| (first, second))));
    let seconds = (0..HALF).map(|second| rule(&mut (0..HALF).map(|first| (first, second))));
    let rules: Vec<_> = firsts.chain(seconds).collect();
    without_failsafes(with_policies([ingress("pairs", rules)]))
}

#[test]
fn rules_may_tell_so_many_addresses_apart() {
    type Address = fn((u32, u32)) -> String;
    let families: [(_, Address); 2] = [
        ("IPv4 addresses", |(first, second)| {
            Ipv4Addr::from(0x0a00_0000 + first * 512 + second).to_string()
        }),
        ("IPv6 addresses", |(first, second)| {
            format!("2001:db8:{first:x}:{second:x}::1")
        }),
    ];
    for (what, address) in families {
        let snapshot = of_pairs(|pairs| {
            let nets: Vec<String> = pairs.map(address).collect();
            let nets: Vec<&str> = nets.iter().map(String::as_str).collect();
            allow().from(side().nets(&nets))
        });
        // Each pair, and whatever else there is.
        let error = refused(&snapshot);
        assert_eq!(
            error,
            CompileError::TooManyClasses {
                what,
                classes: 257 * 257 + 1,
                limit: 65_535,
            }
        );
        assert_eq!(
            error.to_string(),
            format!("the rules distinguish 66050 classes of {what}; the limit is 65535")
        );
    }
}

/// 65 535 ports, each distinguished, and packets without ports.
#[test]
fn rules_may_tell_so_many_services_and_source_ports_apart() {
    let ports = |pairs: &mut dyn Iterator<Item = (u32, u32)>| {
        let ports: Vec<String> = pairs
            .filter(|(first, second)| *first < 256 && *second < 256)
            .map(|(first, second)| first * 256 + second)
            .filter(|port| *port > 0)
            .map(|port| port.to_string())
            .collect();
        let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
        side().ports(&ports)
    };
    let services = of_pairs(|pairs| allow().protocol("TCP").to(ports(pairs)));
    let source_ports = of_pairs(|pairs| allow().protocol("TCP").from(ports(pairs)));
    for (what, snapshot) in [("services", services), ("source ports", source_ports)] {
        let error = refused(&snapshot);
        let expected = matches!(
            error,
            CompileError::TooManyClasses { what: refused, classes: 65_536.., limit: 65_535 }
                if refused == what
        );
        assert!(expected, "{what}: {error:?}");
    }
}

/// 65 535 ports of one host: each has the names of the bits that are set in its number, so that each is
/// distinguished, and so are packets without a name.
#[test]
fn rules_may_tell_so_many_named_ports_apart() {
    let mut host = endpoint("named", "").ips(&["192.0.2.1"]);
    let names: Vec<String> = (0..16).map(|bit| format!("bit-{bit}")).collect();
    for port in 1..=u16::MAX {
        for (bit, name) in names.iter().enumerate() {
            if port >> bit & 1 != 0 {
                host = host.port(name, "TCP", port);
            }
        }
    }
    let to = |name: &String| allow().protocol("TCP").to(side().ports(&[name]));
    let rules: Vec<_> = names.iter().map(to).collect();
    let mut snapshot = without_failsafes(with_policies([ingress("named", rules)]));
    snapshot.endpoints.push(host.into());
    let error = refused(&snapshot);
    assert_eq!(
        error,
        CompileError::TooManyClasses {
            what: "named ports",
            classes: 65_536,
            limit: 65_535,
        }
    );
}
