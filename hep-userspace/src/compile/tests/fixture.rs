//! Snapshots and packets in few words, after the host of the worked cases: `eth0` 192.0.2.10/24 and
//! 2001:db8::10/64 (interface index 2), `eth1` 10.0.0.1/24 (3), the default failsafes.

use std::{collections::BTreeMap, net::IpAddr, path::Path, sync::Arc, time::Duration};

use hep_common::settings;
use ipnetwork::IpNetwork;

pub(in crate::compile) use super::packets::{At, check, icmp6, judge, outcome, portless, tcp, udp};
use crate::{
    compile::{Generation, Options, Slots, compile},
    model::{
        Action, Behaviour, DEFAULT_ALLOW_PROFILE, DEFAULT_TIER, DefaultAction, EndpointPort,
        EntityRule, FailsafePort, GlobalNetworkSet, HostEndpoint, IcmpMatch, Interface,
        InterfaceMatch, LinkLayer, Metadata, Origin, Policy, PolicyKind, PortMatch, PortRange,
        Position, Profile, Protocol, Rule, Snapshot, Stage, Tier,
    },
    selector::Selector,
};

pub(in crate::compile) const ETH0: u32 = 2;
pub(in crate::compile) const ETH1: u32 = 3;

pub(in crate::compile) fn metadata(name: &str) -> Metadata {
    Metadata {
        name: name.into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        position: Position::new(&Origin::File(Path::new("test.yaml").into()), 1, 1),
    }
}

pub(in crate::compile) fn interface(name: &str, ifindex: u32, addresses: &[&str]) -> Interface {
    Interface {
        name: name.into(),
        ifindex,
        addresses: addresses.iter().map(|a| address(a)).collect(),
        link_layer: LinkLayer::Ethernet,
        is_loopback: name == "lo",
        is_member: false,
        vlan_of: None,
        ..Interface::default()
    }
}

pub(in crate::compile) fn interfaces() -> Vec<Interface> {
    vec![
        interface("lo", 1, &["127.0.0.1", "::1"]),
        interface("eth0", ETH0, &["192.0.2.10", "2001:db8::10"]),
        interface("eth1", ETH1, &["10.0.0.1"]),
    ]
}

pub(in crate::compile) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(in crate::compile) fn options() -> Options {
    Options {
        behaviour: Behaviour::default(),
        any_icmp: false,
        fragment_timeout: Duration::from_secs(30),
        timeouts: settings::Timeouts::default(),
    }
}

/// An endpoint on `h1`.
pub(in crate::compile) fn endpoint(name: &str, interface: &str) -> HostEndpoint {
    HostEndpoint {
        metadata: metadata(name),
        node: "h1".into(),
        interface: match interface {
            "" => InterfaceMatch::ByAddress,
            "*" => InterfaceMatch::All,
            name => InterfaceMatch::Named(name.into()),
        },
        expected_ips: [].into(),
        profiles: Vec::new(),
        ports: Vec::new(),
        generated: false,
        closed: false,
    }
}

pub(in crate::compile) trait EndpointExt {
    fn profile(self, name: &str) -> Self;
    fn label(self, key: &str, value: &str) -> Self;
    fn ips(self, addresses: &[&str]) -> Self;
    fn port(self, name: &str, protocol: &str, port: u16) -> Self;
    fn on(self, node: &str) -> Self;
}

impl EndpointExt for HostEndpoint {
    fn profile(mut self, name: &str) -> Self {
        self.profiles.push(name.into());
        self
    }

    fn label(mut self, key: &str, value: &str) -> Self {
        self.metadata.labels.insert(key.into(), value.into());
        self
    }

    fn ips(mut self, addresses: &[&str]) -> Self {
        self.expected_ips = addresses.iter().map(|text| address(text)).collect();
        self
    }

    fn port(mut self, name: &str, protocol: &str, port: u16) -> Self {
        self.ports.push(EndpointPort {
            name: name.into(),
            protocol: protocol_named(protocol),
            port,
        });
        self
    }

    fn on(mut self, node: &str) -> Self {
        self.node = node.into();
        self
    }
}

pub(in crate::compile) fn protocol_named(name: &str) -> Protocol {
    Protocol::NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map_or_else(
            || Protocol {
                number: name.parse().expect("a protocol number"),
                by_name: false,
            },
            |(_, number)| Protocol {
                number: *number,
                by_name: true,
            },
        )
}

pub(in crate::compile) fn set(name: &str, label: (&str, &str), nets: &[&str]) -> GlobalNetworkSet {
    let mut metadata = metadata(name);
    metadata.labels.insert(label.0.into(), label.1.into());
    GlobalNetworkSet {
        metadata,
        nets: networks(nets).into_iter().collect(),
    }
}

pub(in crate::compile) fn networks(nets: &[&str]) -> Vec<IpNetwork> {
    nets.iter()
        .map(|net| net.parse().expect("a network"))
        .collect()
}

pub(in crate::compile) fn tier(name: &str, order: f64, default_action: DefaultAction) -> Tier {
    Tier {
        metadata: metadata(name),
        order,
        default_action,
    }
}

pub(in crate::compile) fn allow() -> Rule {
    Rule::for_everything(Action::Allow)
}

pub(in crate::compile) fn deny() -> Rule {
    Rule::for_everything(Action::Deny)
}

pub(in crate::compile) fn pass() -> Rule {
    Rule::for_everything(Action::Pass)
}

pub(in crate::compile) fn log() -> Rule {
    Rule::for_everything(Action::Log)
}

pub(in crate::compile) fn port_match(text: &str) -> PortMatch {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => PortMatch::Range(PortRange::new(first, last).expect("a range")),
        _ => PortMatch::Named(text.into()),
    }
}

pub(in crate::compile) trait RuleExt {
    fn protocol(self, name: &str) -> Self;
    fn icmp_type(self, icmp_type: u8) -> Self;
    fn to(self, side: EntityRule) -> Self;
    fn from(self, side: EntityRule) -> Self;
}

impl RuleExt for Rule {
    fn protocol(mut self, name: &str) -> Self {
        self.protocol = Some(protocol_named(name));
        self
    }

    fn icmp_type(mut self, icmp_type: u8) -> Self {
        self.icmp = Some(IcmpMatch {
            icmp_type: Some(icmp_type),
            code: None,
        });
        self
    }

    fn to(mut self, side: EntityRule) -> Self {
        self.destination = side;
        self
    }

    fn from(mut self, side: EntityRule) -> Self {
        self.source = side;
        self
    }
}

pub(in crate::compile) fn side() -> EntityRule {
    EntityRule::default()
}

pub(in crate::compile) trait SideExt {
    fn nets(self, nets: &[&str]) -> Self;
    fn not_nets(self, nets: &[&str]) -> Self;
    fn selector(self, text: &str) -> Self;
    fn not_selector(self, text: &str) -> Self;
    fn ports(self, ports: &[&str]) -> Self;
    fn not_ports(self, ports: &[&str]) -> Self;
}

impl SideExt for EntityRule {
    fn nets(mut self, nets: &[&str]) -> Self {
        self.nets = networks(nets);
        self
    }

    fn not_nets(mut self, nets: &[&str]) -> Self {
        self.not_nets = networks(nets);
        self
    }

    fn selector(mut self, text: &str) -> Self {
        self.selector = Some(selector(text));
        self
    }

    fn not_selector(mut self, text: &str) -> Self {
        self.not_selector = Some(selector(text));
        self
    }

    fn ports(mut self, ports: &[&str]) -> Self {
        self.ports = ports.iter().map(|text| port_match(text)).collect();
        self
    }

    fn not_ports(mut self, ports: &[&str]) -> Self {
        self.not_ports = ports.iter().map(|text| port_match(text)).collect();
        self
    }
}

pub(in crate::compile) fn selector(text: &str) -> Arc<Selector> {
    Arc::new(Selector::parse(text).expect("a selector"))
}

/// Allow TCP to a port.
pub(in crate::compile) fn allow_tcp(port: &str) -> Rule {
    allow().protocol("TCP").to(side().ports(&[port]))
}

/// An enforced policy in the default tier that selects everything and has these ingress rules.
pub(in crate::compile) fn ingress(name: &str, rules: impl Into<Vec<Rule>>) -> Policy {
    Policy {
        kind: PolicyKind::Enforced,
        metadata: metadata(name),
        tier: DEFAULT_TIER.into(),
        order: None,
        selector: Arc::new(Selector::all()),
        applies_ingress: true,
        applies_egress: false,
        ingress: rules.into().into(),
        egress: Arc::default(),
        stage: Stage::Normal {
            apply_on_forward: false,
        },
    }
}

pub(in crate::compile) trait PolicyExt {
    fn tier(self, name: &str) -> Self;
    fn order(self, order: f64) -> Self;
    fn egress(self, rules: impl Into<Vec<Rule>>) -> Self;
    fn stage(self, stage: Stage) -> Self;
    fn selecting(self, text: &str) -> Self;
    fn staged(self) -> Self;
}

impl PolicyExt for Policy {
    fn tier(mut self, name: &str) -> Self {
        self.tier = name.into();
        self
    }

    fn order(mut self, order: f64) -> Self {
        self.order = Some(order);
        self
    }

    fn egress(mut self, rules: impl Into<Vec<Rule>>) -> Self {
        self.applies_egress = true;
        self.egress = rules.into().into();
        self
    }

    fn stage(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    fn selecting(mut self, text: &str) -> Self {
        self.selector = selector(text);
        self
    }

    fn staged(mut self) -> Self {
        self.kind = PolicyKind::Staged(crate::model::StagedAction::Set);
        self
    }
}

pub(in crate::compile) const ON_FORWARD: Stage = Stage::Normal {
    apply_on_forward: true,
};

pub(in crate::compile) fn arcs<T>(all: impl IntoIterator<Item = T>) -> Vec<Arc<T>> {
    all.into_iter().map(Arc::new).collect()
}

/// The worked cases' host with one endpoint `h1-eth0`, and nothing else.
pub(in crate::compile) fn snapshot() -> Snapshot {
    Snapshot {
        endpoints: arcs([endpoint("h1-eth0", "eth0")]),
        profiles: arcs([Profile {
            metadata: metadata(DEFAULT_ALLOW_PROFILE),
            ingress: [allow()].into(),
            egress: [allow()].into(),
            labels_to_apply: BTreeMap::new(),
        }]),
        policies: Vec::new(),
        tiers: arcs([tier(DEFAULT_TIER, 1_000_000.0, DefaultAction::Deny)]),
        sets: Vec::new(),
        workloads: Vec::new(),
        felix: super::felix::felix(),
    }
}

/// A snapshot with these policies, otherwise that of [`snapshot`].
pub(in crate::compile) fn with_policies(policies: impl Into<Vec<Policy>>) -> Snapshot {
    Snapshot {
        policies: arcs(policies.into()),
        ..snapshot()
    }
}

pub(in crate::compile) fn failsafe(protocol: &str, port: u16, net: Option<&str>) -> FailsafePort {
    FailsafePort {
        protocol: protocol_named(protocol),
        port,
        net: net.map(|net| net.parse().expect("a network")),
    }
}

/// Compiles for `h1` with [`interfaces`].
pub(in crate::compile) fn compiled(snapshot: &Snapshot) -> Generation {
    compile(snapshot, "h1", &interfaces(), &options(), &Slots::default()).expect("within limits")
}
