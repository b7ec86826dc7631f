//! Matches of rules, on real traffic (section 11; EV-242, EV-243, EV-252 to EV-254).

use hep_common::Family;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{endpoint, eth0, network_set, policy, resource},
    probe::{
        Heard::{Answer, Nothing},
        Probe, ping, tcp, udp,
    },
    receiver::Receiver,
    topology::Topology,
};

use crate::{Fixture, fixture, judge, pass_freely};

fn ingress(rules: &str) -> String {
    policy("rules", &format!("types: [Ingress], ingress: [{rules}]"))
}

/// EV-242: a rule whose only nets are of the other family matches nothing (EV-116).
#[test]
fn ev_242_a_rule_with_nets_of_one_family_is_none_of_the_other() {
    let rules = ingress("{action: Deny, source: {notNets: ['10.0.0.0/8']}}, {action: Allow}");
    judge(&[eth0(), rules], |net| {
        let heard = match net.family {
            Family::V4 => Nothing,
            Family::V6 => Answer,
        };
        vec![(tcp(net.client, net.host, 80), heard)]
    });
}

/// EV-243: ICMPv6 by name and by number are the same (EV-119); by name the rule is IPv6 only
/// (EV-115).
#[test]
fn ev_243_icmpv6_matches_by_name_and_by_number() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let [v4, v6] = Net::both();
    let probes = |answer_v4, answer_v6| {
        [
            (ping(v4.client, v4.host, 5), answer_v4),
            (ping(v6.client, v6.host, 5), answer_v6),
        ]
    };
    pass_freely(topology, &probes(Answer, Answer));
    let rule = |protocol: &str| ingress(&format!("{{action: Allow, protocol: {protocol}}}"));
    daemon.replace(&[eth0(), rule("58")]);
    topology.expect("58", &probes(Nothing, Answer));
    daemon.replace(&[eth0(), rule("TCP")]);
    topology.expect("TCP", &probes(Nothing, Nothing));
    daemon.replace(&[eth0(), rule("ICMPv6")]);
    topology.expect("ICMPv6", &probes(Nothing, Answer));
    daemon.replace(&[eth0(), rule("ICMP")]);
    topology.expect("ICMP", &probes(Answer, Nothing));
}

/// EV-252: a named port applies at the expected addresses of its endpoint (EV-124, EV-126).
#[test]
fn ev_252_a_named_port_matches_only_at_the_expected_addresses() {
    let resources = [
        endpoint(
            "h1-eth0",
            "interfaceName: eth0, expectedIPs: [192.0.2.10], \
             ports: [{name: web, protocol: TCP, port: 80}]",
        ),
        ingress("{action: Allow, protocol: TCP, destination: {ports: [web]}}"),
    ];
    judge(&resources, |net| {
        let heard = match net.family {
            Family::V4 => Answer,
            Family::V6 => Nothing,
        };
        vec![
            (tcp(net.client, net.host, 80), heard),
            (tcp(net.client, net.host, 81), Nothing),
        ]
    });
}

/// EV-253, EV-254: a positive selector matches a set of known addresses, a negative one alone matches
/// everything else (EV-107).
#[test]
fn ev_253_254_selectors_stand_for_addresses() {
    let members: Vec<String> = Net::both().map(|net| net.prefix(net.member)).into();
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let probes = |client, member| {
        Net::each(|net| {
            [
                (tcp(net.client, net.host, 80), client),
                (tcp(net.member, net.host, 80), member),
            ]
        })
    };
    pass_freely(topology, &probes(Answer, Answer));
    let set = network_set("known", "role: bad", &members);
    let known = ingress("{action: Allow, source: {selector: all()}}");
    daemon.replace(&[eth0(), set.clone(), known]);
    topology.expect("selector: all()", &probes(Nothing, Answer));
    let not_bad = ingress("{action: Allow, source: {notSelector: \"role == 'bad'\"}}");
    daemon.replace(&[eth0(), set, not_bad]);
    topology.expect("notSelector", &probes(Answer, Nothing));
}

/// Ports, ranges, nets, negations, both ends, all fields ANDed (EV-104 to EV-112), on one policy.
#[test]
fn every_match_field_counts() {
    let [v4, v6] = Net::both();
    let per_family = |rule: &dyn Fn(&Net) -> String| [rule(&v4), rule(&v6)].join(", ");
    let rules = [
        "{action: Allow, protocol: TCP, destination: {ports: [80, '8000:8010']}}".to_owned(),
        "{action: Allow, protocol: TCP, destination: {ports: ['9000:9010'], notPorts: [9005]}}"
            .to_owned(),
        per_family(&|net| {
            format!(
                "{{action: Allow, protocol: UDP, source: {{nets: ['{}']}}, \
                 destination: {{ports: [5000]}}}}",
                net.prefix(net.member)
            )
        }),
        per_family(&|net| {
            format!(
                "{{action: Allow, protocol: UDP, source: {{notNets: ['{}']}}, \
                 destination: {{ports: [5001]}}}}",
                net.prefix(net.member)
            )
        }),
        "{action: Allow, protocol: UDP, source: {ports: [6001]}, destination: {ports: [6000]}}"
            .to_owned(),
        per_family(&|net| {
            format!(
                "{{action: Allow, protocol: {}, icmp: {{type: {}, code: 0}}}}",
                net.icmp(),
                net.echo_request()
            )
        }),
        "{action: Allow, ipVersion: 6, protocol: TCP, destination: {ports: [7006]}}".to_owned(),
    ]
    .join(", ");
    judge(&[eth0(), ingress(&rules)], |net| {
        let v6_only = match net.family {
            Family::V4 => Nothing,
            Family::V6 => Answer,
        };
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 8000), Answer),
            (tcp(net.client, net.host, 8010), Answer),
            (tcp(net.client, net.host, 8011), Nothing),
            (udp(net.client, net.host, 8005), Nothing),
            (tcp(net.client, net.host, 9004), Answer),
            (tcp(net.client, net.host, 9005), Nothing),
            (udp(net.member, net.host, 5000), Answer),
            (udp(net.client, net.host, 5000), Nothing),
            (udp(net.member, net.host, 5001), Nothing),
            (udp(net.client, net.host, 5001), Answer),
            (udp(net.client, net.host, 6000).sport(6001), Answer),
            (udp(net.client, net.host, 6000).sport(6002), Nothing),
            (ping(net.client, net.host, 5), Answer),
            (tcp(net.client, net.host, 7006), v6_only),
        ]
    });
}

/// EV-020, RS-036: endpoints of other nodes lend their addresses and ports to rules here.
#[test]
fn endpoints_of_other_nodes_take_part_in_selectors_and_named_ports() {
    let addresses = |pick: fn(&Net) -> std::net::IpAddr| -> String {
        Net::both()
            .map(|net| pick(&net).to_string())
            .map(|address| format!("'{address}'"))
            .join(", ")
    };
    let remote = resource(
        "HostEndpoint",
        "other-eth0",
        "role: monitor",
        &format!(
            "node: other, interfaceName: eth0, expectedIPs: [{}], \
             ports: [{{name: metrics, protocol: TCP, port: 9100}}]",
            addresses(|net| net.member)
        ),
    );
    let rules = policy(
        "rules",
        "selector: role == 'host', types: [Ingress, Egress], \
         ingress: [{action: Allow, source: {selector: role == 'monitor'}}], \
         egress: [{action: Allow, protocol: TCP, \
         destination: {selector: role == 'monitor', ports: [metrics]}}]",
    );
    judge(&[eth0(), remote, rules], |net| {
        vec![
            (tcp(net.member, net.host, 80), Answer),
            (tcp(net.client, net.host, 80), Nothing),
            (tcp(net.host, net.member, 9100), Answer),
            (tcp(net.host, net.member, 9101), Nothing),
            (tcp(net.host, net.client, 9100), Nothing),
        ]
    });
}

/// EV-165, EV-120, EV-121: protocols are matched by number, SCTP also by port; in both families.
#[test]
fn any_protocol_is_matched_by_its_number_and_sctp_by_its_ports() {
    use hep_tests::{
        link::Link,
        packet::{Packet, protocol, sctp},
        probe::{PATIENCE, SILENCE},
        topology::{HOST_MAC, OUTSIDE_MAC},
    };
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    let sent = |net: &Net| -> Vec<(&str, Packet, u8, bool)> {
        vec![
            ("VRRP", protocol(net.peer, net.host, 112, 20), 112, true),
            ("OSPF", protocol(net.peer, net.host, 89, 24), 89, false),
            (
                "GRE, no payload",
                protocol(net.peer, net.host, 47, 0),
                47,
                true,
            ),
            (
                "SCTP port 80",
                sctp(net.peer, net.host).dport(80),
                132,
                true,
            ),
            (
                "SCTP port 81",
                sctp(net.peer, net.host).dport(81),
                132,
                false,
            ),
        ]
    };
    let check = |policed: bool| {
        for net in Net::both() {
            for (name, packet, number, allowed) in sent(&net) {
                let receiver = Receiver::raw(&topology.host, net.host, number);
                link.send(&packet.ethernet(OUTSIDE_MAC, HOST_MAC).frame());
                let wanted = !policed || allowed;
                let limit = if wanted { PATIENCE } else { SILENCE };
                let heard = receiver.receive(limit, |_| true).is_some();
                assert_eq!(heard, wanted, "{name} {}, policed: {policed}", net.host);
            }
        }
    };
    check(false);
    let rules = ingress(
        "{action: Allow, protocol: 112}, {action: Allow, protocol: '47'}, \
         {action: Allow, protocol: SCTP, destination: {ports: [80]}}",
    );
    daemon.replace(&[eth0(), rules]);
    check(true);
}

/// A policy of both directions on `lo`-free loops: what the host sends to itself never meets the
/// daemon (EV-162).
#[test]
fn traffic_of_the_host_to_itself_is_not_policed() {
    judge(
        &[eth0(), policy("none", "types: [Ingress, Egress]")],
        |net| -> Vec<(Probe, _)> {
            vec![
                (tcp(net.host, net.host, 80), Answer),
                (udp(net.host, net.host_inside, 5000), Answer),
                (tcp(net.client, net.host, 80), Nothing),
            ]
        },
    );
}

/// SL-059, SL-039: the addresses of a selector follow the objects, of whatever kind, while the policy stays
/// as it is; two spellings of one selector share a set.
#[test]
fn sl_059_sets_follow_the_objects() {
    let topology = Topology::new();
    let rules = [(80, "team == 'red'"), (81, "(team==\"red\")")]
        .map(|(port, selector)| {
            format!(
                "{{action: Allow, protocol: TCP, source: {{selector: {selector:?}}}, \
                 destination: {{ports: [{port}]}}}}"
            )
        })
        .join(", ");
    let mut daemon = Daemon::start(&topology.host, &[eth0(), ingress(&rules)]);
    let members: Vec<_> = Net::both().map(|net| net.prefix(net.member)).to_vec();
    let [v4, v6] = Net::both().map(|net| net.member);
    let elsewhere = resource(
        "HostEndpoint",
        "other",
        "team: red",
        &format!("node: other, interfaceName: eth0, expectedIPs: ['{v4}', '{v6}']"),
    );
    let expect = |what: &str, heard| {
        let probes: Vec<_> = Net::each(|net| [80, 81].map(|port| tcp(net.member, net.host, port)));
        topology.expect_all(what, heard, &probes);
    };
    expect("no object", Nothing);
    daemon.apply("object.yaml", &network_set("some", "team: red", &members));
    expect("added", Answer);
    let sets = daemon.show("sets");
    assert_eq!(sets.as_array().map(Vec::len), Some(1), "{sets:#}");
    daemon.apply("object.yaml", &network_set("some", "team: blue", &members));
    expect("relabelled", Nothing);
    daemon.apply("object.yaml", &elsewhere);
    expect("an endpoint of another node", Answer);
    daemon.change(|directory| directory.remove("object.yaml"));
    expect("removed", Nothing);
}
