//! References of a store's objects to what is not there, or not yet: objects come in any order (DS-054,
//! DS-313).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::model::{
    Action, DefaultAction, Kind, Metadata, Position, Profile, ResourceId, Rule, Snapshot, Tier,
};

/// Message about a name that nothing has.
pub(super) fn message(id: &ResourceId) -> String {
    let until = if id.kind == Kind::Tier {
        "until it comes, it is behind every other tier and ends in Deny"
    } else {
        "until it comes, it denies in its place"
    };
    format!("there is no {id} yet; {until}")
}

/// Stand-ins for what is missing: they are the same from load to load.
#[derive(Default)]
pub(super) struct Pending {
    tiers: HashMap<Arc<str>, Arc<Tier>>,
    profiles: HashMap<Arc<str>, Arc<Profile>>,
}

impl Pending {
    /// Adds a stand-in for each name of `missing` to a snapshot whose lists are in order: a tier behind all
    /// valid ones that ends in Deny (EV-026, RS-124), a profile that denies (RS-044).
    pub(super) fn add<'i>(
        &mut self,
        snapshot: &mut Snapshot,
        missing: impl Iterator<Item = &'i ResourceId>,
    ) {
        let former = std::mem::take(self);
        for id in missing {
            let name = &id.name;
            if id.kind == Kind::Tier {
                let known = former.tiers.get(name).cloned();
                let tier = known.unwrap_or_else(|| Arc::new(tier(name)));
                let place = (snapshot.tiers).partition_point(|other| other.metadata.name < *name);
                snapshot.tiers.insert(place, Arc::clone(&tier));
                self.tiers.insert(Arc::clone(name), tier);
            } else {
                let known = former.profiles.get(name).cloned();
                let profile = known.unwrap_or_else(|| Arc::new(profile(name)));
                let profiles = &mut snapshot.profiles;
                let place = profiles.partition_point(|other| other.metadata.name < *name);
                profiles.insert(place, Arc::clone(&profile));
                self.profiles.insert(Arc::clone(name), profile);
            }
        }
    }
}

fn metadata(name: &Arc<str>) -> Metadata {
    Metadata {
        name: Arc::clone(name),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        position: Position::built_in(),
    }
}

fn tier(name: &Arc<str>) -> Tier {
    Tier {
        metadata: metadata(name),
        order: f64::INFINITY,
        default_action: DefaultAction::Deny,
    }
}

fn profile(name: &Arc<str>) -> Profile {
    let deny = || Arc::from([Rule::for_everything(Action::Deny)]);
    Profile {
        metadata: metadata(name),
        ingress: deny(),
        egress: deny(),
        labels_to_apply: BTreeMap::new(),
    }
}
