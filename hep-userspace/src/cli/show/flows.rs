//! Text of known flows, as `conntrack -L` prints them.

use std::net::SocketAddr;

use super::table_or;
use crate::{
    cli::{output::Text, table::Table},
    view::{End, Flow, Shown},
};

impl Text for Shown<Flow> {
    fn text(&self) -> String {
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
        for flow in &self.items {
            table.row(vec![
                flow.protocol.clone(),
                state(flow),
                end(&flow.opener, flow.has_ports),
                end(&flow.responder, flow.has_ports),
                format!("{}/{}", flow.opener.packets, flow.responder.packets),
                format!("{}/{}", flow.opener.bytes, flow.responder.bytes),
                format!("{} s", flow.idle_ms / 1000),
                format!("{} s", flow.idle_limit_ms / 1000),
                approvals(flow),
            ]);
        }
        table_or(&table, "no flow is known")
    }
}

fn state(flow: &Flow) -> String {
    let mut state = flow.state.clone();
    let marks = [
        (flow.blocked, " (blocked)"),
        (flow.assured, " (assured)"),
        (flow.seeded, " (seeded)"),
    ];
    for (_, mark) in marks.iter().filter(|(is_set, _)| *is_set) {
        state.push_str(mark);
    }
    state
}

fn approvals(flow: &Flow) -> String {
    let approvals = flow.approvals.iter();
    let approvals: Vec<String> = approvals
        .map(|it| format!("{} {}: {}", it.interface, it.direction, it.rule))
        .collect();
    approvals.join("; ")
}

/// Formats `address:port`, or the address alone where there are no ports.
fn end(end: &End, has_ports: bool) -> String {
    if has_ports {
        SocketAddr::new(end.address, end.port).to_string()
    } else {
        end.address.to_string()
    }
}
