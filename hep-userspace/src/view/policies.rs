//! Policies and profiles that apply to this host, with their counters.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::Traffic;
use crate::compile::RuleDescription;

/// A policy or profile that applies to a HostEndpoint of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Policy {
    /// Tier; empty for profiles.
    pub tier: String,
    /// `kind/name`.
    pub policy: String,
    /// Whether it is staged.
    pub staged: bool,
    /// Stages in which it is evaluated.
    pub stage: BTreeSet<String>,
    /// Interfaces to which it applies.
    pub interfaces: BTreeSet<String>,
    /// `ingress`, `egress` or both.
    pub directions: BTreeSet<String>,
    /// Number of rules; one that is evaluated in several stages or directions counts in each.
    pub rules: usize,
    /// Packets that they matched.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Policy {
    fn of(rule: &RuleDescription) -> Self {
        Self {
            tier: rule.tier.clone(),
            policy: rule.policy.clone(),
            staged: rule.staged,
            stage: BTreeSet::new(),
            interfaces: BTreeSet::new(),
            directions: BTreeSet::new(),
            rules: 0,
            packets: 0,
            bytes: 0,
        }
    }

    /// Policies and profiles in the order in which the lists visit them.
    #[must_use]
    pub fn all(traffic: &Traffic<'_>) -> Vec<Self> {
        let mut policies: Vec<Self> = Vec::new();
        let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for list in traffic.used() {
            for rule in traffic.rules(list).filter(|rule| !rule.policy.is_empty()) {
                let key = (rule.tier.as_str(), rule.policy.as_str());
                let place = *places.entry(key).or_insert_with(|| {
                    policies.push(Self::of(rule));
                    policies.len() - 1
                });
                let Some(policy) = policies.get_mut(place) else {
                    continue;
                };
                policy.stage.insert(rule.stage.clone());
                policy.directions.insert(list.direction.clone());
                policy.interfaces.extend(list.interfaces.iter().cloned());
                // Lists of both families, and of several interfaces, may share a rule.
                if seen.insert(rule.slot) {
                    let counter = traffic.of(rule.slot);
                    policy.rules += 1;
                    policy.packets += counter.packets;
                    policy.bytes += counter.bytes;
                }
            }
        }
        policies
    }
}
