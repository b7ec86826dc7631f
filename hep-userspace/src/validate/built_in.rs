//! Resources that always exist: tiers and a profile (RS-043, RS-120 to RS-122, RS-124).

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{
    Action, DEFAULT_ALLOW_PROFILE, DEFAULT_TIER, DefaultAction, Kind, Metadata, Position, Profile,
    ResourceId, Rule, Snapshot, Tier,
};

/// Order of a tier whose file gives none (RS-117).
pub(super) const DEFAULT_TIER_ORDER: f64 = 1_000_000.0;

/// The tiers that always exist (RS-120 to RS-122).
pub(super) const BUILT_IN_TIERS: [(&str, f64, DefaultAction); 3] = [
    (DEFAULT_TIER, DEFAULT_TIER_ORDER, DefaultAction::Deny),
    ("kube-admin", 1_000.0, DefaultAction::Pass),
    ("kube-baseline", 10_000_000.0, DefaultAction::Pass),
];

/// Names of built-in resources of a kind.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    let tiers = BUILT_IN_TIERS.iter().map(|(name, ..)| *name);
    tiers
        .filter(move |_| kind == Kind::Tier)
        .chain((kind == Kind::Profile).then_some(DEFAULT_ALLOW_PROFILE))
}

/// Whether a resource exists without being written.
pub(super) fn is_built_in(id: &ResourceId) -> bool {
    names(id.kind).any(|name| *id.name == *name)
}

/// The built-in resources: made once, so that they are the same from load to load.
pub(super) struct BuiltIn {
    tiers: [Arc<Tier>; 3],
    allow: Arc<Profile>,
}

impl Default for BuiltIn {
    fn default() -> Self {
        let metadata = |name: &str| Metadata {
            name: Arc::from(name),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            position: Position::built_in(),
        };
        let allow = || Arc::from([Rule::for_everything(Action::Allow)]);
        Self {
            tiers: BUILT_IN_TIERS.map(|(name, order, default_action)| {
                Arc::new(Tier {
                    metadata: metadata(name),
                    order,
                    default_action,
                })
            }),
            allow: Arc::new(Profile {
                metadata: metadata(DEFAULT_ALLOW_PROFILE),
                ingress: allow(),
                egress: allow(),
                labels_to_apply: BTreeMap::new(),
            }),
        }
    }
}

impl BuiltIn {
    /// Adds them to a snapshot whose lists are in order.
    pub(super) fn add(&self, snapshot: &mut Snapshot) {
        for tier in &self.tiers {
            let name = &tier.metadata.name;
            let place = (snapshot.tiers).binary_search_by(|other| other.metadata.name.cmp(name));
            if let Err(place) = place {
                snapshot.tiers.insert(place, Arc::clone(tier));
            }
        }
        // Written ones are the same (RS-043).
        let profiles = &mut snapshot.profiles;
        let name = &self.allow.metadata.name;
        let first = profiles.partition_point(|other| other.metadata.name < *name);
        let behind = profiles.partition_point(|other| other.metadata.name <= *name);
        profiles.splice(first..behind, [Arc::clone(&self.allow)]);
    }
}
