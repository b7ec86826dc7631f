//! Which endpoint owns which interface (section 2; EV-249 to EV-251).

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{endpoint, eth0, felix, policy},
    probe::{
        Heard::{self, Answer, Nothing},
        PATIENCE, Probe, tcp, time_until,
    },
    topology::Topology,
};

use crate::judge;

const OPEN: &str = "profiles: [projectcalico-default-allow]";

/// EV-249: of two endpoints that match, the smaller name owns the interface, matched by address or
/// by name (EV-010, EV-011).
#[test]
fn ev_249_the_smaller_name_owns_the_interface() {
    let a = endpoint("a", &format!("expectedIPs: [192.0.2.10], {OPEN}"));
    let b = endpoint("b", "interfaceName: eth0");
    judge(&[a, b], |net| vec![(tcp(net.client, net.host, 80), Answer)]);
}

/// EV-250: with a name, the expected addresses bind nothing (EV-009).
#[test]
fn ev_250_a_named_interface_is_the_only_one() {
    let x = endpoint("x", "interfaceName: eth1, expectedIPs: [192.0.2.10]");
    judge(&[x], |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.inner, net.host_inside, 80), Nothing),
        ]
    });
}

/// EV-251: `*` takes every interface that no specific endpoint owns, but never `lo` (EV-012,
/// EV-015).
#[test]
fn ev_251_a_wildcard_endpoint_takes_the_rest_but_not_loopback() {
    let all = endpoint("all", "interfaceName: '*'");
    let specific = endpoint("h1-eth0", &format!("interfaceName: eth0, {OPEN}"));
    judge(&[all, specific], |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.inner, net.host_inside, 80), Nothing),
            (tcp(net.host, net.host, 80), Answer),
        ]
    });
}

/// EV-012: one `*` endpoint polices all interfaces alike.
#[test]
fn a_wildcard_endpoint_covers_both_interfaces() {
    let web = policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    judge(&[endpoint("all", "interfaceName: '*'"), web], |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
            (tcp(net.inner, net.host_inside, 80), Answer),
            (tcp(net.inner, net.host_inside, 81), Nothing),
        ]
    });
}

/// EV-018: an interface that appears is policed, one that is renamed follows its
/// new name, and one that gains or loses an address follows its addresses.
#[test]
fn interfaces_that_appear_change_their_name_or_address_are_followed() {
    let topology = Topology::new();
    let net = Net::both()[0];
    let resources = [
        endpoint("by-name", "interfaceName: late0"),
        endpoint("by-address", "expectedIPs: [10.0.0.77]"),
    ];
    let _daemon = Daemon::start(&topology.host, &resources);
    topology.expect_all(
        "eth1 has no endpoint yet",
        Answer,
        &[tcp(net.inner, net.host_inside, 80)],
    );

    // Sooner than the interfaces are looked at without an event.
    let until = |open| {
        let took = time_until(&topology, net.inner, net.host_inside, 80, open);
        assert!(took < PATIENCE, "{open}: {took:?}");
    };
    topology.host.ip("address add 10.0.0.77/32 dev eth1");
    until(false);
    topology.host.ip("address del 10.0.0.77/32 dev eth1");
    until(true);
    topology
        .host
        .ip("link set eth1 down\nlink set eth1 name late0\nlink set late0 up");
    until(false);
    topology
        .host
        .ip("link set late0 down\nlink set late0 name eth1\nlink set eth1 up");
    until(true);

    topology.host.ip(&format!(
        "link del eth1\nlink add late0 type veth peer name eth0 netns {}\n\
         address add {}/24 dev late0\nlink set late0 up",
        topology.inside.name(),
        net.host_inside
    ));
    topology.inside.ip(&format!(
        "link set eth0 up\naddress add {}/24 dev eth0",
        net.inner
    ));
    until(false);
}

/// EV-019: a program is in place before an interface that was down comes up.
#[test]
fn an_interface_that_is_down_is_policed_before_its_first_packet() {
    let topology = Topology::new();
    let net = Net::both()[1];
    let probe = tcp(net.inner, net.host_inside, 80);
    let up_again = || {
        topology.host.ip(&format!(
            "link set eth1 up\naddress replace {}/64 dev eth1",
            net.host_inside
        ));
    };
    topology.host.ip("link set eth1 down");
    up_again();
    topology.expect_all("no daemon", Answer, &[probe]);
    topology.host.ip("link set eth1 down");
    let inside = endpoint("inside", "interfaceName: eth1");
    let _daemon = Daemon::start(&topology.host, &[inside]);
    up_again();
    topology.expect_all("up again", Nothing, &[probe]);
}

/// EV-016: `*` leaves the member ports of a bridge to the bridge.
#[test]
fn a_wildcard_endpoint_polices_the_bridge_and_not_its_members() {
    let topology = Topology::new();
    let net = Net::both()[0];
    topology.host.ip(&format!(
        "address flush dev eth1\nlink add br0 type bridge\nlink set eth1 master br0\n\
         link set br0 up\naddress add {}/24 dev br0",
        net.host_inside
    ));
    let probe = tcp(net.inner, net.host_inside, 80);
    topology.expect_all("no daemon", Answer, &[probe]);
    let daemon = Daemon::start(&topology.host, &[endpoint("all", "interfaceName: '*'")]);
    topology.expect_all("default deny", Nothing, &[probe]);
    let interfaces = daemon.show("interfaces").to_string();
    assert!(interfaces.contains("\"br0\""), "{interfaces}");
    assert!(!interfaces.contains("\"eth1\""), "{interfaces}");
}

/// EV-097: to a program on a port of a bridge, frames from port to port are forwarded traffic: normal
/// policy and failsafes do not apply to them, `applyOnForward` does, in both directions.
#[test]
fn ev_097_bridged_frames_are_forwarded_traffic() {
    let topology = Topology::new();
    topology
        .host
        .ip("address flush dev eth0\naddress flush dev eth1\n\
         link add br0 type bridge\nlink set br0 up\n\
         link set eth0 master br0\nlink set eth1 master br0");
    for net in Net::both() {
        // Each takes the other for a neighbour.
        topology
            .outside
            .ip(&format!("route replace {} dev eth0", net.prefix(net.inner)));
        topology.inside.ip(&format!(
            "route replace {} dev eth0",
            net.prefix(net.client)
        ));
    }
    let probes = |heard: [Heard; 4]| -> Vec<(Probe, Heard)> {
        Net::each(|net| {
            [
                (tcp(net.client, net.inner, 80), heard[0]),
                (tcp(net.client, net.inner, 81), heard[1]),
                (tcp(net.client, net.inner, 82), heard[2]),
                (tcp(net.client, net.inner, 22), heard[3]),
            ]
        })
    };
    topology.expect("no daemon", &probes([Answer; 4]));
    let deny = |name: &str, direction: &str, flags: &str, ports: &str| {
        let key = direction.to_lowercase();
        policy(
            name,
            &format!(
                "{flags}types: [{direction}], selector: role == 'host', {key}: [\
                 {{action: Deny, protocol: TCP, destination: {{ports: [{ports}]}}}}, \
                 {{action: Allow}}]"
            ),
        )
    };
    let endpoints = [eth0(), endpoint("h1-eth1", "interfaceName: eth1")];
    let normal = deny("normal", "Ingress", "", "'1:65535'");
    let mut daemon = Daemon::start(&topology.host, &[&endpoints[..], &[normal]].concat());
    topology.expect("normal policy", &probes([Answer; 4]));
    let incoming = deny("in", "Ingress", "applyOnForward: true, ", "22, 81");
    let outgoing = deny("out", "Egress", "applyOnForward: true, ", "82");
    daemon.replace(&[&endpoints[..], &[incoming, outgoing]].concat());
    topology.expect(
        "applyOnForward",
        &probes([Answer, Nothing, Nothing, Nothing]),
    );
}

/// EV-100, EV-101, EV-103: with a `*` endpoint the host is guarded from its workloads by
/// `defaultEndpointToHostAction`, and may always connect to them.
#[test]
fn workload_interfaces_follow_default_endpoint_to_host_action() {
    let topology = Topology::new();
    topology
        .host
        .ip("link set eth1 down\nlink set eth1 name cali1\nlink set cali1 up");
    for net in Net::both() {
        let bits = if net.host.is_ipv4() { 24 } else { 64 };
        topology.host.ip(&format!(
            "address replace {}/{bits} dev cali1",
            net.host_inside
        ));
    }
    let probes = |to_host| {
        Net::each(|net| {
            [
                (tcp(net.inner, net.host_inside, 80), to_host),
                (tcp(net.host_inside, net.inner, 80), Answer),
                (tcp(net.client, net.host, 80), Nothing),
            ]
        })
    };
    let all = endpoint("all", "interfaceName: '*'");
    let mut daemon = Daemon::start(&topology.host, std::slice::from_ref(&all));
    topology.expect("Drop is the default", &probes(Nothing));
    daemon.replace(&[all, felix("defaultEndpointToHostAction: Accept")]);
    topology.expect("Accept", &probes(Answer));
    daemon.replace(&[eth0()]);
    topology.expect("no wildcard endpoint, no program", &probes(Answer));
    let without = eventually(PATIENCE, || {
        !daemon.show("interfaces").to_string().contains("cali1")
    });
    assert!(without, "{}", daemon.show("interfaces"));
}
