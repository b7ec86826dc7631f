//! Policies that differ in everything but their verdicts on the traffic of the soaks.

use fastrand::Rng;
use hep_tests::policy::{documents, endpoint, felix, network_set, policy, resource, tier};

use crate::{
    connections,
    streams::{ALLOWED_PORTS, PORTS},
};

/// A policy for both interfaces that allows the streams and connections that must pass, and nothing else.
/// Every number gives another one; neighbours differ in tiers, sets and rules.
pub(crate) fn variant(number: u64) -> String {
    let mut rng = Rng::with_seed(number);
    let mut resources = vec![
        endpoint("h1-eth0", "interfaceName: eth0"),
        endpoint("h1-eth1", "interfaceName: eth1"),
        felix("failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []"),
        // Nobody's traffic: it makes each variant another generation.
        network_set("crowd", "set: crowd", &strangers(&mut rng, number)),
        network_set(
            "clients",
            "set: clients",
            &["198.51.100.0/24".to_owned(), "2001:db8:c::/64".to_owned()],
        ),
    ];
    let rules = rules(&mut rng).join(", ");
    resources.extend(match number % 3 {
        0 => vec![policy("all", &both_ways("", &rules))],
        1 => after_pass(&rules),
        _ => after_clients(&rules),
    });
    documents(&resources)
}

/// The ports of the streams and connections that must pass.
fn ports() -> String {
    let last = ALLOWED_PORTS + PORTS - 1;
    format!("['{ALLOWED_PORTS}:{last}', {}]", connections::PORT)
}

/// Rules that allow what must pass, among rules for strangers.
fn rules(rng: &mut Rng) -> Vec<String> {
    let mut rules: Vec<String> = (0..rng.usize(0..40))
        .map(|port| {
            format!(
                "{{action: {}, protocol: TCP, source: {{selector: \"set == 'crowd'\"}}, \
                 destination: {{ports: [{}]}}}}",
                if port % 2 == 0 { "Allow" } else { "Deny" },
                port + 9000
            )
        })
        .collect();
    let ports = ports();
    rules.extend(["TCP", "UDP"].map(|protocol| {
        format!("{{action: Allow, protocol: {protocol}, destination: {{ports: {ports}}}}}")
    }));
    rng.shuffle(&mut rules);
    rules
}

/// The specification of a policy with the same rules in both directions, for forwarded traffic, too; `head`
/// is in front of the other fields.
fn both_ways(head: &str, rules: &str) -> String {
    format!(
        "{head}types: [Ingress, Egress], applyOnForward: true, \
         ingress: [{rules}], egress: [{rules}]"
    )
}

/// The rules, in a tier after one that passes all.
fn after_pass(rules: &str) -> Vec<String> {
    vec![
        tier("first", "order: 10"),
        resource(
            "GlobalNetworkPolicy",
            "first.pass",
            "",
            &both_ways("tier: first, ", "{action: Pass}"),
        ),
        policy("second", &both_ways("", rules)),
    ]
}

/// The rules, in a policy after one that allows UDP from the set of clients.
fn after_clients(rules: &str) -> Vec<String> {
    let named = format!(
        "{{action: Allow, source: {{selector: \"set == 'clients'\"}}, protocol: UDP, \
         destination: {{ports: {}}}}}",
        ports()
    );
    vec![
        policy("clients", &both_ways("order: 5, ", &named)),
        policy("rest", &both_ways("order: 7, ", rules)),
    ]
}

/// Networks that no packet of a soak is from or to.
fn strangers(rng: &mut Rng, number: u64) -> Vec<String> {
    let mut nets: Vec<String> = (0..rng.usize(1..60))
        .flat_map(|_| {
            [
                format!("203.0.{}.{}/32", rng.u8(114..), rng.u8(..)),
                format!("2001:db8:f:{:x}::/64", rng.u16(..)),
            ]
        })
        .collect();
    nets.push(format!("2001:db8:ffff:{:x}::/64", number % 0xffff));
    nets.sort();
    nets.dedup();
    nets
}
