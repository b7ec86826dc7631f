//! Loading again and again: only what changed is decoded, and only what a change can touch is checked.

use std::collections::{HashMap, VecDeque};

use super::{
    Code, Loaded, Node, Problem, Scope, Severity,
    built_in::BuiltIn,
    collected::{Collected, Resources},
    decoded::Decoded,
    elsewhere, felix,
    index::Index,
    pending::Pending,
    problems::Problems,
    rigour::Rigour,
    workload,
};
use crate::{
    model::{Origin, Snapshot},
    source::Unit,
};

/// Loads resources from units: all of them, or, with any error, none (RS-006, RS-007); those of a store one
/// by one (DS-312).
#[must_use]
pub fn load(units: &[Unit], node: &Node, scope: Scope) -> Loaded {
    Loader::default().load(units, node, scope)
}

/// Loads resources from units, and caches the result: a unit that did not change is not decoded again, and
/// of a long list in which some lines changed only those are.
///
/// With [`Scope::Store`] it is more than a cache: it remembers the last valid version of each object, until
/// the object is gone (DS-312). So a store has a loader of its own; one that begins with the units that
/// [`Loader::in_force`] returned in an earlier run, and is then given the store's, remembers what that run
/// did.
#[derive(Default)]
pub struct Loader {
    /// In the order of their origins.
    entries: Vec<Entry>,
    /// The names in all entries that are decoded.
    index: Index,
    /// The resources of all entries that are decoded, in the order of snapshots.
    resources: Resources,
    built_in: BuiltIn,
    pending: Pending,
    /// How strictly the entries were decoded.
    rigour: Option<Rigour>,
    knows_workloads: bool,
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

impl Loader {
    /// Loads all of the units, or, with any error, none (RS-006, RS-007): as [`load`]. With [`Scope::Store`]
    /// the last valid version of each (DS-312).
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

    /// Notes whether the units of a store include those that rules about namespaces, service accounts and
    /// pods need: NetworkSets, WorkloadEndpoints, and the Profiles of namespaces and service accounts. Until
    /// then such conditions cannot be judged (DS-316); with them they mean what they mean to Calico (DS-315).
    pub fn set_workloads(&mut self, known: bool) {
        if self.knows_workloads != known {
            self.knows_workloads = known;
            for entry in &mut self.entries {
                entry.is_current = false;
            }
        }
    }

    /// The version of each unit that is in force: with [`Scope::Store`] the last valid one, or, of those that
    /// never were valid, the present one.
    #[must_use]
    pub fn in_force(&self) -> Vec<Unit> {
        let entries = self.entries.iter();
        let version = |entry: &Entry| {
            let decoded = entry.decoded.as_deref();
            decoded.map_or(&entry.unit, Decoded::in_force).clone()
        };
        entries.map(version).collect()
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
        self.decode(&mut problems, scope.rigour());
        let collected = self.entries.iter().filter_map(Entry::collected);
        self.index.check(collected, scope, &mut problems);
        let mut snapshot = self.snapshot(node);
        match scope {
            Scope::Directory => elsewhere::excuse(&snapshot, &node.name, problems.found_mut()),
            Scope::Files => refuse_others(problems.found_mut()),
            Scope::Store => {
                elsewhere::excuse(&snapshot, &node.name, problems.found_mut());
                self.pending.add(&mut snapshot, self.index.missing());
            }
        }
        let is_valid = scope == Scope::Store || !problems.has_errors();
        let kept = self.entries.iter().filter_map(|entry| {
            let decoded = entry.decoded.as_deref()?;
            decoded.kept(&entry.unit.origin)
        });
        let needs_workloads =
            scope == Scope::Store && workload::are_needed(&snapshot, node, problems.found());
        Loaded {
            needs_workloads,
            snapshot: is_valid.then_some(snapshot),
            problems: problems.into_sorted(),
            kept: kept.collect(),
        }
    }

    /// Forgets what was decoded in another way.
    fn begin(&mut self, rigour: Rigour) {
        if self.rigour.is_some_and(|before| before != rigour) {
            let units = self.entries.drain(..).map(|entry| entry.unit);
            let entries = units.map(|unit| Entry::new(unit, None)).collect();
            *self = Self {
                entries,
                knows_workloads: self.knows_workloads,
                ..Self::default()
            };
        }
        self.rigour = Some(rigour);
    }

    /// Decodes what is not current, and collects all problems.
    fn decode(&mut self, problems: &mut Problems, rigour: Rigour) {
        self.begin(rigour);
        let (mut gone, mut come) = (Resources::default(), Resources::default());
        let manner = (rigour, self.knows_workloads);
        let Self { entries, index, .. } = self;
        for entry in entries.iter_mut().filter(|entry| !entry.is_silent()) {
            if !entry.is_current {
                let former = entry.decoded.take();
                let within = problems.within();
                let decoded = Decoded::new(&entry.unit, former.as_deref(), within, manner);
                if let Some(former) = &former {
                    index.remove(&former.collected);
                    gone.extend(&former.collected.resources);
                }
                let decoded = decoded.settled(former);
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
        let mut nodes = resources.nodes.iter();
        let own = nodes.find(|own| *own.metadata.name == *node.name);
        let labels = own.map_or(&node.labels, |own| &own.metadata.labels);
        let mut snapshot = Snapshot {
            endpoints: resources.endpoints.clone(),
            profiles: resources.profiles.clone(),
            policies: resources.policies.clone(),
            tiers: resources.tiers.clone(),
            sets: resources.sets.clone(),
            workloads: resources.workloads.clone(),
            felix: felix::merge(&resources.felix, node, labels),
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
