//! Loading again and again: only what changed is decoded, and only what a change can touch is checked.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
};

use super::{
    Code, Loaded, Node, Problem, Scope, Severity,
    built_in::BuiltIn,
    collected::{Collected, Resources},
    elsewhere, felix,
    index::Index,
    place::Input,
    problems::Problems,
    resources,
};
use crate::{
    model::{Origin, Position, Snapshot},
    source::{self, Outline, SyntaxError, Unit},
};

/// Loads resources from units: all of them, or, with any error, none (RS-006, RS-007).
#[must_use]
pub fn load(units: &[Unit], node: &Node, scope: Scope) -> Loaded {
    Loader::default().load(units, node, scope)
}

/// Loads resources from units, and caches the result: a unit that did not change is not decoded again, and
/// of a long list in which some lines changed only those are.
#[derive(Default)]
pub struct Loader {
    /// In the order of their origins.
    entries: Vec<Entry>,
    /// The names in all entries that are decoded.
    index: Index,
    /// The resources of all entries that are decoded, in the order of snapshots.
    resources: Resources,
    built_in: BuiltIn,
}

/// The difference between two sets of units.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Units that are new, or new versions of what was there.
    pub changed: Vec<Unit>,
    /// Origins of those that are gone, of whatever version.
    pub removed: Vec<Origin>,
}

/// A unit, and what is known of it.
struct Entry {
    unit: Unit,
    /// The content; if `is_current` is false that of an earlier version, or none.
    decoded: Option<Box<Decoded>>,
    is_current: bool,
    /// Whether it has no problem, so that there is nothing to do if it is current.
    is_quiet: bool,
}

/// The decoded content of a unit, by itself.
struct Decoded {
    text: bytes::Bytes,
    outline: Outline,
    collected: Collected,
    problems: Problems,
}

impl Loader {
    /// Loads all of the units, or, with any error, none (RS-006, RS-007): as [`load`].
    #[must_use]
    pub fn load(&mut self, units: &[Unit], node: &Node, scope: Scope) -> Loaded {
        self.replace(units);
        self.finish(node, scope)
    }

    /// Loads what was loaded last with these changes: the cost is that of the changes.
    #[must_use]
    pub fn update(&mut self, changes: Changes, node: &Node, scope: Scope) -> Loaded {
        for origin in changes.removed {
            let place = self.place(&origin.unversioned());
            self.splice(place, Vec::new());
        }
        for unit in changes.changed {
            let place = self.place(&unit.origin.unversioned());
            self.splice(place, vec![unit]);
        }
        self.finish(node, scope)
    }

    /// Where the entries with this origin are, whatever their versions.
    fn place(&self, origin: &Origin) -> std::ops::Range<usize> {
        let start = self
            .entries
            .partition_point(|entry| entry.unit.origin < *origin);
        let same = self.entries[start..]
            .iter()
            .take_while(|entry| entry.unit.origin.unversioned() == *origin);
        start..start + same.count()
    }

    /// Makes the entries those of these units.
    fn replace(&mut self, units: &[Unit]) {
        let same = |(entry, unit): &(&Entry, &Unit)| entry.unit.is_identical(unit);
        let before = self.entries.iter().zip(units).take_while(same).count();
        let rest = (&self.entries[before..], &units[before..]);
        let ends = rest.0.iter().rev().zip(rest.1.iter().rev());
        let behind = ends.take_while(same).count();
        let middle = &units[before..units.len() - behind];
        let around = &units[before.saturating_sub(1)..units.len().min(before + middle.len() + 1)];
        if !around.is_sorted_by(|one, other| one.origin <= other.origin) {
            let mut sorted = units.to_vec();
            sorted.sort_by(|one, other| one.origin.cmp(&other.origin));
            self.replace(&sorted);
            return;
        }
        let middle = middle.to_vec();
        self.splice(before..self.entries.len() - behind, middle);
    }

    /// Replaces entries by those of `units`; of units that were there, what is known is kept.
    fn splice(&mut self, place: std::ops::Range<usize>, units: Vec<Unit>) {
        let start = place.start;
        let mut former: HashMap<Origin, VecDeque<Entry>> = HashMap::new();
        for entry in self.entries.drain(place) {
            let origin = entry.unit.origin.unversioned();
            former.entry(origin).or_default().push_back(entry);
        }
        let entries: Vec<Entry> = units
            .into_iter()
            .map(|unit| {
                let known = former.get_mut(&unit.origin.unversioned());
                Entry::new(unit, known.and_then(VecDeque::pop_front))
            })
            .collect();
        self.entries.splice(start..start, entries);
        let mut gone = Resources::default();
        for collected in former.values().flatten().filter_map(Entry::collected) {
            self.index.remove(collected);
            gone.extend(&collected.resources);
        }
        self.resources.remove(&gone);
    }

    /// Decodes what is not current, and checks the whole.
    fn finish(&mut self, node: &Node, scope: Scope) -> Loaded {
        let mut problems = Problems::new();
        self.decode(&mut problems);
        let collected = self.entries.iter().filter_map(Entry::collected);
        self.index.check(collected, scope, &mut problems);
        let snapshot = self.snapshot(node);
        match scope {
            Scope::Directory => elsewhere::excuse(&snapshot, &node.name, problems.found_mut()),
            Scope::Files => refuse_others(problems.found_mut()),
        }
        let is_valid = !problems.has_errors();
        Loaded {
            snapshot: is_valid.then_some(snapshot),
            problems: problems.into_sorted(),
        }
    }

    /// Decodes what is not current, and collects all problems.
    fn decode(&mut self, problems: &mut Problems) {
        let (mut gone, mut come) = (Resources::default(), Resources::default());
        let Self { entries, index, .. } = self;
        for entry in entries.iter_mut().filter(|entry| !entry.is_silent()) {
            if !entry.is_current {
                let former = entry.decoded.take();
                let decoded = decode(&entry.unit, former.as_deref(), problems.within());
                if let Some(former) = former {
                    index.remove(&former.collected);
                    gone.extend(&former.collected.resources);
                }
                index.add(&decoded.collected);
                come.extend(&decoded.collected.resources);
                entry.set(decoded);
            }
            if let Some(decoded) = &entry.decoded {
                problems.add(&decoded.problems);
            }
        }
        self.resources.remove(&gone);
        self.resources.insert(&come);
    }

    /// The resources, with what is built in.
    fn snapshot(&self, node: &Node) -> Snapshot {
        let resources = &self.resources;
        let mut snapshot = Snapshot {
            endpoints: resources.endpoints.clone(),
            profiles: resources.profiles.clone(),
            policies: resources.policies.clone(),
            tiers: resources.tiers.clone(),
            sets: resources.sets.clone(),
            felix: felix::merge(&resources.felix, node),
        };
        self.built_in.add(&mut snapshot);
        snapshot
    }
}

impl Entry {
    /// The entry of a unit; `former` is the entry of what was there.
    fn new(unit: Unit, former: Option<Self>) -> Self {
        match former {
            Some(former) if former.unit == unit => Self { unit, ..former },
            former => Self {
                unit,
                decoded: former.and_then(|former| former.decoded),
                is_current: false,
                is_quiet: false,
            },
        }
    }

    /// Notes the content.
    fn set(&mut self, decoded: Decoded) {
        // What was only counted may be wanted when there is room.
        self.is_current = decoded.problems.is_whole();
        self.is_quiet = self.is_current && decoded.problems.found().is_empty();
        self.decoded = Some(Box::new(decoded));
    }

    /// Whether a load need not look at it.
    const fn is_silent(&self) -> bool {
        self.is_current && self.is_quiet
    }

    fn collected(&self) -> Option<&Collected> {
        self.decoded.as_deref().map(|decoded| &decoded.collected)
    }
}

/// Decodes a unit, reusing its previous content; collects its problems in an empty list.
fn decode(unit: &Unit, former: Option<&Decoded>, problems: Problems) -> Decoded {
    // What is wrong in a list would have to be told again.
    let tells = |problem: &Problem| {
        problem.severity == Severity::Error
            || [Code::RepeatedMember, Code::MappedAddress].contains(&problem.code)
    };
    let intact = former
        .filter(|former| former.problems.is_whole() && !former.problems.found().iter().any(tells));
    let parsed = match intact {
        Some(former) => source::parse_again(&unit.text, &former.text, &former.outline),
        None => source::parse(&unit.text),
    };
    let problems = RefCell::new(problems);
    for error in parsed.errors {
        problems.borrow_mut().push(syntax(error, &unit.origin));
    }
    let mut collected = Collected::default();
    let input = Input {
        origin: &unit.origin,
        problems: &problems,
        former: intact.map_or(&[], |former| &former.collected.resources.sets),
    };
    for document in &parsed.documents {
        resources::document(document, input, &mut collected);
    }
    if let Some(former) = former {
        collected.resources.reuse(&former.collected.resources);
    }
    Decoded {
        text: unit.text.clone(),
        outline: parsed.outline,
        collected,
        problems: problems.into_inner(),
    }
}

/// Makes skipped objects of other groups errors: whoever has single files checked needs to see whether each
/// object is right.
fn refuse_others(problems: &mut [Problem]) {
    for problem in problems.iter_mut().filter(|it| it.code == Code::OtherGroup) {
        problem.severity = Severity::Error;
        problem.code = Code::Kind;
        problem.advice =
            "give hep validate the directory as a whole, where such objects are skipped, or \
                          write apiVersion: projectcalico.org/v3"
                .to_owned();
    }
}

fn syntax(error: SyntaxError, origin: &Origin) -> Problem {
    let position = Position::new(origin, error.line, error.column);
    let message = match position.line {
        0 => format!(
            "line {}, column {}: {}",
            error.line, error.column, error.message
        ),
        _ => error.message,
    };
    Problem {
        severity: Severity::Error,
        code: Code::Syntax,
        position,
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message,
        got: None,
        advice: error.advice.to_owned(),
    }
}
