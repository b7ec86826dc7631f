//! Many rules and large sets, and what is beyond the limits.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use hep_common::rule::MAX_RULES_PER_LIST;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{endpoint, eth0, felix, network_set, policy},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::Topology,
};

/// Policies of 1000 rules each, one rule a port from `first_port` on.
fn policies(count: u16, first_port: u16) -> Vec<String> {
    (0..count)
        .map(|number| {
            let mut rules = String::new();
            for rule in 0..1000 {
                let port = first_port + number * 1000 + rule;
                write!(
                    rules,
                    "{{action: Allow, protocol: TCP, destination: {{ports: [{port}]}}}}, "
                )
                .expect("a string takes everything");
            }
            policy(
                &format!("many-{number:02}"),
                &format!("types: [Ingress], ingress: [{rules}]"),
            )
        })
        .collect()
}

/// 10 000 rules load, and the first, one in the middle and the last of them are enforced.
#[test]
fn ten_thousand_rules_load_and_are_enforced() {
    let topology = Topology::new();
    let mut resources = policies(10, 20_000);
    resources.push(eth0());
    let daemon = Daemon::start(&topology.host, &resources);
    for net in Net::both() {
        topology.expect(
            "10 000 rules",
            &[
                (tcp(net.client, net.host, 20_000), Answer),
                (tcp(net.client, net.host, 24_095), Answer),
                (tcp(net.client, net.host, 24_096), Answer),
                (tcp(net.client, net.host, 29_999), Answer),
                (tcp(net.client, net.host, 19_999), Nothing),
                (tcp(net.client, net.host, 30_000), Nothing),
            ],
        );
    }
    // Their counters are in several pieces (EV-263).
    let lists = daemon.show("rules");
    let lists = lists.as_array().into_iter().flatten();
    let rules = lists.filter_map(|list| list["rules"].as_array()).flatten();
    let counted: BTreeSet<String> = rules
        .filter(|rule| rule["action"] == "Allow" && rule["packets"].as_u64() > Some(0))
        .filter(|rule| rule["policy"].as_str() > Some("GlobalNetworkPolicy/many"))
        .map(|rule| format!("{} {}", rule["policy"], rule["rule"]).replace('"', ""))
        .collect();
    let wanted = [(0, 0), (4, 95), (4, 96), (9, 999)]
        .map(|(policy, rule)| format!("GlobalNetworkPolicy/many-{policy:02} ingress[{rule}]"));
    assert_eq!(counted, wanted.into());
}

/// 100 000 members of a set, half of each family, are matched, and their neighbours are not.
#[test]
fn a_set_of_a_hundred_thousand_members_is_enforced() {
    let topology = Topology::new();
    let mut members = Vec::new();
    for number in 0..49_999_u32 {
        // Every other address, so that no two members merge.
        members.push(IpAddr::from(Ipv4Addr::from(0x0b00_0000 + 2 * number)).to_string());
        let low = u128::from(2 * number) << 40;
        members.push(IpAddr::from(Ipv6Addr::from((0x2001_0db8_00ff_u128 << 80) + low)).to_string());
    }
    members.extend(Net::both().map(|net| net.member.to_string()));
    let set = network_set("large", "size: large", &members);
    let rule = policy(
        "large",
        "types: [Ingress], ingress: [{action: Allow, source: {selector: size == 'large'}}]",
    );
    topology.outside.ip(
        "address add 11.0.1.14/32 dev eth0\naddress add 11.0.1.15/32 dev eth0\n\
         address add 2001:db8:ff:0:2:7600::/128 dev eth0\n\
         address add 2001:db8:ff:0:2:7700::/128 dev eth0",
    );
    let ip = |text: &str| text.parse::<IpAddr>().expect("a literal address");
    let [v4, v6] = Net::both();
    let _daemon = Daemon::start(&topology.host, &[eth0(), set, rule]);
    topology.expect(
        "100 000 members",
        &[
            (tcp(v4.member, v4.host, 80), Answer),
            (tcp(v6.member, v6.host, 80), Answer),
            (tcp(v4.client, v4.host, 80), Nothing),
            (tcp(v6.client, v6.host, 80), Nothing),
            (tcp(ip("11.0.1.14"), v4.host, 80), Answer),
            (tcp(ip("11.0.1.15"), v4.host, 80), Nothing),
            (tcp(ip("2001:db8:ff:0:2:7600::"), v6.host, 80), Answer),
            (tcp(ip("2001:db8:ff:0:2:7700::"), v6.host, 80), Nothing),
        ],
    );
}

/// Past each limit the load is refused with the number and the limit, and what was in force stays:
/// rules of a list, RS-170 for members of sets, RS-172 for interfaces.
#[test]
fn what_is_past_a_limit_is_refused_with_its_number_and_the_limit() {
    let topology = Topology::new();
    let net = Net::both()[0];
    let web = policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    let mut daemon = Daemon::start(&topology.host, &[eth0(), web]);
    let members: Vec<String> = (0..5).map(|number| format!("192.0.2.{number}")).collect();
    let rule = "types: [Ingress], ingress: [{action: Allow, source: {selector: size == 'large'}}]";
    let rows = [
        (
            "rules",
            policies(17, 20_000),
            vec![
                "has 17012 rules".to_owned(),
                format!("the limit is {MAX_RULES_PER_LIST}"),
            ],
        ),
        (
            "members",
            vec![
                felix("bpfMapSizeIPSets: 4"),
                network_set("large", "size: large", &members),
                policy("large", rule),
            ],
            vec!["have 5 members; the limit (bpfMapSizeIPSets) is 4".to_owned()],
        ),
        (
            "interfaces",
            vec![
                felix("bpfMapSizeIfState: 1"),
                endpoint("all", "interfaceName: '*'"),
            ],
            vec!["2 interfaces are policed; the limit (bpfMapSizeIfState) is 1".to_owned()],
        ),
    ];
    for (name, resources, said) in rows {
        daemon
            .directory()
            .write("more.yaml", &hep_tests::policy::documents(&resources));
        let refused = eventually(4 * PATIENCE, || {
            let status = daemon.status().to_string();
            said.iter().all(|text| status.contains(text))
        });
        assert!(refused, "{name}: {:#}\n{}", daemon.status(), daemon.log());
        assert_eq!(daemon.generation(), 1, "{name}");
        topology.expect(
            name,
            &[
                (tcp(net.client, net.host, 80), Answer),
                (tcp(net.client, net.host, 20_000), Nothing),
            ],
        );
    }
    daemon.directory().remove("more.yaml");
    daemon.apply("more.yaml", &policy("ssh", "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [20000]}}]"));
    topology.expect("within", &[(tcp(net.client, net.host, 20_000), Answer)]);
}
