//! The labels of a HostEndpoint: its own and those inherited from its profiles.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{HostEndpoint, Profile};

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
