//! The labels of what selectors look at: its own and those inherited from its profiles.

use std::{collections::BTreeMap, sync::Arc};

use rustc_hash::FxHashMap;

use crate::model::{HostEndpoint, Profile, Snapshot};

/// Profiles by name.
pub(crate) type Profiles<'s> = FxHashMap<&'s str, &'s Profile>;

/// The profiles of a snapshot by name; none if only HostEndpoints inherit labels.
pub(crate) fn profiles(snapshot: &Snapshot) -> Profiles<'_> {
    let is_wanted =
        !snapshot.workloads.is_empty() || snapshot.sets.iter().any(|set| set.profile().is_some());
    let profiles = snapshot.profiles.iter().filter(|_| is_wanted);
    let named = profiles.map(|profile| (&*profile.metadata.name, &**profile));
    named.collect()
}

/// The labels of a workload or set of a namespace: its own, then those of its profiles (DS-315).
pub(crate) fn inherited<'n>(
    own: &BTreeMap<String, String>,
    names: impl Iterator<Item = &'n str>,
    profiles: &Profiles<'_>,
) -> BTreeMap<String, String> {
    let mut labels = own.clone();
    for profile in names.filter_map(|name| profiles.get(name)) {
        for (key, value) in &profile.labels_to_apply {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    labels
}

/// Own labels, then, for keys that it does not have itself, those of the first of its profiles, in
/// the order of `spec.profiles`, whose `labelsToApply` has the key (SL-042, SL-043).
pub(crate) fn effective_labels(
    endpoint: &HostEndpoint,
    profiles: &[Arc<Profile>],
) -> BTreeMap<String, String> {
    let mut labels = endpoint.metadata.labels.clone();
    for name in &endpoint.profiles {
        let Some(profile) = profiles
            .iter()
            .find(|profile| profile.metadata.name == *name)
        else {
            continue;
        };
        for (key, value) in &profile.labels_to_apply {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    labels
}
