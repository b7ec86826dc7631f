//! Judgements in words: a place that can be compared and serialised, and the trace line by line.

use std::fmt;

use hep_common::Direction;
use serde::{Deserialize, Serialize};

use super::{
    binding::Role,
    judgement::{Decider, Judgement, RuleRef, Source, Stage, Step},
};
use crate::model::{EndpointToHostAction, FailsafePort, Position, written_at};

/// Position of a rule or default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// [`Stage::name`]; empty if no stage was reached.
    pub stage: String,
    /// Tier, if it belongs to one.
    pub tier: String,
    /// `kind/name` of the policy or profile, if it belongs to one.
    pub policy: String,
    /// The rule's place, such as `ingress[2]`, or what kind of default it is.
    pub rule: String,
    /// `Allow`, `Deny`, `Pass` or `Log`; empty where the reason is enough.
    pub action: String,
    /// File or object of a store, if it is written in one.
    pub file: String,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
}

impl Place {
    fn new(stage: Stage, rule: impl Into<String>) -> Self {
        Self {
            stage: stage.name().to_owned(),
            rule: rule.into(),
            ..Self::default()
        }
    }

    fn at(mut self, position: &Position) -> Self {
        if !position.is_built_in() {
            self.file = position.origin.to_string();
            self.line = position.line;
        }
        self
    }
}

impl fmt::Display for Place {
    /// `normal: tier default, GlobalNetworkPolicy/web ingress[0] Allow (web.yaml:12)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stage.is_empty() {
            return f.write_str("before any rule");
        }
        write!(f, "{}:", self.stage)?;
        if !self.tier.is_empty() {
            write!(f, " tier {},", self.tier)?;
        }
        for word in [&self.policy, &self.rule, &self.action] {
            if !word.is_empty() {
                write!(f, " {word}")?;
            }
        }
        match written_at(&self.file, self.line) {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl From<RuleRef<'_>> for Place {
    fn from(here: RuleRef<'_>) -> Self {
        let (tier, policy) = match here.source {
            Source::Policy(tier, policy) => (
                tier.metadata.name.to_string(),
                format!("{}/{}", policy.kind.name(), policy.metadata.name),
            ),
            Source::Profile(profile) => {
                (String::new(), format!("Profile/{}", profile.metadata.name))
            }
        };
        Self {
            tier,
            policy,
            action: here.rule.action.name().to_owned(),
            ..Self::new(here.stage, rule_name(here))
        }
        .at(&here.rule.position)
    }
}

impl From<Decider<'_>> for Place {
    fn from(decider: Decider<'_>) -> Self {
        match decider {
            Decider::Pipeline => Self::default(),
            Decider::Failsafe(direction, entry) => {
                Self::new(Stage::Failsafe, failsafe_name(direction, entry))
            }
            Decider::Rule(here) => here.into(),
            Decider::EndOfTier(stage, tier) => Self {
                tier: tier.metadata.name.to_string(),
                ..Self::new(stage, "end of tier")
            }
            .at(&tier.metadata.position),
            Decider::NoProfile => Self::new(Stage::Default, "no profile decides"),
            Decider::ForwardDefault => Self::new(Stage::Default, "forwarded by default"),
            Decider::EndpointToHost(action) => Self::new(
                Stage::Default,
                match action {
                    EndpointToHostAction::Drop => "defaultEndpointToHostAction: Drop",
                    EndpointToHostAction::Accept => "defaultEndpointToHostAction: Accept",
                    EndpointToHostAction::Return => "defaultEndpointToHostAction: Return",
                },
            ),
            Decider::Workload => Self::new(Stage::Default, "workload interface"),
        }
    }
}

impl Judgement<'_> {
    /// Where the verdict was given.
    #[must_use]
    pub fn place(&self) -> Place {
        self.decider.into()
    }

    /// The way to the verdict, one line per step, indented by stage, tier, policy and rule.
    #[must_use]
    pub fn trace_lines(&self) -> Vec<String> {
        self.trace.iter().map(step_line).collect()
    }
}

fn step_line(step: &Step<'_>) -> String {
    match step {
        Step::Role(Role::Unpoliced) => "no endpoint owns the interface".to_owned(),
        Step::Role(Role::Endpoint(endpoint)) => {
            format!("endpoint {}", endpoint.metadata.name)
        }
        Step::Role(Role::Workload(endpoint)) => {
            format!(
                "workload interface, guarded by endpoint {}",
                endpoint.metadata.name
            )
        }
        Step::Ipv6Unpoliced => "ipv6Support is false".to_owned(),
        Step::UntrackedExempt(direction, entry) => {
            format!(
                "untracked: skipped, failsafe {}",
                failsafe_name(*direction, entry)
            )
        }
        Step::NoFailsafe => "failsafe: no port covers the packet".to_owned(),
        Step::Enter(stage) => format!("{}:", stage.name()),
        Step::NoPolicy(stage) => format!("{}: no policy applies", stage.name()),
        Step::Tier(tier) => format!("  tier {}", tier.metadata.name),
        Step::Policy(policy) => {
            format!("    {}/{}", policy.kind.name(), policy.metadata.name)
        }
        Step::Profile(profile) => format!("    Profile/{}", profile.metadata.name),
        Step::Missed(here, mismatch) => format!("      {}: no, {mismatch}", rule_text(*here)),
        Step::Matched(here) => format!("      {}: matches", rule_text(*here)),
        Step::Staged(here) => format!("      {}: matches, only staged", rule_text(*here)),
        Step::TierPassed(tier) => format!("  end of tier {}: goes on", tier.metadata.name),
        Step::TierStagedOnly(tier) => {
            format!(
                "  end of tier {}: only staged policies, goes on",
                tier.metadata.name
            )
        }
        Step::ReversePathUnknown => {
            "reverse path: depends on the host's routes, taken as passed".to_owned()
        }
    }
}

/// `ingress[2]`.
fn rule_name(here: RuleRef<'_>) -> String {
    format!("{}[{}]", here.direction.name(), here.index)
}

/// `ingress[2] Deny (policies.yaml:14)`.
fn rule_text(here: RuleRef<'_>) -> String {
    let name = rule_name(here);
    let action = here.rule.action.name();
    format!("{name} {action} ({})", here.rule.position)
}

/// `inbound TCP 22 from 192.0.2.0/24`.
fn failsafe_name(direction: Direction, entry: &FailsafePort) -> String {
    let protocol = crate::model::Protocol {
        by_name: true,
        ..entry.protocol
    };
    let (list, preposition) = match direction {
        Direction::Ingress => ("inbound", "from"),
        Direction::Egress => ("outbound", "to"),
    };
    match entry.net {
        Some(net) => format!("{list} {protocol} {} {preposition} {net}", entry.port),
        None => format!("{list} {protocol} {}", entry.port),
    }
}
