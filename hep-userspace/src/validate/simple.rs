//! Profile, Tier and GlobalNetworkSet (RS-040 to RS-046, RS-117 to RS-131).

use std::collections::{BTreeMap, HashSet};

use ipnetwork::IpNetwork;

use super::{
    cursor::{Object, Value},
    names,
    resources::Header,
    rule::rules,
    scalars::set_net,
};
use crate::model::{
    DEFAULT_ALLOW_PROFILE, DEFAULT_TIER, DefaultAction, GlobalNetworkSet, Profile, Tier,
};

/// Order of a tier whose file gives none (RS-117).
const DEFAULT_TIER_ORDER: f64 = 1_000_000.0;
/// Label that network sets must not have (RS-127).
const NAMESPACE_LABEL: &str = "projectcalico.org/namespace";

/// The tiers that always exist (RS-120 to RS-122).
pub(super) const BUILT_IN_TIERS: [(&str, f64, DefaultAction); 3] = [
    (DEFAULT_TIER, DEFAULT_TIER_ORDER, DefaultAction::Deny),
    ("kube-admin", 1_000.0, DefaultAction::Pass),
    ("kube-baseline", 10_000_000.0, DefaultAction::Pass),
];

const DEFAULT_ACTIONS: [(&str, DefaultAction); 2] =
    [("Deny", DefaultAction::Deny), ("Pass", DefaultAction::Pass)];

/// Decodes a Profile's `spec`.
pub(super) fn profile(header: Header<'_>, spec: Object<'_>) -> Option<Profile> {
    if &*header.metadata.name == DEFAULT_ALLOW_PROFILE {
        header.value.error::<()>(
            "E-DUP",
            "this profile is built in and cannot be changed",
            "choose another name",
        );
    }
    let ingress = spec.read_or("ingress", Vec::new(), rules);
    let egress = spec.read_or("egress", Vec::new(), rules);
    let labels_to_apply = spec.read_or("labelsToApply", BTreeMap::new(), names::labels);
    spec.finish();
    Some(Profile {
        metadata: header.metadata,
        ingress: ingress?,
        egress: egress?,
        labels_to_apply: labels_to_apply?,
    })
}

/// Decodes a Tier's `spec`.
pub(super) fn tier(header: Header<'_>, spec: Object<'_>) -> Option<Tier> {
    let built_in = BUILT_IN_TIERS
        .iter()
        .find(|(name, ..)| *name == &*header.metadata.name);
    let (default_order, default_default) = built_in.map_or(
        (DEFAULT_TIER_ORDER, DefaultAction::Deny),
        |(_, order, action)| (*order, *action),
    );
    let fixed = |value: &Value<'_>, word: String| {
        let message = format!("is fixed for the built-in tier {}", header.metadata.name);
        value.error::<()>("E-TIER", message, format!("write {word}, or leave it out"));
    };
    let order = spec.read_or("order", default_order, |value| {
        let order = value.number()?;
        #[expect(clippy::float_cmp, reason = "both are written constants")]
        if built_in.is_some() && order != default_order {
            fixed(value, default_order.to_string());
        }
        Some(order)
    });
    let default_action = spec.read_or("defaultAction", default_default, |value| {
        let action = value.choice(&DEFAULT_ACTIONS)?;
        if built_in.is_some() && action != default_default {
            let word = DEFAULT_ACTIONS
                .iter()
                .find(|(_, action)| *action == default_default);
            fixed(value, word.map_or("it", |(word, _)| word).to_owned());
        }
        Some(action)
    });
    spec.finish();
    Some(Tier {
        metadata: header.metadata,
        order: order?,
        default_action: default_action?,
    })
}

/// Decodes a GlobalNetworkSet's `spec`.
pub(super) fn network_set(header: Header<'_>, spec: Object<'_>) -> Option<GlobalNetworkSet> {
    if header.metadata.labels.contains_key(NAMESPACE_LABEL) {
        header.value.error::<()>(
            "E-LABEL",
            format!("label {NAMESPACE_LABEL} is reserved"),
            "remove it; global sets have no namespace",
        );
    }
    let nets = spec.read_or("nets", Vec::new(), nets);
    spec.finish();
    Some(GlobalNetworkSet {
        metadata: header.metadata,
        nets: nets?,
    })
}

/// The members of a set, each once (RS-131). There may be millions.
fn nets(value: &Value<'_>) -> Option<Vec<IpNetwork>> {
    let items = value.items()?;
    let mut nets = Vec::with_capacity(items.len());
    for item in items {
        nets.extend(set_net(&item));
    }
    let mut sorted = nets.clone();
    sorted.sort_unstable();
    let repeats = sorted.windows(2).filter(|pair| pair[0] == pair[1]).count();
    if repeats > 0 {
        let first = sorted
            .windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| pair[0]);
        let first = first.map_or_else(String::new, |net| net.to_string());
        value.warn(
            "W-REPEATED",
            format!("{repeats} members stand in this set already, such as {first}"),
            "remove the repeats",
        );
        let mut seen = HashSet::with_capacity(nets.len());
        nets.retain(|net| seen.insert(*net));
    }
    Some(nets)
}
