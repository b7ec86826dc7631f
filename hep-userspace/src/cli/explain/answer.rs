//! The answer of `hep explain`, as text and as JSON.

use hep_common::Direction;
use serde_json::json;

use crate::{
    cases::Expect,
    model::written_at,
    printable,
    reference::{Decider, Judgement, Packet, Place, Role, RuleRef},
};

/// Everything that `hep explain` prints about a packet.
pub(super) struct Answer<'a> {
    pub(super) packet: &'a Packet,
    pub(super) node: &'a str,
    pub(super) role: Role<'a>,
    pub(super) judgement: Judgement<'a>,
    /// Note on how the packet is judged if the kernel translates it into this host; empty if it cannot.
    pub(super) translation: String,
}

impl Answer<'_> {
    fn endpoint(&self) -> &str {
        match self.role {
            Role::Unpoliced => "",
            Role::Endpoint(endpoint) | Role::Workload(endpoint) => &endpoint.metadata.name,
        }
    }

    /// The default that decided, if no rule did.
    fn default_text(&self) -> Option<String> {
        match self.judgement.decider {
            Decider::Rule(_) | Decider::Failsafe(..) | Decider::Pipeline => None,
            Decider::EndOfTier(_, tier) => Some(format!(
                "end of tier {}: a policy of it applies, no rule matched, defaultAction is Deny",
                tier.metadata.name
            )),
            Decider::NoProfile => Some("no policy and no profile decided: deny".to_owned()),
            Decider::ForwardDefault => {
                Some("forwarded, and no policy with applyOnForward decided: allow".to_owned())
            }
            Decider::EndpointToHost(_) => {
                Some("from a workload: defaultEndpointToHostAction".to_owned())
            }
            Decider::Workload => Some("a workload's interface: allow".to_owned()),
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let judgement = &self.judgement;
        let place = judgement.place();
        let direction = match self.packet.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        json!({
            "verdict": Expect::of(judgement.allows()),
            "reason": judgement.reason.name(),
            "stage": place.stage,
            "tier": place.tier,
            "policy": place.policy,
            "rule": place.rule,
            "action": place.action,
            "file": place.file,
            "line": place.line,
            "default": self.default_text(),
            "node": self.node,
            "endpoint": self.endpoint(),
            "packet": self.packet.to_string(),
            "interface": self.packet.interface,
            "direction": direction,
            "forwarded": self.packet.forwarded,
            "logged": places(&judgement.logged),
            "staged": places(&judgement.staged),
            "translation": self.translation,
            "trace": judgement.trace_lines(),
        })
    }

    pub(super) fn text(&self) -> String {
        let place = self.judgement.place();
        let mut lines = vec![format!(
            "{}: {}",
            Expect::of(self.judgement.allows()).name(),
            self.judgement.reason.name()
        )];
        let file = written_at(&place.file, place.line).unwrap_or_default();
        let rule = format!("{} {}", place.rule, place.action);
        for (name, value) in [
            ("packet", self.packet.to_string().as_str()),
            ("endpoint", self.endpoint()),
            ("stage", &place.stage),
            ("tier", &place.tier),
            ("policy", &place.policy),
            ("rule", rule.trim()),
            ("file", &file),
            ("default", &self.default_text().unwrap_or_default()),
            ("then", &self.translation),
        ] {
            if !value.is_empty() {
                lines.push(format!("  {name:<9} {value}"));
            }
        }
        lines.push("path".to_owned());
        let trace = self.judgement.trace_lines();
        lines.extend(trace.iter().map(|line| format!("  {line}")));
        printable::lines(lines)
    }
}

fn places(rules: &[RuleRef<'_>]) -> Vec<Place> {
    rules.iter().map(|rule| Place::from(*rule)).collect()
}
