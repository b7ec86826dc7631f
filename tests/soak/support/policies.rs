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
    let last = ALLOWED_PORTS + PORTS - 1;
    let ports = format!("['{ALLOWED_PORTS}:{last}', {}]", connections::PORT);
    let stranger_rules = (0..rng.usize(0..40))
        .map(|port| {
            format!(
                "{{action: {}, protocol: TCP, source: {{selector: \"set == 'crowd'\"}}, \
                 destination: {{ports: [{}]}}}}",
                if port % 2 == 0 { "Allow" } else { "Deny" },
                port + 9000
            )
        })
        .collect::<Vec<_>>();
    let allow = |protocol: &str| {
        format!("{{action: Allow, protocol: {protocol}, destination: {{ports: {ports}}}}}")
    };
    let mut rules = stranger_rules;
    rules.extend([allow("TCP"), allow("UDP")]);
    rng.shuffle(&mut rules);
    let rules = rules.join(", ");
    let both = |rules: &str| format!("ingress: [{rules}], egress: [{rules}]");
    match number % 3 {
        0 => resources.push(policy(
            "all",
            &format!(
                "types: [Ingress, Egress], applyOnForward: true, {}",
                both(&rules)
            ),
        )),
        1 => {
            resources.push(tier("first", "order: 10"));
            resources.push(resource(
                "GlobalNetworkPolicy",
                "first.pass",
                "",
                &format!(
                    "tier: first, types: [Ingress, Egress], applyOnForward: true, {}",
                    both("{action: Pass}")
                ),
            ));
            resources.push(policy(
                "second",
                &format!(
                    "types: [Ingress, Egress], applyOnForward: true, {}",
                    both(&rules)
                ),
            ));
        }
        _ => {
            let named = format!(
                "{{action: Allow, source: {{selector: \"set == 'clients'\"}}, protocol: UDP, \
                 destination: {{ports: {ports}}}}}"
            );
            resources.push(policy(
                "clients",
                &format!(
                    "order: 5, types: [Ingress, Egress], applyOnForward: true, {}",
                    both(&named)
                ),
            ));
            resources.push(policy(
                "rest",
                &format!(
                    "order: 7, types: [Ingress, Egress], applyOnForward: true, {}",
                    both(&rules)
                ),
            ));
        }
    }
    documents(&resources)
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
