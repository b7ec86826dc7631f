//! Rules in the order of evaluation, with their counters.

use std::collections::BTreeMap;

use hep_common::counter::Counter;
use schemars::JsonSchema;
use serde::Serialize;

use super::Found;
use crate::{
    compile::{self, Description, ListDescription, RuleDescription},
    datapath::KernelError,
};

/// Packets that a list of rules judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ListKind {
    /// All packets, before the connection table.
    Untracked,
    /// Packets to or from this host.
    Local,
    /// Packets through this host.
    Forward,
    /// Packets that skip the untracked list.
    Exempt,
}

impl ListKind {
    /// Describes the packets.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Untracked => "all traffic, before connections",
            Self::Exempt => "exempt from untracked rules",
            Self::Local => "of this host",
            Self::Forward => "forwarded",
        }
    }
}

impl From<compile::ListKind> for ListKind {
    fn from(kind: compile::ListKind) -> Self {
        match kind {
            compile::ListKind::Untracked => Self::Untracked,
            compile::ListKind::Local => Self::Local,
            compile::ListKind::Forward => Self::Forward,
            compile::ListKind::Exempt => Self::Exempt,
        }
    }
}

/// A list of rules, for all interfaces that share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuleList {
    /// Packets that it judges.
    pub kind: ListKind,
    /// `ingress` or `egress`.
    pub direction: String,
    /// IP version: 4 or 6.
    pub family: u8,
    /// Interfaces that use it.
    pub interfaces: Vec<String>,
    /// Rules in the order of evaluation.
    pub rules: Vec<ListedRule>,
}

/// A rule, or a default that is evaluated like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Number of its counters, which it keeps from generation to generation.
    pub slot: u32,
    /// `failsafe`, `untracked`, `preDNAT`, `normal`, `forward`, `profile` or `default`.
    pub stage: String,
    /// Tier, if it belongs to one.
    pub tier: String,
    /// `kind/name` of the policy or profile, if it belongs to one.
    pub policy: String,
    /// The rule's place, such as `ingress[2]`; `end of tier` and the like for defaults.
    pub rule: String,
    /// `Allow`, `Deny`, `Pass`, `Log` or `Continue`.
    pub action: String,
    /// Whether it belongs to a staged policy.
    pub staged: bool,
    /// Reason of its verdict, as in the counters.
    pub reason: String,
    /// File; empty for defaults.
    pub file: String,
    /// Line, from 1; 0 for defaults.
    pub line: u32,
    /// Packets that it matches, in one line.
    pub matches: String,
    /// Prefix of its records, for `Log` rules.
    pub log_prefix: String,
}

/// A rule of a list, with its counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedRule {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Packets that it matched, in all lists that share it.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<&RuleDescription> for Rule {
    fn from(rule: &RuleDescription) -> Self {
        Self {
            slot: rule.slot,
            stage: rule.stage.clone(),
            tier: rule.tier.clone(),
            policy: rule.policy.clone(),
            rule: rule.rule.clone(),
            action: rule.action.clone(),
            staged: rule.staged,
            reason: rule.reason.clone(),
            file: rule.file.clone(),
            line: rule.line,
            matches: rule.matches.clone(),
            log_prefix: rule.log_prefix.clone(),
        }
    }
}

impl Rule {
    /// Name of its owner, `tier/kind/name`; empty for defaults of no tier.
    #[must_use]
    pub fn owner(&self) -> String {
        let parts = [self.tier.as_str(), self.policy.as_str()];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("/")
    }

    /// Its action, marked if it is staged.
    #[must_use]
    pub fn shown_action(&self) -> String {
        if self.staged {
            format!("{} (staged)", self.action)
        } else {
            self.action.clone()
        }
    }
}

/// The rules of a generation by slot, and their counters.
#[derive(Debug)]
pub struct Traffic<'a> {
    description: &'a Description,
    by_slot: BTreeMap<u32, &'a RuleDescription>,
    counters: BTreeMap<u32, Counter>,
}

impl<'a> Traffic<'a> {
    /// Reads the counters of all rules.
    ///
    /// # Errors
    ///
    /// [`KernelError`] if the counters cannot be read.
    pub fn read(found: &'a Found) -> Result<Self, KernelError> {
        let rules = &found.description.rules;
        let counters = found
            .maps
            .rule_counters(rules.iter().map(|rule| rule.slot))?;
        Ok(Self::new(&found.description, counters))
    }

    pub(super) fn new(description: &'a Description, counters: BTreeMap<u32, Counter>) -> Self {
        let rules = description.rules.iter();
        Self {
            description,
            by_slot: rules.map(|rule| (rule.slot, &**rule)).collect(),
            counters,
        }
    }

    /// The lists that interfaces use, with their rules and counters.
    #[must_use]
    pub fn lists(&self) -> Vec<RuleList> {
        let lists = self.used().filter(|list| !list.rules.is_empty());
        let lists = lists.map(|list| RuleList {
            kind: list.kind.into(),
            direction: list.direction.clone(),
            family: list.family,
            interfaces: list.interfaces.clone(),
            rules: self.rules(list).map(|rule| self.listed(rule)).collect(),
        });
        lists.collect()
    }

    fn listed(&self, rule: &RuleDescription) -> ListedRule {
        let Counter { packets, bytes } = self.of(rule.slot);
        ListedRule {
            rule: Rule::from(rule),
            packets,
            bytes,
        }
    }

    /// Lists that interfaces use.
    pub(super) fn used(&self) -> impl Iterator<Item = &'a ListDescription> + use<'a> {
        let lists = self.description.lists.iter();
        lists.filter(|list| !list.interfaces.is_empty())
    }

    /// Rules of a list.
    pub(super) fn rules(
        &self,
        list: &'a ListDescription,
    ) -> impl Iterator<Item = &'a RuleDescription> {
        let slots = list.rules.iter();
        slots.filter_map(|slot| self.by_slot.get(slot).copied())
    }

    /// Counters of a rule.
    pub(super) fn of(&self, slot: u32) -> Counter {
        self.counters.get(&slot).copied().unwrap_or_default()
    }
}
