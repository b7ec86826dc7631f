//! `hep explain`: what happens to one packet.

use hep_common::Direction;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Place, Version};
use crate::reference::{Decider, Judgement, Packet, Role, RuleRef};

/// Verdict on a packet, the rule that decides, and the way to it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Explanation {
    /// Version of this shape.
    pub version: Version<1>,
    /// `allow` or `deny`.
    pub verdict: String,
    /// Name of the reason, as in the counters.
    pub reason: String,
    /// The rule or default that decided.
    #[serde(flatten)]
    pub place: Place,
    /// The default that decided, in words; null if a rule did.
    pub default: Option<String>,
    /// Name of the host that judges.
    pub node: String,
    /// HostEndpoint that owns the interface; empty if it is not policed.
    pub endpoint: String,
    /// The packet in one line.
    pub packet: String,
    /// Interface whose hook sees it.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// Whether it is routed through this host.
    pub forwarded: bool,
    /// `Log` rules that matched, in order.
    pub logged: Vec<Place>,
    /// Rules of staged policies that matched, in order.
    pub staged: Vec<Place>,
    /// Note on how the packet is judged if the kernel translates it into this host; empty if it cannot.
    pub translation: String,
    /// Every step to the verdict.
    pub trace: Vec<String>,
}

/// A packet, who judges it, and the judgement.
#[derive(Debug)]
pub struct Question<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// Name of the host.
    pub node: &'a str,
    /// Role of the packet's interface.
    pub role: Role<'a>,
    /// The judgement.
    pub judgement: Judgement<'a>,
    /// Note on the kernel's translation.
    pub translation: String,
}

impl From<Question<'_>> for Explanation {
    fn from(question: Question<'_>) -> Self {
        let Question {
            packet,
            node,
            role,
            judgement,
            translation,
        } = question;
        let endpoint = match role {
            Role::Unpoliced => String::new(),
            Role::Endpoint(endpoint) | Role::Workload(endpoint) => {
                endpoint.metadata.name.to_string()
            }
        };
        let direction = match packet.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        Self {
            version: Version,
            verdict: if judgement.allows() { "allow" } else { "deny" }.to_owned(),
            reason: judgement.reason.name().to_owned(),
            place: judgement.place().into(),
            default: default_text(&judgement),
            node: node.to_owned(),
            endpoint,
            packet: packet.to_string(),
            interface: packet.interface.to_string(),
            direction: direction.to_owned(),
            forwarded: packet.forwarded,
            logged: places(&judgement.logged),
            staged: places(&judgement.staged),
            translation,
            trace: judgement.trace_lines(),
        }
    }
}

fn places(rules: &[RuleRef<'_>]) -> Vec<Place> {
    use crate::reference;
    let places = rules.iter().map(|rule| reference::Place::from(*rule));
    places.map(Place::from).collect()
}

/// The default that decided, if no rule did.
fn default_text(judgement: &Judgement<'_>) -> Option<String> {
    match judgement.decider {
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
