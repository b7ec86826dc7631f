//! Places of rules: in the order of evaluation, and in files.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{daemon::events, reference};

/// Place of a rule or default in the order of evaluation, and in the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// `untracked`, `failsafe`, `preDNAT`, `normal`, `forward` or `profile`; empty if no stage was reached.
    pub stage: String,
    /// Tier, if it belongs to one.
    pub tier: String,
    /// `kind/name` of the policy or profile, if it belongs to one.
    pub policy: String,
    /// The rule's place, such as `ingress[2]`, or the kind of default.
    pub rule: String,
    /// `Allow`, `Deny`, `Pass` or `Log`; empty where the reason is enough.
    pub action: String,
    /// File; empty for defaults.
    pub file: String,
    /// Line, from 1; 0 for defaults.
    pub line: u32,
}

impl From<reference::Place> for Place {
    fn from(place: reference::Place) -> Self {
        Self {
            stage: place.stage,
            tier: place.tier,
            policy: place.policy,
            rule: place.rule,
            action: place.action,
            file: place.file,
            line: place.line,
        }
    }
}

impl fmt::Display for Place {
    /// `normal: tier default, GlobalNetworkPolicy/web ingress[0] Allow (web.yaml:12)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.clone();
        let place = reference::Place {
            stage: place.stage,
            tier: place.tier,
            policy: place.policy,
            rule: place.rule,
            action: place.action,
            file: place.file,
            line: place.line,
        };
        place.fmt(f)
    }
}

/// A rule or default that decided about a packet or logged it, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Written {
    /// Tier, if it belongs to one.
    pub tier: String,
    /// `kind/name` of the policy or profile, if it belongs to one.
    pub policy: String,
    /// The rule's place, such as `ingress[2]`, or the kind of default; the number of a rule that is no
    /// longer in force.
    pub rule: String,
    /// File; empty for defaults.
    pub file: String,
    /// Line, from 1; 0 for defaults.
    pub line: u32,
}

impl From<&events::Decider> for Written {
    fn from(decider: &events::Decider) -> Self {
        Self {
            tier: decider.tier.clone(),
            policy: decider.policy.clone(),
            rule: decider.rule.clone(),
            file: decider.file.clone(),
            line: decider.line,
        }
    }
}
