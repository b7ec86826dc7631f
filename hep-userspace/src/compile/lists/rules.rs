//! The rules of a generation, each once, however many lists contain it.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use super::{
    builder::{FlatList, RuleId},
    slots::{Claims, Numbers},
};
use crate::compile::{classes::used::Used, description::shape::RuleDescription};

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
    given: Given,
}

/// The slots of the last generation.
#[derive(Debug, Default)]
struct Given {
    /// Names with their slots, to recognise the generation.
    taken: Arc<BTreeMap<Arc<str>, u32>>,
    /// The rules that have a slot, and the slot by the rule's number; 0: none.
    rules: Vec<RuleId>,
    slot_of: Vec<u32>,
    /// The descriptions, as long as they are right.
    described: Option<Arc<Vec<Arc<RuleDescription>>>>,
}

impl Rules {
    /// The number of a rule; rules of the same identity have one.
    pub(crate) fn add(&mut self, text: &Arc<RuleText>) -> RuleId {
        if let Some(&known) = self.by_identity.get(&text.identity) {
            let before = &mut self.all[known as usize];
            // Its place in the file may be another one.
            if before.description != text.description {
                *before = Arc::clone(text);
                self.given.described = None;
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

    /// Compares the rules in use with those that have slots in the `previous` generation.
    pub(crate) fn claims(&self, previous: &Numbers) -> Claims<'_> {
        let Given {
            taken,
            rules,
            slot_of,
            ..
        } = &self.given;
        if !Arc::ptr_eq(taken, &previous.taken) {
            let identities: Vec<_> = self.used().map(|(_, text)| &text.identity).collect();
            return previous.claims(identities.into_iter());
        }
        let mut claims = Claims::default();
        for (place, (rule, text)) in self.used().enumerate() {
            let slot = slot_of.get(rule as usize).copied().unwrap_or_default();
            if slot == 0 {
                claims.new.push((place, &text.identity));
            }
            claims.numbers.push(slot);
        }
        let lost = rules.iter().filter(|rule| !self.used.holds(**rule));
        let lost = lost.map(|rule| *rule as usize);
        let lost = lost.map(|rule| (Arc::clone(&self.all[rule].identity), slot_of[rule]));
        claims.lost = lost.collect();
        claims.lost.sort();
        claims
    }

    /// Notes the `slots` of the rules in use, in their order; `numbers` are all of them by name.
    pub(crate) fn give(&mut self, numbers: &Numbers, slots: &[u32]) {
        let given = &mut self.given;
        if !Arc::ptr_eq(&given.taken, &numbers.taken) {
            given.taken = Arc::clone(&numbers.taken);
            given.described = None;
        }
        for rule in given.rules.drain(..) {
            given.slot_of[rule as usize] = 0;
        }
        given.slot_of.resize(self.all.len(), 0);
        for (rule, slot) in self.used.numbers().iter().zip(slots) {
            given.slot_of[*rule as usize] = *slot;
        }
        given.rules.extend(self.used.numbers());
    }

    /// The slots of the rules by number.
    pub(crate) fn slot_of(&self) -> &[u32] {
        &self.given.slot_of
    }

    /// The descriptions of the rules in use, sorted by slot.
    pub(crate) fn describe(&mut self) -> Arc<Vec<Arc<RuleDescription>>> {
        if let Some(described) = &self.given.described {
            return Arc::clone(described);
        }
        let described = self
            .used()
            .map(|(rule, text)| text.described(self.given.slot_of[rule as usize]));
        let mut descriptions: Vec<_> = described.collect();
        descriptions.sort_by_key(|rule| rule.slot);
        let descriptions = Arc::new(descriptions);
        self.given.described = Some(Arc::clone(&descriptions));
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
