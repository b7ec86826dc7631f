//! References to resources must lead to exactly one; some resources always exist (RS-005, RS-043, RS-044,
//! RS-123, RS-124).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Scope, Severity,
    cursor::nearest,
    place::Place,
    problems::Problems,
    resources::{Collected, Reference},
    simple::BUILT_IN_TIERS,
};
use crate::model::{
    Action, DEFAULT_ALLOW_PROFILE, Metadata, Position, Profile, Rule, Snapshot, Tier,
};

/// Problems of a load beyond which no missing name is compared with those that are there.
const MAX_GUESSES: usize = 50;

/// Reports names that are given twice, and names that nothing has.
pub(super) fn check(collected: &Collected, scope: Scope, problems: &mut Problems) {
    let mut first: HashMap<(&str, &str), &Place> = HashMap::new();
    for (kind, name, place) in &collected.names {
        if let Some(other) = first.get(&(*kind, name.as_str())) {
            let message = format!("{kind} {name} is already defined in {}", other.position);
            problems.push(place.problem(
                Severity::Error,
                "E-DUP",
                message,
                "give one of the two another name",
            ));
        } else {
            first.insert((kind, name), place);
        }
    }
    let defined = |kind: &str| -> BTreeSet<&str> {
        let names = collected.names.iter();
        names
            .filter(|(other, ..)| *other == kind)
            .map(|(_, name, _)| name.as_str())
            .collect()
    };
    let mut tiers = defined("Tier");
    tiers.extend(BUILT_IN_TIERS.iter().map(|(name, ..)| *name));
    let mut profiles = defined("Profile");
    profiles.insert(DEFAULT_ALLOW_PROFILE);
    for (reference, name, place) in &*collected.references.borrow() {
        let (known, what, code) = match reference {
            Reference::Tier => (&tiers, "Tier", "E-TIER"),
            Reference::Profile => (&profiles, "Profile", "E-REF"),
        };
        if known.contains(name.as_str()) {
            continue;
        }
        let severity = match scope {
            Scope::Directory => Severity::Error,
            Scope::Files => Severity::Warning,
        };
        let known: Vec<&str> = known.iter().copied().collect();
        // Comparing thousands with thousands would take long.
        let near = (problems.found().len() < MAX_GUESSES).then(|| nearest(name, &known));
        let advice = match near.flatten() {
            Some(near) => format!("did you mean {near}?"),
            None => format!("add a {what} of that name"),
        };
        let mut problem =
            place.problem(severity, code, format!("there is no {what} {name}"), advice);
        problem.got = Some(name.clone());
        problems.push(problem);
    }
}

/// Adds the tiers and the profile that exist without being written.
pub(super) fn add_built_in(snapshot: &mut Snapshot) {
    let metadata = |name: &str| Metadata {
        name: Arc::from(name),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        position: Position::built_in(),
    };
    for (name, order, default_action) in BUILT_IN_TIERS {
        if snapshot
            .tiers
            .iter()
            .all(|tier| &*tier.metadata.name != name)
        {
            snapshot.tiers.push(Tier {
                metadata: metadata(name),
                order,
                default_action,
            });
        }
    }
    // Written ones are the same (RS-043).
    snapshot
        .profiles
        .retain(|profile| &*profile.metadata.name != DEFAULT_ALLOW_PROFILE);
    let allow = || Arc::from([Rule::for_everything(Action::Allow)]);
    snapshot.profiles.push(Profile {
        metadata: metadata(DEFAULT_ALLOW_PROFILE),
        ingress: allow(),
        egress: allow(),
        labels_to_apply: BTreeMap::new(),
    });
}
