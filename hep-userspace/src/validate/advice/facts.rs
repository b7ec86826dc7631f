//! Facts that the warnings about a snapshot share: objects with their labels, and the uses of selectors.

use std::collections::{BTreeMap, HashMap};

use hep_common::Direction;

use super::super::{Code, Problem, Severity, place::Place};
use crate::{
    model::{EntityRule, HostEndpoint, Kind, Metadata, Rule, Snapshot},
    selector::Selector,
};

/// Both directions, in the order in which resources have their rules.
pub(super) const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// Something that selectors look at: an endpoint or a set.
pub(super) struct Object<'s> {
    labels: BTreeMap<&'s str, &'s str>,
    pub(super) has_addresses: bool,
    pub(super) endpoint: Option<&'s HostEndpoint>,
}

impl Object<'_> {
    /// Whether a selector selects it.
    pub(super) fn is_selected(&self, selector: &Selector) -> bool {
        selector.matches_with(|key| self.labels.get(key).copied())
    }
}

/// One side of a rule that can take effect.
pub(super) struct Side<'s> {
    kind: Kind,
    owner: &'s Metadata,
    /// Path of the side, such as `spec.ingress[0].source`.
    path: String,
    pub(super) rule: &'s Rule,
    pub(super) entity: &'s EntityRule,
}

impl Side<'_> {
    /// The place of one of its fields.
    pub(super) fn place(&self, field: &str) -> Place {
        Place {
            position: self.rule.position.clone(),
            ..place(self.owner, self.kind, &format!("{}.{field}", self.path))
        }
    }
}

/// The use of a selector in rules.
pub(super) struct Use {
    pub(super) selector: Selector,
    /// The first rule that has it.
    pub(super) place: Place,
    /// Whether it selects any object.
    pub(super) has_objects: bool,
    /// Whether it selects any address.
    pub(super) has_addresses: bool,
}

/// A snapshot on a host.
pub(super) struct Facts<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) node: &'s str,
    pub(super) objects: Vec<Object<'s>>,
    /// Sides of the rules of profiles, and of policies that select any endpoint.
    pub(super) sides: Vec<Side<'s>>,
    /// By canonical text.
    pub(super) uses: HashMap<String, Use>,
}

impl<'s> Facts<'s> {
    /// Looks at a snapshot on the host `node`.
    pub(super) fn new(snapshot: &'s Snapshot, node: &'s str) -> Self {
        let mut facts = Self {
            snapshot,
            node,
            objects: objects(snapshot),
            sides: Vec::new(),
            uses: HashMap::new(),
        };
        for policy in &snapshot.policies {
            if facts.selects_endpoint(&policy.selector) {
                let owner = (policy.kind.kind(), &policy.metadata);
                facts.add_sides(owner, |direction| policy.rules(direction));
            }
        }
        for profile in &snapshot.profiles {
            let owner = (Kind::Profile, &profile.metadata);
            facts.add_sides(owner, |direction| profile.rules(direction));
        }
        facts
    }

    fn add_sides(
        &mut self,
        (kind, owner): (Kind, &'s Metadata),
        rules: impl Fn(Direction) -> &'s [Rule],
    ) {
        for direction in DIRECTIONS {
            for (index, rule) in rules(direction).iter().enumerate() {
                for (name, entity) in [("source", &rule.source), ("destination", &rule.destination)]
                {
                    let side = Side {
                        kind,
                        owner,
                        path: format!("spec.{}[{index}].{name}", direction.name()),
                        rule,
                        entity,
                    };
                    self.add_use(&side);
                    self.sides.push(side);
                }
            }
        }
    }

    fn add_use(&mut self, side: &Side<'_>) {
        let Some((selector, field)) = effective(side.entity) else {
            return;
        };
        if self.uses.contains_key(selector.canonical()) {
            return;
        }
        let (mut has_objects, mut has_addresses) = (false, false);
        for object in self.objects.iter().filter(|it| it.is_selected(&selector)) {
            has_objects = true;
            has_addresses |= object.has_addresses;
        }
        let place = side.place(field);
        let used = Use {
            selector,
            place,
            has_objects,
            has_addresses,
        };
        self.uses.insert(used.selector.canonical().to_owned(), used);
    }

    /// Whether a selector selects any endpoint, of whatever host.
    pub(super) fn selects_endpoint(&self, selector: &Selector) -> bool {
        let mut endpoints = self.objects.iter().filter(|it| it.endpoint.is_some());
        endpoints.any(|object| object.is_selected(selector))
    }

    /// Whether an endpoint is one of this host.
    pub(super) fn is_local(&self, endpoint: &HostEndpoint) -> bool {
        *endpoint.node == *self.node
    }

    /// The endpoints of this host.
    pub(super) fn local(&self) -> impl Iterator<Item = (&Object<'s>, &'s HostEndpoint)> {
        let endpoints = self
            .objects
            .iter()
            .filter_map(|object| Some((object, object.endpoint?)));
        endpoints.filter(|(_, endpoint)| self.is_local(endpoint))
    }
}

/// The selector that the two of a side make together, and the field that it is mostly in.
pub(super) fn effective(side: &EntityRule) -> Option<(Selector, &'static str)> {
    match (&side.selector, &side.not_selector) {
        (Some(selector), Some(excluded)) => Some((selector.except(excluded), "selector")),
        (Some(selector), None) => Some(((**selector).clone(), "selector")),
        (None, Some(excluded)) => Some(((**excluded).clone(), "notSelector")),
        (None, None) => None,
    }
}

fn objects(snapshot: &Snapshot) -> Vec<Object<'_>> {
    let endpoints = snapshot.endpoints.iter().map(|endpoint| Object {
        labels: labels(endpoint, snapshot),
        has_addresses: !endpoint.expected_ips.is_empty(),
        endpoint: Some(endpoint),
    });
    let sets = snapshot.sets.iter().map(|set| Object {
        labels: match set.profile() {
            None => borrowed(&set.metadata.labels).collect(),
            Some(profile) => with_inherited(&set.metadata.labels, [&*profile], snapshot),
        },
        has_addresses: !set.nets.is_empty(),
        endpoint: None,
    });
    let workloads = snapshot.workloads.iter().map(|workload| Object {
        labels: {
            let profiles = workload.profiles.iter().map(|name| &**name);
            with_inherited(&workload.metadata.labels, profiles, snapshot)
        },
        has_addresses: !workload.nets.is_empty(),
        endpoint: None,
    });
    endpoints.chain(sets).chain(workloads).collect()
}

fn borrowed(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

/// An endpoint's own labels, and those that it inherits: the first profile that has a key wins
/// (SL-043).
pub(in crate::validate) fn labels<'s>(
    endpoint: &'s HostEndpoint,
    snapshot: &'s Snapshot,
) -> BTreeMap<&'s str, &'s str> {
    let profiles = endpoint.profiles.iter().map(|name| &**name);
    with_inherited(&endpoint.metadata.labels, profiles, snapshot)
}

fn with_inherited<'s, 'n>(
    own: &'s BTreeMap<String, String>,
    names: impl IntoIterator<Item = &'n str>,
    snapshot: &'s Snapshot,
) -> BTreeMap<&'s str, &'s str> {
    let mut labels: BTreeMap<&str, &str> = borrowed(own).collect();
    for name in names {
        let profiles = &snapshot.profiles;
        let found = profiles.binary_search_by(|profile| (*profile.metadata.name).cmp(name));
        if let Some(profile) = found.ok().and_then(|index| profiles.get(index)) {
            for (key, value) in borrowed(&profile.labels_to_apply) {
                labels.entry(key).or_insert(value);
            }
        }
    }
    labels
}

/// The place of a field of a resource.
pub(super) fn place(metadata: &Metadata, kind: Kind, field: &str) -> Place {
    Place {
        position: metadata.position.clone(),
        kind: kind.name().to_owned(),
        name: metadata.name.to_string(),
        field: field.to_owned(),
    }
}

/// A warning at a place.
pub(super) fn warning(place: &Place, code: Code, message: String, advice: &str) -> Problem {
    place.problem(Severity::Warning, code, message, advice)
}
