//! Rules, policies and reasons, with their counters.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use hep_common::counter::{Counter, Note, Reason};
use serde::Serialize;

use super::{Shown, described::place};
use crate::{
    cli::table::Table,
    compile::{Description, ListDescription, ListKind, RuleDescription},
    datapath::Maps,
    printable::Printable,
};

/// A rule of one list, with its counters.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedRule<'a> {
    #[serde(flatten)]
    rule: &'a RuleDescription,
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownList<'a> {
    kind: ListKind,
    direction: &'a str,
    family: u8,
    interfaces: &'a [String],
    rules: Vec<ListedRule<'a>>,
}

/// The rules of a generation by slot, and their counters.
struct Counted<'a> {
    by_slot: BTreeMap<u32, &'a RuleDescription>,
    counters: BTreeMap<u32, Counter>,
}

impl<'a> Counted<'a> {
    fn read(description: &'a Description, maps: &Maps) -> Result<Self> {
        let rules = &description.rules;
        Ok(Self {
            by_slot: rules.iter().map(|rule| (rule.slot, &**rule)).collect(),
            counters: maps.rule_counters(rules.iter().map(|rule| rule.slot))?,
        })
    }

    fn of(&self, slot: u32) -> Counter {
        self.counters.get(&slot).copied().unwrap_or_default()
    }

    fn list(&self, list: &'a ListDescription) -> Vec<ListedRule<'a>> {
        list.rules
            .iter()
            .filter_map(|slot| {
                let Counter { packets, bytes } = self.of(*slot);
                let rule = self.by_slot.get(slot)?;
                Some(ListedRule {
                    rule,
                    packets,
                    bytes,
                })
            })
            .collect()
    }
}

/// Every list with its rules, as `nft list` prints chains.
pub(super) fn rules(description: &Description, maps: &Maps) -> Result<Shown> {
    let counted = Counted::read(description, maps)?;
    let lists: Vec<ShownList<'_>> = description
        .lists
        .iter()
        .filter(|list| !list.rules.is_empty() && !list.interfaces.is_empty())
        .map(|list| ShownList {
            kind: list.kind,
            direction: &list.direction,
            family: list.family,
            interfaces: &list.interfaces,
            rules: counted.list(list),
        })
        .collect();
    let texts: Vec<String> = lists.iter().map(list_text).collect();
    Ok(Shown {
        json: serde_json::to_value(&lists)?,
        text: if texts.is_empty() {
            "no interface is policed".to_owned()
        } else {
            texts.join("\n\n")
        },
    })
}

fn list_text(list: &ShownList<'_>) -> String {
    let traffic = match list.kind {
        ListKind::Untracked => "all traffic, before connections",
        ListKind::Exempt => "exempt from untracked rules",
        ListKind::Local => "of this host",
        ListKind::Forward => "forwarded",
    };
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
        let action = if rule.staged {
            format!("{} (staged)", rule.action)
        } else {
            rule.action.clone()
        };
        table.row(vec![
            packets.to_string(),
            bytes.to_string(),
            action,
            rule.stage.clone(),
            rule_name(rule),
            rule.matches.clone(),
            place(&rule.file, rule.line),
        ]);
    }
    format!(
        "{} {}, IPv{}, {traffic}:\n{table}",
        Printable(list.interfaces.join(",")),
        list.direction,
        list.family
    )
}

/// Formats a rule's name: `tier/kind/name rule`.
fn rule_name(rule: &RuleDescription) -> String {
    let owner: Vec<&str> = [rule.tier.as_str(), rule.policy.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    format!("{} {}", owner.join("/"), rule.rule)
        .trim()
        .to_owned()
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy<'a> {
    tier: &'a str,
    policy: &'a str,
    staged: bool,
    stage: BTreeSet<&'a str>,
    interfaces: BTreeSet<&'a str>,
    directions: BTreeSet<&'a str>,
    rules: usize,
    packets: u64,
    bytes: u64,
}

/// Policies and profiles in the order in which the lists visit them.
pub(super) fn policies(description: &Description, maps: &Maps) -> Result<Shown> {
    let counted = Counted::read(description, maps)?;
    let mut order = Vec::new();
    let mut found: BTreeMap<(&str, &str), Policy<'_>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let lists = description.lists.iter();
    for list in lists.filter(|list| !list.interfaces.is_empty()) {
        for rule in list
            .rules
            .iter()
            .filter_map(|slot| counted.by_slot.get(slot))
        {
            if rule.policy.is_empty() {
                continue;
            }
            let key = (rule.tier.as_str(), rule.policy.as_str());
            let policy = found.entry(key).or_insert_with(|| {
                order.push(key);
                Policy {
                    tier: &rule.tier,
                    policy: &rule.policy,
                    staged: rule.staged,
                    ..Policy::default()
                }
            });
            policy.stage.insert(&rule.stage);
            policy.directions.insert(&list.direction);
            policy
                .interfaces
                .extend(list.interfaces.iter().map(String::as_str));
            // Lists of both families, and of several interfaces, may share a rule.
            if seen.insert(rule.slot) {
                let counter = counted.of(rule.slot);
                policy.rules += 1;
                policy.packets += counter.packets;
                policy.bytes += counter.bytes;
            }
        }
    }
    let policies: Vec<Policy<'_>> = order.iter().filter_map(|key| found.remove(key)).collect();
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
    let join = |set: &BTreeSet<&str>| set.iter().copied().collect::<Vec<_>>().join(",");
    for policy in &policies {
        table.row(vec![
            policy.tier.to_owned(),
            policy.policy.to_owned(),
            join(&policy.stage),
            join(&policy.directions),
            join(&policy.interfaces),
            policy.rules.to_string(),
            policy.packets.to_string(),
            policy.bytes.to_string(),
        ]);
    }
    Shown::list(
        &policies,
        &table,
        "no policy with rules applies to this host",
    )
}

#[derive(Serialize)]
struct Count<'a> {
    interface: &'a str,
    direction: &'static str,
    reason: &'static str,
    verdict: &'static str,
    packets: u64,
    bytes: u64,
}

/// Reasons that occurred, per interface and direction.
pub(super) fn counters(description: &Description, maps: &Maps) -> Result<Shown> {
    let mut items = Vec::new();
    for interface in &description.interfaces {
        for (offset, direction) in [(0, "ingress"), (1, "egress")] {
            let counters = maps.counters(interface.counters + offset)?;
            let reasons = Reason::ALL.iter().map(|reason| {
                let verdict = if reason.allows() { "allow" } else { "deny" };
                (reason.name(), verdict)
            });
            let notes = Note::ALL.iter().map(|note| (note.name(), "note"));
            let names = reasons.chain(notes);
            items.extend(
                names
                    .zip(&counters.by_reason)
                    .filter(|(_, counter)| counter.packets > 0)
                    .map(|((reason, verdict), counter)| Count {
                        interface: &interface.name,
                        direction,
                        reason,
                        verdict,
                        packets: counter.packets,
                        bytes: counter.bytes,
                    }),
            );
        }
    }
    let mut table = Table::new(&[
        "INTERFACE",
        "DIRECTION",
        "VERDICT",
        "REASON",
        ">PACKETS",
        ">BYTES",
    ]);
    for count in &items {
        table.row(vec![
            count.interface.to_owned(),
            count.direction.to_owned(),
            count.verdict.to_owned(),
            count.reason.to_owned(),
            count.packets.to_string(),
            count.bytes.to_string(),
        ]);
    }
    Shown::list(&items, &table, "no packet was seen yet")
}
