//! The rules of a generation, each once, however many lists contain it.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use super::builder::{FlatList, RuleId};
use crate::compile::{classes::predicates::Used, description::shape::RuleDescription};

/// Rules of earlier generations that may be left over.
const MAX_LEFT_OVER: usize = 1024;

/// A rule in words.
#[derive(Debug)]
pub(crate) struct RuleText {
    /// The description without the place in the file, and the direction that the rule looks at.
    identity: Arc<str>,
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

/// Texts of rules, by [`RuleId`]. Numbers last from generation to generation.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    by_identity: FxHashMap<Arc<str>, RuleId>,
    all: Vec<Arc<RuleText>>,
    used: Used,
}

impl Rules {
    /// The number of a rule; rules of the same identity have one.
    pub(crate) fn add(&mut self, text: &Arc<RuleText>) -> RuleId {
        if let Some(&known) = self.by_identity.get(&text.identity) {
            let before = &mut self.all[known as usize];
            // Its place in the file may be another one.
            if before.description != text.description {
                *before = Arc::clone(text);
            }
            return known;
        }
        let id = u32::try_from(self.all.len()).expect("fewer rules than bytes of memory");
        self.by_identity.insert(Arc::clone(&text.identity), id);
        self.all.push(Arc::clone(text));
        id
    }

    /// Begins a generation, whose lists are `lists`: notes the rules in them.
    pub(crate) fn begin<'l>(&mut self, lists: impl Iterator<Item = &'l FlatList>) {
        self.used.clear();
        for rule in lists.flat_map(|list| &list.rules) {
            self.used.mark(rule.rule);
        }
    }

    /// Whether most rules are of earlier generations.
    pub(crate) fn is_cluttered(&self) -> bool {
        self.all.len() > 2 * self.used.numbers().len() + MAX_LEFT_OVER
    }

    /// The identities of the rules in use.
    pub(crate) fn identities(&self) -> Vec<&Arc<str>> {
        self.used().map(|(_, text)| &text.identity).collect()
    }

    /// Slots by number, from those in the order of [`Self::identities`].
    pub(crate) fn slots(&self, slots: &[u32]) -> Vec<u32> {
        let mut slot_of = vec![0; self.all.len()];
        for (rule, slot) in self.used.numbers().iter().zip(slots) {
            slot_of[*rule as usize] = *slot;
        }
        slot_of
    }

    /// The descriptions, sorted by slot; `slot_of` gives the slots by number.
    pub(crate) fn describe(&self, slot_of: &[u32]) -> Vec<Arc<RuleDescription>> {
        let described = self
            .used()
            .map(|(rule, text)| text.described(slot_of[rule as usize]));
        let mut descriptions: Vec<_> = described.collect();
        descriptions.sort_by_key(|rule| rule.slot);
        descriptions
    }

    fn used(&self) -> impl Iterator<Item = (RuleId, &RuleText)> {
        let numbers = self.used.numbers().iter();
        numbers.map(|rule| (*rule, &*self.all[*rule as usize]))
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
