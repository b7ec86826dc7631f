//! Lists known flows, as `conntrack -L` does.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use hep_common::{
    conntrack::{ANY_INTERFACE, State, TAKEN_OVER},
    protocol,
};
use serde::Serialize;

use super::Shown;
use crate::{
    cli::table::Table,
    compile::Description,
    daemon::protocol_name,
    datapath::{End, Flow, Home, Maps},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownFlow {
    protocol: String,
    /// Whether the ends' ports are ports, and not identifiers of ICMP queries.
    #[serde(skip)]
    has_ports: bool,
    state: &'static str,
    /// Whether packets of one direction only were accepted, or the handshake is not complete.
    half_open: bool,
    /// Whether the flow is assured, so that no flood evicts it.
    assured: bool,
    blocked: bool,
    seeded: bool,
    opener: ShownEnd,
    responder: ShownEnd,
    icmp_type: u8,
    idle_ms: u64,
    idle_limit_ms: u64,
    approvals: Vec<ShownApproval>,
}

#[derive(Serialize)]
struct ShownEnd {
    address: IpAddr,
    port: u16,
    packets: u32,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownApproval {
    direction: &'static str,
    interface: String,
    generation: u32,
    rule: String,
    forwarded: bool,
}

pub(super) fn conntrack(description: &Description, maps: &Maps) -> Result<Shown> {
    let flows: Vec<ShownFlow> = maps
        .flows()?
        .iter()
        .map(|flow| shown_flow(flow, description))
        .collect();
    let mut table = Table::new(&[
        "PROTOCOL",
        "STATE",
        "OPENER",
        "RESPONDER",
        ">PACKETS",
        ">BYTES",
        ">IDLE",
        ">LIMIT",
        "ALLOWED BY",
    ]);
    for flow in &flows {
        let mut state = flow.state.to_owned();
        if flow.blocked {
            state.push_str(" (blocked)");
        }
        if flow.assured {
            state.push_str(" (assured)");
        }
        if flow.seeded {
            state.push_str(" (seeded)");
        }
        let allowed: Vec<String> = flow
            .approvals
            .iter()
            .map(|approval| {
                format!(
                    "{} {}: {}",
                    approval.interface, approval.direction, approval.rule
                )
            })
            .collect();
        table.row(vec![
            flow.protocol.clone(),
            state,
            end(&flow.opener, flow.has_ports),
            end(&flow.responder, flow.has_ports),
            format!("{}/{}", flow.opener.packets, flow.responder.packets),
            format!("{}/{}", flow.opener.bytes, flow.responder.bytes),
            format!("{} s", flow.idle_ms / 1000),
            format!("{} s", flow.idle_limit_ms / 1000),
            allowed.join("; "),
        ]);
    }
    Shown::list(&flows, &table, "no flow is known")
}

fn shown_flow(flow: &Flow, description: &Description) -> ShownFlow {
    let milliseconds =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    ShownFlow {
        protocol: protocol_name(flow.protocol),
        has_ports: protocol::is_keyed_by_ports(flow.protocol),
        state: flow.state.name(),
        half_open: matches!(flow.state, State::New | State::SynSent),
        assured: flow.home == Home::Assured,
        blocked: flow.is_blocked,
        seeded: flow.is_seeded,
        opener: shown_end(&flow.opener),
        responder: shown_end(&flow.responder),
        icmp_type: flow.icmp_type,
        idle_ms: milliseconds(flow.idle),
        idle_limit_ms: milliseconds(flow.idle_limit),
        approvals: ["ingress", "egress"]
            .into_iter()
            .zip(flow.approvals)
            .zip(flow.judged_forward)
            .filter_map(|((direction, approval), forwarded)| {
                let approval = approval?;
                Some(ShownApproval {
                    direction,
                    interface: interface_name(description, approval.ifindex),
                    generation: flow.generation,
                    rule: rule_name(description, approval.slot),
                    forwarded,
                })
            })
            .collect(),
    }
}

const fn shown_end(end: &End) -> ShownEnd {
    ShownEnd {
        address: end.address,
        port: end.port,
        packets: end.packets,
        bytes: end.bytes,
    }
}

/// Formats `address:port`, or the address alone where there are no ports.
fn end(end: &ShownEnd, has_ports: bool) -> String {
    if has_ports {
        SocketAddr::new(end.address, end.port).to_string()
    } else {
        end.address.to_string()
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
    description
        .rules
        .iter()
        .find(|rule| rule.slot == slot)
        .map_or_else(
            || "a former rule".to_owned(),
            |rule| format!("{} {}", rule.policy, rule.rule).trim().to_owned(),
        )
}
