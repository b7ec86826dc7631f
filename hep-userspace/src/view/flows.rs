//! Known flows.

use std::{net::IpAddr, time::Duration};

use hep_common::{
    conntrack::{ANY_INTERFACE, State, TAKEN_OVER},
    protocol,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    compile::Description,
    daemon::protocol_name,
    datapath::{self, Home},
};

/// A known flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// Name or number of the protocol.
    pub protocol: String,
    /// Whether the ends' ports are ports, and not identifiers of ICMP queries.
    pub has_ports: bool,
    /// State of the flow's life.
    pub state: String,
    /// Whether packets of one direction only were accepted, or the handshake is not complete.
    pub half_open: bool,
    /// Whether the flow is assured, so that no flood evicts it.
    pub assured: bool,
    /// Whether a change of policy cut it.
    pub blocked: bool,
    /// Whether it was found on the host at a cold start, and not judged.
    pub seeded: bool,
    /// The end that sent the first packet.
    pub opener: End,
    /// The other end.
    pub responder: End,
    /// Type of the request that opened it, for ICMP queries; else 0.
    pub icmp_type: u8,
    /// Time since its last packet, milliseconds.
    pub idle_ms: u64,
    /// Idle time after which it expires, milliseconds.
    pub idle_limit_ms: u64,
    /// Acceptance of the flow at each hook.
    pub approvals: Vec<Approval>,
}

/// One end of a flow, and what it sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct End {
    /// Address.
    pub address: IpAddr,
    /// Port; the identifier of ICMP queries; 0 for other protocols.
    pub port: u16,
    /// Packets sent; wraps at 2^32.
    pub packets: u32,
    /// Bytes sent.
    pub bytes: u64,
}

/// Acceptance of a flow at one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approval {
    /// `ingress` or `egress`.
    pub direction: String,
    /// Interface.
    pub interface: String,
    /// Generation that accepted it.
    pub generation: u32,
    /// Rule that accepted it: `kind/name ingress[2]`, or a text for flows that no rule in force accepted.
    pub rule: String,
    /// Whether it was accepted as forwarded traffic.
    pub forwarded: bool,
}

impl Flow {
    /// Puts names to a flow's numbers.
    #[must_use]
    pub fn new(flow: &datapath::Flow, description: &Description) -> Self {
        let milliseconds =
            |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let approvals = ["ingress", "egress"].into_iter();
        let approvals = approvals.zip(flow.approvals).zip(flow.judged_forward);
        Self {
            protocol: protocol_name(flow.protocol),
            has_ports: protocol::is_keyed_by_ports(flow.protocol),
            state: flow.state.name().to_owned(),
            half_open: matches!(flow.state, State::New | State::SynSent),
            assured: flow.home == Home::Assured,
            blocked: flow.is_blocked,
            seeded: flow.is_seeded,
            opener: End::from(&flow.opener),
            responder: End::from(&flow.responder),
            icmp_type: flow.icmp_type,
            idle_ms: milliseconds(flow.idle),
            idle_limit_ms: milliseconds(flow.idle_limit),
            approvals: approvals
                .filter_map(|((direction, approval), forwarded)| {
                    let approval = approval?;
                    Some(Approval {
                        direction: direction.to_owned(),
                        interface: interface_name(description, approval.ifindex),
                        generation: flow.generation,
                        rule: rule_name(description, approval.slot),
                        forwarded,
                    })
                })
                .collect(),
        }
    }
}

impl From<&datapath::End> for End {
    fn from(end: &datapath::End) -> Self {
        Self {
            address: end.address,
            port: end.port,
            packets: end.packets,
            bytes: end.bytes,
        }
    }
}

fn interface_name(description: &Description, ifindex: u32) -> String {
    if ifindex == ANY_INTERFACE {
        return "any interface".to_owned();
    }
    description
        .interfaces
        .iter()
        .find(|interface| interface.ifindex == ifindex)
        .map_or_else(|| ifindex.to_string(), |interface| interface.name.clone())
}

/// The name of the rule in this counter slot, or `a former rule` if no rule in force has it.
fn rule_name(description: &Description, slot: u32) -> String {
    if slot == TAKEN_OVER {
        return "taken over at the start".to_owned();
    }
    let rule = description.rules.iter().find(|rule| rule.slot == slot);
    rule.map_or_else(
        || "a former rule".to_owned(),
        |rule| format!("{} {}", rule.policy, rule.rule).trim().to_owned(),
    )
}
