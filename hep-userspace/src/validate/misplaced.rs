//! The right place of a misplaced key. The advice is never to remove the key: without the condition, a rule
//! matches more.

use super::words::nearest;

/// Keys of `source` and `destination`.
const SIDE: [&str; 9] = [
    "nets",
    "notNets",
    "selector",
    "notSelector",
    "namespaceSelector",
    "ports",
    "notPorts",
    "services",
    "serviceAccounts",
];
/// Keys of a rule that only rules have.
const RULE: [&str; 10] = [
    "action",
    "protocol",
    "notProtocol",
    "icmp",
    "notICMP",
    "ipVersion",
    "source",
    "destination",
    "http",
    "type",
];
/// Keys of `metadata`.
const METADATA: [&str; 3] = ["name", "labels", "annotations"];
/// Keys of `spec`.
const SPEC: [&str; 24] = [
    "selector",
    "types",
    "ingress",
    "egress",
    "order",
    "tier",
    "doNotTrack",
    "preDNAT",
    "applyOnForward",
    "namespaceSelector",
    "serviceAccountSelector",
    "performanceHints",
    "stagedAction",
    "node",
    "interfaceName",
    "expectedIPs",
    "profiles",
    "ports",
    "nets",
    "labelsToApply",
    "defaultAction",
    "failsafeInboundHostPorts",
    "failsafeOutboundHostPorts",
    "nodeSelector",
];

/// A kind of mapping that keys can be in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Document,
    Metadata,
    Spec,
    Rule,
    /// Inside of a rule, `source` and `destination` too.
    InRule,
    Other,
}

impl Level {
    /// The level of the mapping at this path.
    fn of(path: &str) -> Self {
        let in_spec = path.strip_prefix("spec").unwrap_or_default();
        let rule = [".ingress[", ".egress["]
            .iter()
            .find_map(|rules| in_spec.strip_prefix(rules));
        match (path, rule.and_then(|rule| rule.split_once(']'))) {
            ("", _) => Self::Document,
            ("metadata", _) => Self::Metadata,
            ("spec", _) => Self::Spec,
            (_, Some((_, ""))) => Self::Rule,
            (_, Some(_)) => Self::InRule,
            (_, None) => Self::Other,
        }
    }
}

/// Advice for a key that a mapping at `path` does not have, if another place has it.
pub(super) fn advice(path: &str, key: &str, has_rules: bool) -> Option<String> {
    let side = format!("write source: {{{key}: …}} or destination: {{{key}: …}}");
    let homes: &[(&[&str], String)] = &match Level::of(path) {
        Level::Rule => vec![
            (&SIDE[..], side),
            (
                &SPEC,
                format!("write {key} in spec, beside ingress and egress"),
            ),
        ],
        Level::InRule => vec![
            (
                &RULE[..],
                format!("write {key} in the rule, beside source and destination"),
            ),
            (&SIDE, side),
        ],
        Level::Spec if has_rules => vec![
            (
                &RULE[..],
                format!("write {key} in a rule, below ingress or egress"),
            ),
            (&SIDE, format!("in a rule below ingress or egress, {side}")),
            (&METADATA, format!("write metadata: {{{key}: …}}")),
        ],
        Level::Spec => vec![(&METADATA[..], format!("write metadata: {{{key}: …}}"))],
        Level::Document => vec![
            (&METADATA[..], format!("write metadata: {{{key}: …}}")),
            (&SPEC, format!("write spec: {{{key}: …}}")),
        ],
        Level::Metadata => vec![(&SPEC[..], format!("write spec: {{{key}: …}}"))],
        Level::Other => vec![],
    };
    let home = homes.iter().find(|(keys, _)| keys.contains(&key));
    home.map(|(_, advice)| advice.clone())
}

/// The word of any mapping that was probably meant, in the right case.
pub(super) fn respelled(key: &str, known: &[&'static str]) -> Option<String> {
    if let Some(word) = known.iter().find(|word| word.eq_ignore_ascii_case(key)) {
        return Some(format!("write {word}; case matters"));
    }
    if let Some(near) = nearest(key, known) {
        return Some(format!("did you mean {near}?"));
    }
    None
}
