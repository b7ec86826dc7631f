//! HostEndpoint and its ports.

use super::*;
use crate::model::InterfaceMatch;

/// RS-028, RS-029, RS-030, RS-031, RS-027, RS-026.
#[test]
fn host_endpoints_need_a_node_and_an_interface_or_addresses() {
    let star = &accept(&endpoint("node: n1, interfaceName: \"*\"")).endpoints[0];
    assert_eq!(star.interface, InterfaceMatch::All);
    let both = &accept(&endpoint(
        "node: n1, expectedIPs: [192.0.2.1, '2001:db8::1']",
    ))
    .endpoints[0];
    assert_eq!(
        (&both.interface, both.expected_ips.len()),
        (&InterfaceMatch::ByAddress, 2)
    );
    accept(&endpoint("node: n1, interfaceName: eth0.100_a-b"));
    refuse(&endpoint("interfaceName: eth0"), "E-REQUIRED", "spec.node");
    refuse(
        &endpoint("node: '', interfaceName: eth0"),
        "E-REQUIRED",
        "spec.node",
    );
    let upper = refuse(
        &endpoint("node: Node1, interfaceName: eth0"),
        "E-NAME",
        "spec.node",
    );
    assert_eq!(upper.advice, "write node1");
    for nowhere in [
        "node: n1",
        "node: n1, interfaceName: ''",
        "node: n1, expectedIPs: []",
    ] {
        refuse(&endpoint(nowhere), "E-REQUIRED", "spec.interfaceName");
    }
    for name in ["eth*", "'a b'", "a/b", "sixteen-letters0"] {
        refuse(
            &endpoint(&format!("node: n1, interfaceName: {name}")),
            "E-NAME",
            "spec.interfaceName",
        );
    }
    for address in [
        "192.0.2.0/24",
        "2001:db8::/64",
        "192.0.2",
        "x",
        "fe80::1%eth0",
    ] {
        refuse(
            &endpoint(&format!("node: n1, expectedIPs: [{address}]")),
            "E-CIDR",
            "spec.expectedIPs[0]",
        );
    }
    // RS-303, RS-304.
    let twice = endpoint("node: n1, expectedIPs: [192.0.2.1, 192.0.2.1]");
    warn(&twice, "N-REPEATED", "spec.expectedIPs[1]");
    let mapped = endpoint("node: n1, expectedIPs: ['::ffff:192.0.2.1']");
    warn(&mapped, "W-MAPPED", "spec.expectedIPs[0]");
    refuse(
        &endpoint("node: n1, expectedIPs: 192.0.2.1"),
        "E-SYNTAX",
        "spec.expectedIPs",
    );
}

/// RS-022, RS-033, RS-034, RS-035.
#[test]
fn endpoint_ports_have_a_name_a_protocol_and_a_port() {
    let ports = |ports: &str| endpoint(&format!("node: n1, interfaceName: eth0, ports: [{ports}]"));
    accept(&ports(
        "{name: http, protocol: TCP, port: 80}, {name: http, protocol: UDP, port: 80}, {name: z-9, protocol: 132, port: 1}",
    ));
    for (fields, code, field) in [
        ("protocol: TCP, port: 80", "E-REQUIRED", "name"),
        ("name: '', protocol: TCP, port: 80", "E-REQUIRED", "name"),
        ("name: http, port: 80", "E-REQUIRED", "protocol"),
        ("name: http, protocol: TCP", "E-REQUIRED", "port"),
        ("name: Http, protocol: TCP, port: 80", "E-NAME", "name"),
        ("name: a--b, protocol: TCP, port: 80", "E-NAME", "name"),
        ("name: '80', protocol: TCP, port: 80", "E-NAME", "name"),
        (
            "name: sixteen-letters0, protocol: TCP, port: 80",
            "E-NAME",
            "name",
        ),
        (
            "name: http, protocol: ICMP, port: 80",
            "E-PORTPROTO",
            "protocol",
        ),
        (
            "name: http, protocol: UDPLite, port: 80",
            "E-PORTPROTO",
            "protocol",
        ),
        ("name: http, protocol: tcp, port: 80", "E-ENUM", "protocol"),
        ("name: http, protocol: TCP, port: 0", "E-RANGE", "port"),
        ("name: http, protocol: TCP, port: 65536", "E-RANGE", "port"),
        ("name: http, protocol: TCP, port: '80'", "E-SYNTAX", "port"),
    ] {
        refuse(
            &ports(&format!("{{{fields}}}")),
            code,
            &format!("spec.ports[0].{field}"),
        );
    }
    let http = "{name: http, protocol: TCP, port: 80}";
    warn(
        &ports(&format!("{http}, {http}")),
        "W-REPEATED",
        "spec.ports[1]",
    );
    let dscp = endpoint("node: n1, interfaceName: eth0").replace(
        "name: e",
        "name: e, annotations: {qos.projectcalico.org/dscp: '20'}",
    );
    warn(&dscp, "W-IGNORED", "metadata");
}
