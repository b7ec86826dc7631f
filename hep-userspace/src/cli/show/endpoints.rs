//! Text of endpoints, sets, failsafe ports and interfaces.

use super::{place, table_or};
use crate::{
    cli::{output::Text, status::last_missing, table::Table},
    view::{Endpoint, FailsafePort, Interface, Set, Shown},
};

impl Text for Shown<Endpoint> {
    fn text(&self) -> String {
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
        for endpoint in &self.items {
            let sides = [("ingress", &endpoint.ingress), ("egress", &endpoint.egress)];
            for (direction, side) in sides {
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
                    side.policies.join(","),
                    side.unmatched.clone(),
                    side.unmatched_forwarded.clone(),
                ]);
            }
        }
        table_or(&table, "no HostEndpoint is for this node")
    }
}

impl Text for Shown<Set> {
    fn text(&self) -> String {
        let mut table = Table::new(&["SELECTOR", ">IPV4", ">IPV6", "OBJECTS", "ID"]);
        for set in &self.items {
            let [v4, v6] = set.prefixes;
            table.row(vec![
                set.selector.clone(),
                v4.to_string(),
                v6.to_string(),
                abbreviated(&set.objects),
                set.id.clone(),
            ]);
        }
        table_or(&table, "no rule has a selector")
    }
}

/// Formats the first few objects and the number of the others; JSON has them all.
fn abbreviated(objects: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = objects.iter().take(SHOWN).map(String::as_str).collect();
    let mut text = shown.join(",");
    if objects.len() > SHOWN {
        text.push_str(&format!(" and {} more", objects.len() - SHOWN));
    }
    text
}

impl Text for Shown<FailsafePort> {
    fn text(&self) -> String {
        let mut table = Table::new(&["DIRECTION", "PROTOCOL", ">PORT", "NET"]);
        for failsafe in &self.items {
            let net = match failsafe.net.as_str() {
                "" => "any",
                net => net,
            };
            table.row(vec![
                failsafe.direction.clone(),
                failsafe.protocol.clone(),
                failsafe.port.to_string(),
                net.to_owned(),
            ]);
        }
        table_or(&table, "no failsafe port")
    }
}

impl Text for Shown<Interface> {
    fn text(&self) -> String {
        let mut table = Table::new(&[
            "INTERFACE",
            ">INDEX",
            "ENDPOINT",
            "KIND",
            "INGRESS",
            "EGRESS",
            "LAST MISSING",
        ]);
        for interface in &self.items {
            let kind = if interface.workload {
                "workload"
            } else {
                "host"
            };
            table.row(vec![
                interface.name.clone(),
                interface.ifindex.to_string(),
                interface.endpoint.clone(),
                kind.to_owned(),
                interface.hooks.ingress.clone(),
                interface.hooks.egress.clone(),
                last_missing(&interface.hooks),
            ]);
        }
        table_or(&table, "no interface is policed")
    }
}
