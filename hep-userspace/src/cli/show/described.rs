//! The aspects that `hep show` reads from the generation's description: endpoints, sets, failsafes,
//! interfaces.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::Shown;
use crate::{
    cli::{host, status::last_missing, table::Table},
    compile::Description,
    datapath::attach::Hooks,
};

pub(super) fn endpoints(description: &Description) -> Result<Shown> {
    let mut table = Table::new(&[
        "ENDPOINT",
        "WRITTEN AT",
        "INTERFACES",
        "PROFILES",
        "DIRECTION",
        "POLICIES",
        "UNMATCHED",
        "UNMATCHED FORWARDED",
    ]);
    for endpoint in &description.endpoints {
        for (direction, described) in [("ingress", &endpoint.ingress), ("egress", &endpoint.egress)]
        {
            table.row(vec![
                endpoint.name.clone(),
                if endpoint.generated {
                    "generated".to_owned()
                } else {
                    place(&endpoint.file, endpoint.line)
                },
                endpoint.interfaces.join(","),
                endpoint.profiles.join(","),
                direction.to_owned(),
                described.policies.join(","),
                described.unmatched.clone(),
                described.unmatched_forwarded.clone(),
            ]);
        }
    }
    Shown::list(
        &description.endpoints,
        &table,
        "no HostEndpoint is for this node",
    )
}

pub(super) fn sets(description: &Description) -> Result<Shown> {
    let mut table = Table::new(&["SELECTOR", ">IPV4", ">IPV6", "OBJECTS", "ID"]);
    for set in &description.sets {
        let [v4, v6] = set.prefixes;
        table.row(vec![
            set.selector.clone(),
            v4.to_string(),
            v6.to_string(),
            abbreviated(&set.objects),
            set.id.clone(),
        ]);
    }
    Shown::list(&description.sets, &table, "no rule has a selector")
}

/// Formats the first few objects and the number of the others; JSON has them all.
fn abbreviated(objects: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = objects
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(",");
    if objects.len() > SHOWN {
        text.push_str(&format!(" and {} more", objects.len() - SHOWN));
    }
    text
}

#[derive(Serialize)]
struct Failsafe<'a> {
    direction: &'static str,
    protocol: &'a str,
    port: u16,
    net: &'a str,
}

pub(super) fn failsafe(description: &Description) -> Result<Shown> {
    let both = [
        ("inbound", &description.failsafe_inbound),
        ("outbound", &description.failsafe_outbound),
    ];
    let mut table = Table::new(&["DIRECTION", "PROTOCOL", ">PORT", "NET"]);
    let mut items = Vec::new();
    for (direction, ports) in both {
        for failsafe in ports {
            let net = if failsafe.net.is_empty() {
                "any"
            } else {
                &failsafe.net
            };
            table.row(vec![
                direction.to_owned(),
                failsafe.protocol.clone(),
                failsafe.port.to_string(),
                net.to_owned(),
            ]);
            items.push(Failsafe {
                direction,
                protocol: &failsafe.protocol,
                port: failsafe.port,
                net: &failsafe.net,
            });
        }
    }
    Shown::list(&items, &table, "no failsafe port")
}

#[derive(Serialize)]
struct Interface<'a> {
    name: &'a str,
    ifindex: u32,
    endpoint: &'a str,
    workload: bool,
    hooks: Hooks,
}

pub(super) fn interfaces(description: &Description, links: &Path) -> Result<Shown> {
    let mut table = Table::new(&[
        "INTERFACE",
        ">INDEX",
        "ENDPOINT",
        "KIND",
        "INGRESS",
        "EGRESS",
        "LAST MISSING",
    ]);

    let mut items = Vec::new();
    let hooks = host::hooks(description, links)?;
    for (interface, hooks) in description.interfaces.iter().zip(hooks) {
        table.row(vec![
            interface.name.clone(),
            interface.ifindex.to_string(),
            interface.endpoint.clone(),
            if interface.workload {
                "workload"
            } else {
                "host"
            }
            .to_owned(),
            hooks.ingress.name().to_owned(),
            hooks.egress.name().to_owned(),
            last_missing(&hooks),
        ]);
        items.push(Interface {
            name: &interface.name,
            ifindex: interface.ifindex,
            endpoint: &interface.endpoint,
            workload: interface.workload,
            hooks,
        });
    }
    Shown::list(&items, &table, "no interface is policed")
}

/// Formats `file:line`; empty for objects that no file holds.
pub(in crate::cli) fn place(file: &str, line: u32) -> String {
    match (file, line) {
        ("", _) => String::new(),
        (file, 0) => file.to_owned(),
        (file, line) => format!("{file}:{line}"),
    }
}
