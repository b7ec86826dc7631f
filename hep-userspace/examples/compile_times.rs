//! Prints how long `compile` takes: `cargo run --release --example compile_times`.

use std::{
    collections::BTreeMap,
    error::Error,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use hep_common::settings;
use hep_userspace::{
    compile::{Options, Slots, compile},
    model::{
        Action, AttachType, DefaultAction, EndpointToHostAction, EntityRule, FelixConfiguration,
        GlobalNetworkSet, HostEndpoint, Interface, InterfaceMatch, LinkLayer, LogLevel, Metadata,
        Policy, PolicyKind, PortMatch, PortRange, Position, Protocol, ReversePath, Rule, Snapshot,
        Stage, Tier, TimeoutSetting, Timeouts,
    },
    selector::Selector,
};
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

/// What is compiled: rules, sets that they use in turn, members of each set, and their family.
type Load = (usize, usize, usize, bool);

fn main() -> Result<(), Box<dyn Error>> {
    let loads: [Load; 9] = [
        (10, 1, 10, false),
        (1_000, 100, 10, false),
        (10_000, 1_000, 10, false),
        (10_000, 1_000, 10, true),
        (10, 1, 1_000, false),
        (10, 1, 100_000, false),
        (10, 1, 100_000, true),
        (10, 1, 1_000_000, false),
        (10, 1, 1_000_000, true),
    ];
    println!("rules  sets  members  family  lists    rows  classes  compile");
    for (rules, sets, members, v6) in loads {
        let snapshot = snapshot((rules, sets, members, v6))?;
        let interfaces = [interface()];
        let best = (0..3)
            .map(|_| {
                let start = Instant::now();
                let generation = compile(
                    &snapshot,
                    "host",
                    &interfaces,
                    &options(),
                    &Slots::default(),
                );
                (start.elapsed(), generation)
            })
            .min_by_key(|(elapsed, _)| *elapsed);
        let (elapsed, generation) = best.ok_or("no run")?;
        let generation = generation?;
        println!(
            "{rules:>5} {sets:>5} {members:>8}  {}  {:>5} {:>7}  {:>7}  {:.1} ms",
            if v6 { "IPv6" } else { "IPv4" },
            generation.tables.lists.len(),
            generation.tables.rows.len(),
            generation.description.classes[usize::from(v6)],
            elapsed.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

fn options() -> Options {
    Options {
        nd_exempt: true,
        revalidate: true,
        bypass_mark: 0,
        deny_events: false,
        fragment_timeout: Duration::from_secs(30),
        timeouts: settings::Timeouts::default(),
    }
}

fn interface() -> Interface {
    Interface {
        name: "eth0".into(),
        ifindex: 2,
        addresses: Vec::new(),
        link_layer: LinkLayer::Ethernet,
        is_loopback: false,
        is_member: false,
    }
}

fn metadata(name: String) -> Metadata {
    Metadata {
        name: name.into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        position: Position::built_in(),
    }
}

/// Rules `Allow TCP from selector set == "n" to port p`, spread over policies of 1 000 rules.
fn snapshot((rules, sets, members, v6): Load) -> Result<Snapshot, Box<dyn Error>> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut network_sets = Vec::with_capacity(sets);
    for number in 0..sets {
        let mut metadata = metadata(format!("set-{number}"));
        metadata.labels.insert("set".to_owned(), number.to_string());
        let nets = (0..members)
            .map(|_| net(v6, next(), next()))
            .collect::<Result<_, _>>()?;
        network_sets.push(GlobalNetworkSet { metadata, nets });
    }
    let mut all_rules = Vec::with_capacity(rules);
    for number in 0..rules {
        let selector = Selector::parse(&format!("set == '{}'", number % sets))?;
        let port = u16::try_from(1 + number % 60_000)?;
        all_rules.push(rule(selector, PortRange::new(port, port).ok_or("port 0")?));
    }
    let policies = all_rules
        .chunks(1_000)
        .zip(0_u32..)
        .map(|(rules, number)| policy(number, rules.to_vec()));
    Ok(Snapshot {
        endpoints: vec![HostEndpoint {
            metadata: metadata("host-eth0".to_owned()),
            node: "host".into(),
            interface: InterfaceMatch::Named("eth0".into()),
            expected_ips: [].into(),
            profiles: Vec::new(),
            ports: Vec::new(),
            generated: false,
        }],
        profiles: Vec::new(),
        policies: policies.collect(),
        tiers: vec![Tier {
            metadata: metadata("default".to_owned()),
            order: 1e6,
            default_action: DefaultAction::Deny,
        }],
        sets: network_sets,
        felix: felix(),
    })
}

/// The mix of prefix lengths of a routing table with many host routes.
fn net(v6: bool, a: u64, b: u64) -> Result<IpNetwork, ipnetwork::IpNetworkError> {
    let pick = u8::try_from(b % 100).unwrap_or_default();
    if v6 {
        let bits = match pick {
            0..30 => 48,
            30..60 => 64,
            _ => 128,
        };
        let address = (0x2001_u128 << 112) | (u128::from(a) << 48) | u128::from(b >> 16);
        let net = Ipv6Network::new(Ipv6Addr::from_bits(address), bits)?;
        return Ok(Ipv6Network::new(net.network(), bits)?.into());
    }
    let bits = match pick {
        0..15 => 20,
        15..60 => 24,
        60..70 => 28,
        _ => 32,
    };
    let low = u32::try_from(a >> 32).unwrap_or_default();
    let net = Ipv4Network::new(Ipv4Addr::from_bits(low), bits)?;
    Ok(Ipv4Network::new(net.network(), bits)?.into())
}

fn rule(selector: Selector, port: PortRange) -> Rule {
    Rule {
        action: Action::Allow,
        ip_version: None,
        protocol: Some(Protocol {
            number: hep_common::protocol::TCP,
            by_name: true,
        }),
        not_protocol: None,
        icmp: None,
        not_icmp: None,
        source: EntityRule {
            selector: Some(Arc::new(selector)),
            ..EntityRule::default()
        },
        destination: EntityRule {
            ports: vec![PortMatch::Range(port)],
            ..EntityRule::default()
        },
        annotations: BTreeMap::new(),
        position: Position::built_in(),
    }
}

fn policy(number: u32, ingress: Vec<Rule>) -> Policy {
    Policy {
        kind: PolicyKind::Enforced,
        metadata: metadata(format!("policy-{number}")),
        tier: "default".into(),
        order: Some(number.into()),
        selector: Arc::new(Selector::all()),
        selects_no_host: false,
        applies_ingress: true,
        applies_egress: false,
        ingress,
        egress: Vec::new(),
        stage: Stage::Normal {
            apply_on_forward: false,
        },
    }
}

fn felix() -> FelixConfiguration {
    let fixed = TimeoutSetting::Fixed(Duration::from_secs(60));
    FelixConfiguration {
        failsafe_inbound: Vec::new(),
        failsafe_outbound: Vec::new(),
        interface_prefixes: vec!["cali".to_owned()],
        interface_exclude: Vec::new(),
        wildcard_patterns: Vec::new(),
        interface_refresh: None,
        endpoint_to_host: EndpointToHostAction::Drop,
        ipv6_support: true,
        bpf_log_level: LogLevel::Off,
        conntrack_size: 512_000,
        max_set_members: 1 << 20,
        max_interfaces: 1_000,
        reverse_path: ReversePath::Disabled,
        attach_type: AttachType::Tcx,
        fragment_timeout: None,
        allow_invalid: false,
        timeouts: Timeouts {
            tcp_syn_sent: fixed,
            tcp_established: fixed,
            tcp_fins_seen: fixed,
            tcp_reset_seen: fixed,
            udp: fixed,
            generic: fixed,
            icmp: fixed,
        },
        log_prefix: "calico-packet".to_owned(),
        log_rate_per_second: None,
        log_burst: 5,
        log_severity: "info".to_owned(),
        metrics: None,
        health: None,
    }
}
