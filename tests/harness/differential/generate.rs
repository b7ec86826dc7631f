//! A random case from a seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fastrand::Rng;
use hep_userspace::cases::{Case, CaseOptions, Resource};
use serde_json::{Map, Value, json};

use super::{
    addresses::{Net, address},
    chance,
    felix::felix,
    packets::{NEVER_HEADERLESS, Topology, packets},
    pick,
    policies::{PORT_NAMES, PORTS, policies, profiles, resource, tiers},
    selectors::labels,
    some,
};

/// Packets of one case.
pub const PACKETS_PER_SET: usize = 500;
/// This host.
const NODE: &str = "h1";
/// Its interfaces: two that endpoints often name, one more, a workload's, and one that is a
/// workload's only under some configurations.
pub(super) const INTERFACES: [&str; 5] = ["eth0", "eth1", "eth2", "cali0", "wl0"];

/// The case of a seed, with its packets; their expected verdicts are unknown, so each has `allow`.
#[must_use]
pub fn generate(seed: u64, packets_wanted: usize) -> Case {
    let rng = &mut Rng::with_seed(seed);
    let interfaces = interfaces(rng);
    let tiers = tiers(rng);
    let mut resources: Vec<Value> = felix(rng).into_iter().collect();
    resources.extend(policies(rng, &tiers));
    resources.extend(tiers);
    resources.extend(profiles(rng));
    resources.extend(sets(rng));
    resources.extend(endpoints(rng, &interfaces));
    let headerless: Vec<String> = INTERFACES
        .iter()
        .filter(|name| **name != NEVER_HEADERLESS && chance(rng, 10))
        .map(|name| (*name).to_owned())
        .collect();
    let topology = Topology {
        interfaces: &interfaces,
        headerless: &headerless,
    };
    let packets = packets(rng, &resources, topology, packets_wanted);
    Case {
        id: format!("fuzz/{seed}"),
        why: String::new(),
        src: String::new(),
        node: NODE.to_owned(),
        resources: resources.into_iter().map(Resource::Inline).collect(),
        interfaces,
        headerless,
        interface: None,
        options: CaseOptions {
            ipv6_nd_exempt: chance(rng, 85),
            ipv6_ra_exempt: chance(rng, 70),
            icmp_invalid_check: rng.bool(),
        },
        packets,
    }
}

fn interfaces(rng: &mut Rng) -> BTreeMap<String, Vec<IpAddr>> {
    INTERFACES
        .iter()
        .map(|name| {
            let addresses = some(rng, 2, |rng| {
                let ipv6 = rng.bool();
                address(rng, ipv6)
            });
            ((*name).to_owned(), addresses)
        })
        .collect()
}

fn sets(rng: &mut Rng) -> Vec<Value> {
    let count = rng.usize(0..=5);
    (0..count)
        .map(|number| {
            let mut nets = some(rng, 6, |rng| {
                let ipv6 = rng.bool();
                Net::random(rng, ipv6).to_string()
            });
            nets.sort();
            nets.dedup();
            let spec = Map::from_iter([("nets".to_owned(), json!(nets))]);
            let mut set = resource("GlobalNetworkSet", &format!("set-{number}"), &spec);
            set["metadata"]["labels"] = labels(rng).into();
            set
        })
        .collect()
}

/// Endpoints of this host by name, by address and `*`, and of others.
fn endpoints(rng: &mut Rng, interfaces: &BTreeMap<String, Vec<IpAddr>>) -> Vec<Value> {
    let count = rng.usize(1..=5);
    (0..count)
        .map(|number| {
            let mut spec = Map::new();
            let node = if number > 0 && chance(rng, 30) {
                "h2"
            } else {
                NODE
            };
            spec.insert("node".to_owned(), node.into());
            let mut expected = some(rng, 3, |rng| {
                let ipv6 = rng.bool();
                address(rng, ipv6)
            });
            match rng.u8(0..10) {
                0..5 => {
                    drop(spec.insert("interfaceName".to_owned(), (*pick(rng, &INTERFACES)).into()))
                }
                5..7 => drop(spec.insert("interfaceName".to_owned(), "*".into())),
                _ => {
                    let name = *pick(rng, &INTERFACES);
                    expected.extend(interfaces.get(name).into_iter().flatten());
                    expected.push(address(rng, false));
                }
            }
            expected.sort();
            expected.dedup();
            spec.insert("expectedIPs".to_owned(), json!(expected));
            let mut profiles = some(rng, 3, |rng| {
                *pick(rng, &["pro-a", "pro-b", "projectcalico-default-allow"])
            });
            let mut seen = BTreeSet::new();
            profiles.retain(|name| seen.insert(*name));
            spec.insert("profiles".to_owned(), json!(profiles));
            spec.insert("ports".to_owned(), some(rng, 3, named_port).into());
            let name = format!("{}{number}", pick(rng, &["ep-", "a", "z"]));
            let mut endpoint = resource("HostEndpoint", &name, &spec);
            endpoint["metadata"]["labels"] = labels(rng).into();
            endpoint
        })
        .collect()
}

fn named_port(rng: &mut Rng) -> Value {
    json!({
        "name": pick(rng, &PORT_NAMES[..2]),
        "protocol": pick(rng, &["TCP", "UDP", "SCTP"]),
        "port": pick(rng, &PORTS),
    })
}
