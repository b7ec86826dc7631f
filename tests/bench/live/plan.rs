//! The comparisons to make, in order.

use std::net::IpAddr;

use super::{
    comparison::Expect,
    contender::Contender,
    policy::{Accepted, Policy},
    testbed::{Flow, Way},
};

/// The contenders in comparisons by number of rules.
const ALL: [Contender; 6] = [
    Contender::Hep,
    Contender::NftLinear,
    Contender::NftSet,
    Contender::NftMap,
    Contender::Iptables,
    Contender::Ipset,
];
/// The contenders in comparisons of friendly rules.
const FRIENDLY: [Contender; 2] = [Contender::HepFriendly, Contender::HepFriendlyTen];
/// The contenders that pass packets of existing flows before the rules.
const TRACKERS: [Contender; 3] = [Contender::Hep, Contender::NftLinear, Contender::Iptables];
/// The contenders in comparisons by members of a set.
const SETS: [Contender; 3] = [Contender::Hep, Contender::NftSet, Contender::Ipset];
/// The contenders that drop what no rule accepts.
const DROPS: [Contender; 4] = [
    Contender::Hep,
    Contender::TcDrop,
    Contender::NftSet,
    Contender::Ipset,
];

/// New flows of one turn.
const NEW_FLOWS: usize = 20_000;
/// Flows of one exchange.
const EXCHANGES: usize = 100_000;
/// Hosts that flows of one network come from.
const HOSTS: usize = 250;
/// Between the ports of two flows of a host: each turn of new flows takes the next port.
const PORT_STEP: usize = 64;

/// Quantity of a plot's horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chart {
    Rules,
    Members,
    Flows,
    /// No plot.
    None,
}

/// A comparison to make.
pub(super) struct Plan {
    pub(super) chart: Chart,
    /// Rules, members or flows.
    pub(super) size: usize,
    /// Also made by a quick run.
    is_quick: bool,
    pub(super) title: String,
    pub(super) policy: Policy,
    /// Flows that packets are sent of.
    pub(super) flows: usize,
    pub(super) expect: Expect,
    pub(super) contenders: &'static [Contender],
}

/// The comparisons of one family.
pub(super) fn plans(quick: bool, v6: bool) -> Vec<Plan> {
    let mut plans = by_rules(v6);
    plans.extend(by_members(v6));
    plans.extend(by_flows(v6));
    plans.extend(new_flows(v6));
    plans.push(denied(v6));
    plans.push(egress(v6));
    plans.retain(|plan| plan.is_quick || !quick);
    plans
}

/// Packets that the last of many rules accepts.
fn by_rules(v6: bool) -> Vec<Plan> {
    let sizes = [(10, !v6), (100, false), (1_000, true), (10_000, !v6)];
    let mut plans: Vec<Plan> = sizes
        .map(|(count, is_quick)| Plan {
            chart: Chart::Rules,
            size: count,
            is_quick,
            title: format!("{count} rules, the last accepts"),
            policy: untracked(Accepted::Rules(count), v6),
            flows: 64,
            expect: Expect::Accepted,
            contenders: &ALL,
        })
        .into();
    plans.push(Plan {
        chart: Chart::None,
        size: 10_000,
        is_quick: true,
        title: "10000 friendly rules".to_owned(),
        policy: untracked(Accepted::Rules(10_000), v6),
        flows: 64,
        expect: Expect::Accepted,
        contenders: &FRIENDLY,
    });
    plans
}

/// Packets from the members of a set.
fn by_members(v6: bool) -> Vec<Plan> {
    let sizes = [(1_000, !v6), (100_000, true), (1_000_000, false)];
    sizes
        .map(|(count, is_quick)| Plan {
            chart: Chart::Members,
            size: count,
            is_quick,
            title: format!("set of {count}"),
            policy: untracked(Accepted::Members(count), v6),
            flows: count,
            expect: Expect::Accepted,
            contenders: &SETS,
        })
        .into()
}

/// Packets of established flows, and exchanges of whole flows.
fn by_flows(v6: bool) -> Vec<Plan> {
    let sizes = [(1, false), (1_000, true), (100_000, !v6)];
    let mut plans: Vec<Plan> = sizes
        .map(|(count, is_quick)| Plan {
            chart: Chart::Flows,
            size: count,
            is_quick,
            title: format!("established, {count} flows"),
            policy: tracked(Accepted::Rules(10), v6),
            flows: count,
            expect: Expect::Established,
            contenders: &TRACKERS,
        })
        .into();
    plans.push(Plan {
        chart: Chart::None,
        size: EXCHANGES,
        is_quick: true,
        title: format!("one exchange, {EXCHANGES} flows"),
        policy: tracked(Accepted::Rules(10), v6),
        flows: EXCHANGES,
        expect: Expect::Exchanged,
        contenders: &TRACKERS,
    });
    plans
}

/// First packets of flows.
fn new_flows(v6: bool) -> Vec<Plan> {
    let sizes = [(10, !v6), (1_000, false)];
    sizes
        .map(|(count, is_quick)| Plan {
            chart: Chart::None,
            size: count,
            is_quick,
            title: format!("new flows, {count} rules"),
            policy: tracked(Accepted::Rules(count), v6),
            flows: NEW_FLOWS,
            expect: Expect::New,
            contenders: &TRACKERS,
        })
        .into()
}

/// Packets that no rule accepts.
fn denied(v6: bool) -> Plan {
    Plan {
        chart: Chart::None,
        size: 1_000,
        is_quick: !v6,
        title: "denied by default, 1000 rules".to_owned(),
        policy: tracked(Accepted::Rules(1_000), v6),
        flows: 1_000,
        expect: Expect::Denied,
        contenders: &DROPS,
    }
}

/// Packets of established flows that leave by a policed interface.
fn egress(v6: bool) -> Plan {
    Plan {
        chart: Chart::None,
        size: 1_000,
        is_quick: !v6,
        title: "egress, established, 1000 flows".to_owned(),
        policy: Policy {
            way: Way::Through,
            ..tracked(Accepted::Rules(10), v6)
        },
        flows: 1_000,
        expect: Expect::Established,
        contenders: &TRACKERS,
    }
}

/// A policy for packets to the host whose rules judge each packet.
fn untracked(accepted: Accepted, v6: bool) -> Policy {
    Policy {
        accepted,
        v6,
        way: Way::In,
        tracked: false,
    }
}

/// A policy for packets to the host that passes those of existing flows before its rules.
fn tracked(accepted: Accepted, v6: bool) -> Policy {
    Policy {
        tracked: true,
        ..untracked(accepted, v6)
    }
}

impl Plan {
    /// The flows, in random order.
    pub(super) fn flows(&self) -> Vec<Flow> {
        let mut flows: Vec<Flow> = (0..self.flows)
            .filter_map(|number| {
                let source_port = 1024 + number / HOSTS * PORT_STEP % 60_000;
                Some(Flow {
                    source: self.source(number)?,
                    source_port: u16::try_from(source_port).ok()?,
                    port: self.policy.last_port(),
                })
            })
            .collect();
        fastrand::Rng::with_seed(7).shuffle(&mut flows);
        flows
    }

    /// The source address of flow `number`.
    fn source(&self, number: usize) -> Option<IpAddr> {
        let network = self.policy.source(number)?;
        if matches!(self.policy.accepted, Accepted::Members(_)) {
            return Some(network);
        }
        let host = u8::try_from(1 + number % HOSTS).ok()?;
        Some(match (network, self.expect) {
            (IpAddr::V4(_), Expect::Denied) => IpAddr::from([10, 200, 0, host]),
            (IpAddr::V4(v4), _) => {
                let [a, b, c, _] = v4.octets();
                IpAddr::from([a, b, c, host])
            }
            (IpAddr::V6(v6), expect) => {
                let [a, b, c, ..] = v6.segments();
                let c = if expect == Expect::Denied { 0xffff } else { c };
                IpAddr::from([a, b, c, 0, 0, 0, 0, u16::from(host)])
            }
        })
    }
}
