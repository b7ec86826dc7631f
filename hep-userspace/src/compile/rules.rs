//! The rules of a generation, each once, however many lists it stands in.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::description::RuleDescription;

/// Number of a rule in this generation, before it has its counter slot.
pub(super) type RuleId = u32;

/// Identities and descriptions of rules, by [`RuleId`].
#[derive(Debug, Default)]
pub(super) struct Rules {
    by_identity: BTreeMap<String, RuleId>,
    all: Vec<(String, RuleDescription)>,
}

impl Rules {
    /// The number of a rule. Its identity is its description without the place in the file, and the
    /// direction it looks at.
    pub(super) fn add(&mut self, direction: &str, description: RuleDescription) -> RuleId {
        let identity = identity(direction, &description);
        if let Some(&known) = self.by_identity.get(&identity) {
            return known;
        }
        let id = u32::try_from(self.all.len()).expect("fewer rules than bytes of memory");
        self.by_identity.insert(identity.clone(), id);
        self.all.push((identity, description));
        id
    }

    /// All identities, by number.
    pub(super) fn identities(&self) -> Vec<&str> {
        self.all.iter().map(|(identity, _)| &**identity).collect()
    }

    /// The descriptions, by number.
    pub(super) fn into_descriptions(self) -> Vec<RuleDescription> {
        self.all
            .into_iter()
            .map(|(_, description)| description)
            .collect()
    }
}

fn identity(direction: &str, rule: &RuleDescription) -> String {
    let content = format!(
        "{}\n{}\n{}\n{}\n{}",
        rule.tier, rule.action, rule.staged, rule.matches, rule.log_prefix
    );
    let digest = Sha256::digest(content);
    let digest: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}|{direction}|{}|{}|{digest}",
        rule.stage, rule.policy, rule.rule
    )
}
