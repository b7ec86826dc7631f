//! Text of rules, policies and reasons, with their counters.

use std::collections::BTreeSet;

use super::{place, table_or};
use crate::{
    cli::{output::Text, table::Table},
    printable::Printable,
    view::{Count, ListedRule, Policy, Rule, RuleList, Shown},
};

impl Text for Shown<RuleList> {
    /// Every list with its rules, as `nft list` prints chains.
    fn text(&self) -> String {
        if self.items.is_empty() {
            return "no interface is policed".to_owned();
        }
        let lists: Vec<String> = self.items.iter().map(list_text).collect();
        lists.join("\n\n")
    }
}

fn list_text(list: &RuleList) -> String {
    let mut table = Table::new(&[
        ">PACKETS",
        ">BYTES",
        "ACTION",
        "STAGE",
        "RULE",
        "MATCHES",
        "WRITTEN AT",
    ]);
    for ListedRule {
        rule,
        packets,
        bytes,
    } in &list.rules
    {
        table.row(vec![
            packets.to_string(),
            bytes.to_string(),
            rule.shown_action(),
            rule.stage.clone(),
            rule_name(rule),
            rule.matches.clone(),
            place(&rule.file, rule.line),
        ]);
    }
    format!(
        "{} {}, IPv{}, {}:\n{table}",
        Printable(list.interfaces.join(",")),
        list.direction,
        list.family,
        list.kind.text()
    )
}

/// Formats a rule's name: `tier/kind/name rule`.
fn rule_name(rule: &Rule) -> String {
    format!("{} {}", rule.owner(), rule.rule).trim().to_owned()
}

impl Text for Shown<Policy> {
    fn text(&self) -> String {
        let mut table = Table::new(&[
            "TIER",
            "POLICY",
            "STAGE",
            "DIRECTIONS",
            "INTERFACES",
            ">RULES",
            ">PACKETS",
            ">BYTES",
        ]);
        for policy in &self.items {
            table.row(vec![
                policy.tier.clone(),
                policy.policy.clone(),
                join(&policy.stage),
                join(&policy.directions),
                join(&policy.interfaces),
                policy.rules.to_string(),
                policy.packets.to_string(),
                policy.bytes.to_string(),
            ]);
        }
        table_or(&table, "no policy with rules applies to this host")
    }
}

fn join(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

impl Text for Shown<Count> {
    fn text(&self) -> String {
        let mut table = Table::new(&[
            "INTERFACE",
            "DIRECTION",
            "VERDICT",
            "REASON",
            ">PACKETS",
            ">BYTES",
        ]);
        for count in &self.items {
            table.row(vec![
                count.interface.clone(),
                count.direction.clone(),
                count.verdict.clone(),
                count.reason.clone(),
                count.packets.to_string(),
                count.bytes.to_string(),
            ]);
        }
        table_or(&table, "no packet was seen yet")
    }
}
