//! Which names are defined, and which are referred to: references must lead to exactly one resource
//! (RS-005, RS-044, RS-123).

use std::collections::{HashMap, HashSet};

use super::{
    Code, Scope, Severity, built_in, collected::Collected, pending, place::Place,
    problems::Problems, words::nearest,
};
use crate::model::{Kind, ResourceId};

/// Problems of a load beyond which no missing name is compared with those that are there.
const MAX_GUESSES: usize = 50;

/// The names of all units, with how often each is defined and referred to. Whatever is wrong is known
/// without looking at what is right.
#[derive(Default)]
pub(super) struct Index {
    defined: HashMap<ResourceId, usize>,
    referred: HashMap<ResourceId, usize>,
    /// Names that are defined more than once.
    repeated: HashSet<ResourceId>,
    /// Names that are referred to and not defined.
    missing: HashSet<ResourceId>,
}

impl Index {
    /// Adds the names of a unit.
    pub(super) fn add(&mut self, unit: &Collected) {
        for (id, _) in &unit.names {
            *self.defined.entry(id.clone()).or_default() += 1;
            self.judge(id);
        }
        for (id, _) in &*unit.references.borrow() {
            *self.referred.entry(id.clone()).or_default() += 1;
            self.judge(id);
        }
    }

    /// Removes the names of a unit that was added.
    pub(super) fn remove(&mut self, unit: &Collected) {
        for (id, _) in &unit.names {
            decrement(&mut self.defined, id);
            self.judge(id);
        }
        for (id, _) in &*unit.references.borrow() {
            decrement(&mut self.referred, id);
            self.judge(id);
        }
    }

    fn judge(&mut self, id: &ResourceId) {
        let defined = self.defined.get(id).copied().unwrap_or_default();
        let is_missing =
            defined == 0 && self.referred.contains_key(id) && !built_in::is_built_in(id);
        for (set, is_in) in [
            (&mut self.repeated, defined > 1),
            (&mut self.missing, is_missing),
        ] {
            if !is_in {
                set.remove(id);
            } else if !set.contains(id) {
                set.insert(id.clone());
            }
        }
    }

    /// Reports names that are given twice, and names that nothing has, of all `units` in order.
    pub(super) fn check<'u>(
        &self,
        units: impl Iterator<Item = &'u Collected> + Clone,
        scope: Scope,
        problems: &mut Problems,
    ) {
        // In a store names are those of keys, of which there are no two (DS-074).
        if !self.repeated.is_empty() && scope != Scope::Store {
            self.report_repeated(units.clone(), problems);
        }
        if !self.missing.is_empty() {
            self.report_missing(units, scope, problems);
        }
    }

    fn report_repeated<'u>(
        &self,
        units: impl Iterator<Item = &'u Collected>,
        problems: &mut Problems,
    ) {
        let mut first: HashMap<&ResourceId, &Place> = HashMap::new();
        for (id, place) in units.flat_map(|unit| &unit.names) {
            if !self.repeated.contains(id) {
                continue;
            }
            let Some(other) = first.get(id) else {
                first.insert(id, place);
                continue;
            };
            let (kind, name) = (id.kind, id.full_name());
            let message = format!("{kind} {name} is already defined in {}", other.position);
            let advice = "give one of the two another name";
            problems.push(place.problem(Severity::Error, Code::Duplicate, message, advice));
        }
    }

    fn report_missing<'u>(
        &self,
        units: impl Iterator<Item = &'u Collected>,
        scope: Scope,
        problems: &mut Problems,
    ) {
        let severity = match scope {
            Scope::Directory => Severity::Error,
            Scope::Files | Scope::Store => Severity::Warning,
        };
        for unit in units {
            for (id, place) in &*unit.references.borrow() {
                if !self.missing.contains(id) {
                    continue;
                }
                let (kind, name) = (id.kind, &id.name);
                let code = match scope {
                    Scope::Store => Code::Pending,
                    Scope::Directory | Scope::Files if kind == Kind::Tier => Code::Tier,
                    Scope::Directory | Scope::Files => Code::Reference,
                };
                // Comparing thousands with thousands would take long.
                let is_guessed = problems.found().len() < MAX_GUESSES;
                let near = is_guessed.then(|| nearest(name, &self.known(kind)));
                let advice = match near.flatten() {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("add a {kind} of that name"),
                };
                let message = match scope {
                    Scope::Directory | Scope::Files => format!("there is no {kind} {name}"),
                    Scope::Store => pending::message(id),
                };
                let mut problem = place.problem(severity, code, message, advice);
                problem.got = Some(name.to_string());
                problems.push(problem);
            }
        }
    }

    /// The names that lead to no resource.
    pub(super) fn missing(&self) -> impl Iterator<Item = &ResourceId> {
        self.missing.iter()
    }

    /// The names of this kind that lead to a resource.
    fn known(&self, kind: Kind) -> Vec<&str> {
        let built_in = built_in::names(kind).map(|name| -> &str { name });
        let defined = self.defined.keys().filter(|id| id.kind == kind);
        defined.map(|id| &*id.name).chain(built_in).collect()
    }
}

/// Takes one off a count, which is there.
fn decrement(counts: &mut HashMap<ResourceId, usize>, id: &ResourceId) {
    match counts.get_mut(id) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) | None => drop(counts.remove(id)),
    }
}
