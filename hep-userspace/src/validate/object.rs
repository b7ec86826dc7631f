//! A mapping with a fixed set of keys: typed access to each, and a problem for each key that no decoder
//! read.

use std::cell::RefCell;

use super::{
    Code, Problem, Severity,
    cursor::Value,
    misplaced,
    place::{Place, Step},
    unjudged,
};
use crate::{
    model::Position,
    source::{Entry, Value as Yaml},
};

/// Most valid keys that a message lists.
const MAX_LISTED: usize = 24;

/// A mapping with a fixed set of keys.
pub(super) struct Object<'n> {
    /// The mapping itself.
    pub(super) value: Value<'n>,
    entries: &'n [Entry<'n>],
    known: RefCell<Vec<&'static str>>,
}

impl<'n> Value<'n> {
    /// A mapping with a fixed set of keys; call [`Object::finish`] when all of them were read.
    pub(super) fn object(&self) -> Option<Object<'n>> {
        let Yaml::Mapping(entries) = &self.node.value else {
            return self.wrong_type("a mapping", "write key: value, one per line, indented");
        };
        Some(Object {
            value: self.clone(),
            entries,
            known: RefCell::new(Vec::new()),
        })
    }
}

impl<'n> Object<'n> {
    /// The value of `key`, unless there is none.
    pub(super) fn optional(&self, key: &'static str) -> Option<Value<'n>> {
        self.known.borrow_mut().push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let value = Value {
            context: self.value.context,
            node: &entry.value,
            steps: self.value.steps.then(Step::Key(key.to_owned())),
        };
        (!value.is_null()).then_some(value)
    }

    /// The value of `key`; an error if there is none.
    pub(super) fn required(&self, key: &'static str, advice: &str) -> Option<Value<'n>> {
        let value = self.optional(key);
        if value.is_none() {
            self.missing(key, advice);
        }
        value
    }

    /// The decoded value of `key`: `Some(None)` if there is none, `None` if it has a problem.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        decode: impl FnOnce(&Value<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.optional(key) {
            None => Some(None),
            Some(value) => decode(&value).map(Some),
        }
    }

    /// The decoded value of `key`, or `absent` if there is none; `None` if it has a problem.
    pub(super) fn read_or<T>(
        &self,
        key: &'static str,
        absent: T,
        decode: impl FnOnce(&Value<'n>) -> Option<T>,
    ) -> Option<T> {
        self.read(key, decode).map(|value| value.unwrap_or(absent))
    }

    /// Reports that `key` is missing.
    pub(super) fn missing(&self, key: &'static str, advice: &str) {
        let mut place = self.value.place();
        place.field = self.value.steps.then(Step::Key(key.to_owned())).to_string();
        let problem = place.problem(Severity::Error, Code::Required, "is missing", advice);
        self.value.context.input.problems.borrow_mut().push(problem);
    }

    /// Whether the key is there with a value.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.optional(key).is_some()
    }

    /// Keys that are allowed and mean nothing here.
    pub(super) fn ignore(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Advice for a key that no decoder read. It is not to remove it: without a condition, a rule or policy
    /// applies to more.
    fn unknown_advice(&self, key: &str, known: &[&'static str]) -> String {
        let path = self.value.steps.to_string();
        let has_rules = known.contains(&"ingress");
        if let Some(advice) =
            misplaced::advice(&path, key, has_rules).or_else(|| misplaced::respelled(key, known))
        {
            return advice;
        }
        if known.len() > MAX_LISTED {
            return "no field has this name; check its spelling".to_owned();
        }
        let mut words = known.to_vec();
        words.sort_unstable();
        words.dedup();
        format!("valid keys here: {}", words.join(", "))
    }

    /// Reports the keys that no decoder read (RS-003); in a store they are only noted (DS-041).
    pub(super) fn finish(self) {
        self.report_unknown(|place, advice| {
            if self.value.is_stored() {
                let message = "is not known here, and has no effect";
                return place.problem(Severity::Notice, Code::UnknownField, message, "");
            }
            place.problem(Severity::Error, Code::Syntax, "unknown key", advice)
        });
    }

    /// Reports the keys that no decoder of conditions read; returns whether there are any in a store, which
    /// are conditions that cannot be judged (DS-316).
    pub(super) fn finish_conditions(self) -> bool {
        if !self.value.is_stored() {
            self.finish();
            return false;
        }
        self.report_unknown(|place, _advice| {
            let message = unjudged::message();
            place.problem(Severity::Warning, Code::Unjudged, message, "")
        })
    }

    /// Reports the keys that no decoder read; returns whether there are any.
    fn report_unknown(&self, problem: impl Fn(&Place, String) -> Problem) -> bool {
        let known = self.known.borrow();
        let mut is_any = false;
        for entry in self.entries {
            if known.iter().any(|known| *known == entry.key) {
                continue;
            }
            is_any = true;
            let steps = self
                .value
                .steps
                .then(Step::Key(entry.key.clone().into_owned()));
            let place = Place {
                position: Position::new(self.value.context.input.origin, entry.line, entry.column),
                field: steps.to_string(),
                ..self.value.place()
            };
            let advice = self.unknown_advice(&entry.key, &known);
            let mut problems = self.value.context.input.problems.borrow_mut();
            problems.push(problem(&place, advice));
        }
        is_any
    }
}
