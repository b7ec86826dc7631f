//! The rules of a generation, each once, however many lists contain it.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use crate::compile::description::shape::RuleDescription;

/// Number of a rule in this generation, before it has its counter slot.
pub(crate) type RuleId = u32;

/// A rule in words.
#[derive(Debug)]
pub(crate) struct RuleText {
    /// The description without the place in the file, and the direction that the rule looks at.
    identity: Box<str>,
    /// Without a slot.
    description: RuleDescription,
    /// With the slot that the rule had first, which is most often the one that it has.
    described: OnceLock<Arc<RuleDescription>>,
}

impl RuleText {
    pub(crate) fn new(direction: &str, description: RuleDescription) -> Self {
        Self {
            identity: identity(direction, &description).into(),
            description,
            described: OnceLock::new(),
        }
    }

    fn described(&self, slot: u32) -> Arc<RuleDescription> {
        let with_slot = || {
            Arc::new(RuleDescription {
                slot,
                ..self.description.clone()
            })
        };
        let known = self.described.get_or_init(with_slot);
        if known.slot == slot {
            Arc::clone(known)
        } else {
            with_slot()
        }
    }
}

/// Texts of rules, by [`RuleId`].
#[derive(Debug, Default)]
pub(crate) struct Rules {
    by_identity: FxHashMap<Box<str>, RuleId>,
    all: Vec<Arc<RuleText>>,
}

impl Rules {
    /// The number of a rule; rules of the same identity have one.
    pub(crate) fn add(&mut self, text: &Arc<RuleText>) -> RuleId {
        if let Some(&known) = self.by_identity.get(&text.identity) {
            return known;
        }
        let id = u32::try_from(self.all.len()).expect("fewer rules than bytes of memory");
        self.by_identity.insert(text.identity.clone(), id);
        self.all.push(Arc::clone(text));
        id
    }

    /// All identities, by number.
    pub(crate) fn identities(&self) -> Vec<&str> {
        self.all.iter().map(|text| &*text.identity).collect()
    }

    /// The descriptions, sorted by slot; `slot_of` gives the slots by number.
    pub(crate) fn describe(&self, slot_of: &[u32]) -> Vec<Arc<RuleDescription>> {
        let texts = self.all.iter().zip(slot_of);
        let mut descriptions: Vec<_> = texts.map(|(text, slot)| text.described(*slot)).collect();
        descriptions.sort_by_key(|rule| rule.slot);
        descriptions
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
