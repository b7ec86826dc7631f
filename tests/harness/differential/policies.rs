//! Random tiers, policies, profiles and rules.

use fastrand::Rng;
use hep_common::rule::RULES_PER_CHUNK;
use serde_json::{Map, Value, json};

use super::{addresses::Net, chance, pick, selectors::selector, some};

/// ICMP types that rules name.
pub(super) const ICMP_TYPES: [u8; 7] = [0, 8, 10, 128, 129, 135, 254];
/// ICMP codes that rules name.
pub(super) const ICMP_CODES: [u8; 3] = [0, 1, 255];

/// Ports that rules, named ports and failsafes use.
pub(super) const PORTS: [u16; 8] = [1, 22, 53, 80, 443, 8080, 32767, 65535];
/// Protocols that have ports.
const PORTED: [&str; 3] = ["TCP", "UDP", "SCTP"];
/// Names of ports that endpoints have and rules use.
pub(super) const PORT_NAMES: [&str; 3] = ["web", "dns", "none"];
/// Orders: few, so that names decide, too.
const ORDERS: [f64; 6] = [-1.5, -0.0, 0.0, 1.0, 10.0, 1_000_000.0];
const TIER_NAMES: [&str; 4] = ["alpha", "alpha-b", "mid", "zeta"];

/// Some tiers.
pub(super) fn tiers(rng: &mut Rng) -> Vec<Value> {
    let mut tiers = Vec::new();
    for name in TIER_NAMES {
        if chance(rng, 50) {
            let mut spec = Map::new();
            if chance(rng, 80) {
                spec.insert("order".to_owned(), json!(pick(rng, &ORDERS)));
            }
            if chance(rng, 60) {
                spec.insert(
                    "defaultAction".to_owned(),
                    json!(pick(rng, &["Pass", "Deny"])),
                );
            }
            tiers.push(resource("Tier", name, &spec));
        }
    }
    tiers
}

/// Some policies, enforced and staged, in `tiers` and the built-in ones.
pub(super) fn policies(rng: &mut Rng, tiers: &[Value]) -> Vec<Value> {
    let mut names: Vec<&str> = tiers
        .iter()
        .filter_map(|tier| tier["metadata"]["name"].as_str())
        .collect();
    names.extend(["default", "default", "kube-admin", "kube-baseline"]);
    if rng.u8(..) == 0 {
        return long_policies(rng);
    }
    let count = rng.usize(0..=10);
    let most_rules = if chance(rng, 3) { 80 } else { 4 };
    let mut policies = Vec::new();
    let mut former = None;
    for number in 0..count {
        let kind = if chance(rng, 15) {
            "StagedGlobalNetworkPolicy"
        } else {
            "GlobalNetworkPolicy"
        };
        // Every other name goes on where the one before it ends, or is the same if the kind differs.
        let (name, next) = match former {
            None => {
                let name = format!("p{number}");
                (name.clone(), Some((name, kind)))
            }
            Some((name, other)) if other != kind && rng.bool() => (name, None),
            Some((name, _)) => (format!("{name}{}", pick(rng, &["-b", ".b", "b"])), None),
        };
        former = next;
        let mut spec = policy(rng, &names, most_rules);
        // Equal orders in one tier leave it to the names.
        if let Some(before) = policies.last().filter(|_| chance(rng, 30)) {
            let before: &Value = before;
            for field in ["tier", "order"] {
                match before["spec"].get(field) {
                    Some(value) => spec.insert(field.to_owned(), value.clone()),
                    None => spec.remove(field),
                };
            }
        }
        policies.push(resource(kind, &name, &spec));
    }
    policies
}

/// Policies whose lists take several chunks: many rules that match few packets, each of one family in
/// turn, and around the end of the first chunk some of both families that match more.
fn long_policies(rng: &mut Rng) -> Vec<Value> {
    const POLICIES: usize = 9;
    const RULES: usize = 1024;
    // The default failsafes come before them in a list.
    const FIRST_WIDE: usize = 2 * (RULES_PER_CHUNK as usize - 16);
    (0..POLICIES)
        .map(|policy| {
            let rules: Vec<Value> = (policy * RULES..(policy + 1) * RULES)
                .map(|number| match number.checked_sub(FIRST_WIDE) {
                    Some(wide) if wide < PORTED.len() * PORTS.len() => wide_rule(wide),
                    _ => narrow_rule(rng, number.is_multiple_of(2)),
                })
                .collect();
            let spec = Map::from_iter([("ingress".to_owned(), rules.into())]);
            resource("GlobalNetworkPolicy", &format!("long{policy}"), &spec)
        })
        .collect()
}

/// A rule for a protocol and a port that no other number has.
fn wide_rule(number: usize) -> Value {
    json!({
        "action": if number.is_multiple_of(2) { "Allow" } else { "Deny" },
        "protocol": PORTED[number % PORTED.len()],
        "destination": { "ports": [PORTS[number / PORTED.len()]] },
    })
}

fn narrow_rule(rng: &mut Rng, ipv6: bool) -> Value {
    let mut net = || super::addresses::host(rng, ipv6).to_string();
    let (source, destination) = (net(), net());
    json!({
        "action": pick(rng, &["Allow", "Deny", "Log"]),
        "protocol": pick(rng, &PORTED),
        "source": { "nets": [source] },
        "destination": { "nets": [destination], "ports": [pick(rng, &PORTS)] },
    })
}

fn policy(rng: &mut Rng, tiers: &[&str], most_rules: usize) -> Map<String, Value> {
    let mut spec = Map::new();
    let tier = *pick(rng, tiers);
    if tier != "default" || rng.bool() {
        spec.insert("tier".to_owned(), tier.into());
    }
    if chance(rng, 70) {
        spec.insert("order".to_owned(), json!(pick(rng, &ORDERS)));
    }
    if chance(rng, 50) {
        spec.insert("selector".to_owned(), selector(rng, 2).into());
    }
    let pre_dnat = chance(rng, 15);
    let untracked = !pre_dnat && chance(rng, 20);
    if pre_dnat {
        spec.insert("preDNAT".to_owned(), true.into());
    }
    if untracked {
        spec.insert("doNotTrack".to_owned(), true.into());
    }
    if pre_dnat || untracked || chance(rng, 35) {
        spec.insert("applyOnForward".to_owned(), true.into());
    }
    let egress = !pre_dnat && chance(rng, 50);
    if chance(rng, 85) {
        spec.insert("ingress".to_owned(), some(rng, most_rules, rule).into());
    }
    if egress {
        spec.insert("egress".to_owned(), some(rng, most_rules, rule).into());
    }
    if chance(rng, 40) {
        let types: &[&str] = match rng.u8(0..3) {
            0 if !pre_dnat => &["Ingress", "Egress"],
            1 if !pre_dnat => &["Egress"],
            _ => &["Ingress"],
        };
        spec.insert("types".to_owned(), json!(types));
    }
    spec
}

/// Some profiles.
pub(super) fn profiles(rng: &mut Rng) -> Vec<Value> {
    let mut profiles = Vec::new();
    for name in ["pro-a", "pro-b"] {
        let mut spec = Map::new();
        spec.insert(
            "labelsToApply".to_owned(),
            super::selectors::labels(rng).into(),
        );
        spec.insert("ingress".to_owned(), some(rng, 2, rule).into());
        spec.insert("egress".to_owned(), some(rng, 2, rule).into());
        profiles.push(resource("Profile", name, &spec));
    }
    profiles
}

/// A resource without labels.
pub(super) fn resource(kind: &str, name: &str, spec: &Map<String, Value>) -> Value {
    json!({
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// Limits on the other fields of a rule.
struct Shape {
    /// The family of its CIDRs.
    ipv6: bool,
    /// It names a protocol that has ports.
    ports: bool,
    /// It names no protocol, so named ports are all it may have.
    any_protocol: bool,
}

fn rule(rng: &mut Rng) -> Value {
    let mut rule = Map::new();
    let action = match rng.u8(0..10) {
        0..4 => "Allow",
        4..7 => "Deny",
        7..9 => "Pass",
        _ => "Log",
    };
    rule.insert("action".to_owned(), action.into());
    let mut shape = Shape {
        ipv6: rng.bool(),
        ports: false,
        any_protocol: false,
    };
    if chance(rng, 12) {
        rule.insert(
            "ipVersion".to_owned(),
            if shape.ipv6 { 6 } else { 4 }.into(),
        );
    }
    if chance(rng, 75) {
        protocol(rng, &mut rule, &mut shape);
    } else {
        shape.any_protocol = true;
        if chance(rng, 20) {
            rule.insert("notProtocol".to_owned(), not_protocol(rng));
        }
    }
    for side in ["source", "destination"] {
        if chance(rng, 55) {
            rule.insert(side.to_owned(), entity(rng, &shape).into());
        }
    }
    rule.into()
}

fn protocol(rng: &mut Rng, rule: &mut Map<String, Value>, shape: &mut Shape) {
    let (value, icmp) = match rng.u8(0..12) {
        0..4 => (json!(pick(rng, &["TCP", "6"])), false),
        4..6 => (json!("UDP"), false),
        6 => (json!("SCTP"), false),
        7 => (json!(if shape.ipv6 { "ICMPv6" } else { "ICMP" }), true),
        8 => (json!(if shape.ipv6 { 58 } else { 1 }), true),
        9 => (json!("UDPLite"), false),
        _ => (json!(pick(rng, &[2, 47, 50, 89, 112, 253, 255])), false),
    };
    shape.ports = matches!(value.as_str(), Some("TCP" | "6" | "UDP" | "SCTP"));
    rule.insert("protocol".to_owned(), value);
    if icmp {
        for field in ["icmp", "notICMP"] {
            if chance(rng, 35) {
                rule.insert(field.to_owned(), icmp_match(rng));
            }
        }
    }
    if chance(rng, 5) {
        rule.insert("notProtocol".to_owned(), not_protocol(rng));
    }
}

fn not_protocol(rng: &mut Rng) -> Value {
    pick(
        rng,
        &[
            json!("TCP"),
            json!("UDP"),
            json!("SCTP"),
            json!(253),
            json!(17),
        ],
    )
    .clone()
}

fn icmp_match(rng: &mut Rng) -> Value {
    let icmp_type = *pick(rng, &ICMP_TYPES);
    match rng.u8(0..5) {
        0 => json!({}),
        1 | 2 => json!({ "type": icmp_type }),
        _ => json!({ "type": icmp_type, "code": pick(rng, &ICMP_CODES) }),
    }
}

fn entity(rng: &mut Rng, shape: &Shape) -> Map<String, Value> {
    let mut entity = Map::new();
    let distinct = |nets: Vec<Net>| {
        let mut texts: Vec<String> = nets.iter().map(Net::to_string).collect();
        texts.sort();
        texts.dedup();
        json!(texts)
    };
    if chance(rng, 35) {
        let nets = some(rng, 4, |rng| Net::random(rng, shape.ipv6));
        entity.insert("nets".to_owned(), distinct(nets));
    }
    if chance(rng, 20) {
        let mut nets = some(rng, 3, |rng| Net::random(rng, shape.ipv6));
        nets.retain(|net| net.bits > 0);
        entity.insert("notNets".to_owned(), distinct(nets));
    }
    if chance(rng, 25) {
        entity.insert("selector".to_owned(), selector(rng, 1).into());
    }
    if chance(rng, 15) {
        entity.insert("notSelector".to_owned(), selector(rng, 1).into());
    }
    if chance(rng, 4) {
        let namespaces = pick(rng, &["global()", "all()", "x != 'y'", "has(x)"]);
        entity.insert("namespaceSelector".to_owned(), (*namespaces).into());
    }
    if shape.ports || shape.any_protocol {
        for field in ["ports", "notPorts"] {
            if chance(rng, if field == "ports" { 40 } else { 15 }) {
                let ports = some(rng, 3, |rng| port(rng, shape.ports));
                entity.insert(field.to_owned(), ports.into());
            }
        }
    }
    entity
}

fn port(rng: &mut Rng, numeric: bool) -> Value {
    if !numeric || chance(rng, 30) {
        return (*pick(rng, &PORT_NAMES)).into();
    }
    let (a, b) = (*pick(rng, &PORTS), *pick(rng, &PORTS));
    match rng.u8(0..3) {
        0 => format!("{}:{}", a.min(b), a.max(b)).into(),
        1 => a.to_string().into(),
        _ => a.into(),
    }
}
