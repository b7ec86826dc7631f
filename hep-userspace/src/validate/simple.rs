//! Profile, Tier and GlobalNetworkSet (RS-040 to RS-046, RS-117 to RS-131).

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;

use super::{
    Code,
    built_in::{BUILT_IN_TIERS, DEFAULT_TIER_ORDER},
    cursor::Value,
    header::Header,
    names,
    namespaced::NAMESPACE,
    object::Object,
    rule::rules,
    scalars::{masked_net, parse_net, set_net},
};
use crate::{
    model::{
        Action, DEFAULT_ALLOW_PROFILE, DefaultAction, GlobalNetworkSet, NetList, Nets, Profile,
        Rule, Tier,
    },
    source::{Piece, YamlNode},
};

const DEFAULT_ACTIONS: [(&str, DefaultAction); 2] =
    [("Deny", DefaultAction::Deny), ("Pass", DefaultAction::Pass)];

/// Decodes a Profile's `spec`.
pub(super) fn profile(header: Header<'_>, spec: Object<'_>) -> Option<Profile> {
    let ingress = spec.read_or("ingress", Vec::new(), rules);
    let egress = spec.read_or("egress", Vec::new(), rules);
    let labels_to_apply = spec.read_or("labelsToApply", BTreeMap::new(), names::labels);
    spec.finish();
    let profile = Profile {
        metadata: header.metadata,
        ingress: ingress?.into(),
        egress: egress?.into(),
        labels_to_apply: labels_to_apply?,
    };
    if &*profile.metadata.name == DEFAULT_ALLOW_PROFILE && !is_default_allow(&profile) {
        header.value.error::<()>(
            Code::Duplicate,
            "this profile is always there, allows everything both ways, and cannot be changed",
            "write ingress: [{action: Allow}] and egress: [{action: Allow}], as Calico exports it, or \
             list another profile in the HostEndpoints",
        );
    }
    Some(profile)
}

/// Whether this is just what the built-in profile does (RS-043).
fn is_default_allow(profile: &Profile) -> bool {
    let allows = |rules: &[Rule]| {
        let [rule] = rules else { return false };
        let everything = Rule {
            annotations: rule.annotations.clone(),
            position: rule.position.clone(),
            ..Rule::for_everything(Action::Allow)
        };
        *rule == everything
    };
    allows(&profile.ingress) && allows(&profile.egress) && profile.labels_to_apply.is_empty()
}

/// Decodes a Tier's `spec`.
pub(super) fn tier(header: Header<'_>, spec: Object<'_>) -> Option<Tier> {
    let built_in = BUILT_IN_TIERS
        .iter()
        .find(|(name, ..)| *name == &*header.metadata.name);
    let order = spec.read_or("order", DEFAULT_TIER_ORDER, Value::number);
    let default_action = spec.read_or("defaultAction", DefaultAction::Deny, |value| {
        value.choice(&DEFAULT_ACTIONS)
    });
    // What is left out has its default, which need not be what a built-in tier has.
    if let Some((name, fixed_order, fixed_action)) = built_in {
        let fixed = |key: &'static str, word: String| {
            let message = format!("is fixed for the built-in tier {name}");
            let advice = format!("write {key}: {word}");
            match spec.optional(key) {
                Some(value) => value.error::<()>(Code::Tier, message, advice),
                None => spec
                    .value
                    .error::<()>(Code::Tier, format!("{key} {message}"), advice),
            };
        };
        #[expect(clippy::float_cmp, reason = "both are written constants")]
        if order.is_some_and(|order| order != *fixed_order) {
            fixed("order", fixed_order.to_string());
        }
        if default_action.is_some_and(|action| action != *fixed_action) {
            let word = DEFAULT_ACTIONS
                .iter()
                .find(|(_, action)| action == fixed_action);
            fixed(
                "defaultAction",
                word.map_or("", |(word, _)| word).to_owned(),
            );
        }
    }
    spec.finish();
    Some(Tier {
        metadata: header.metadata,
        order: order?,
        default_action: default_action?,
    })
}

/// Decodes a GlobalNetworkSet's `spec`.
pub(super) fn network_set(header: Header<'_>, spec: Object<'_>) -> Option<GlobalNetworkSet> {
    if header.metadata.labels.contains_key(NAMESPACE.marker) {
        header.value.error::<()>(
            Code::Label,
            format!("label {} is reserved", NAMESPACE.marker),
            "write the label with another key; global sets have no namespace",
        );
    }
    set_nets(header, spec)
}

/// Decodes the `spec` of a set, of a namespace or not.
pub(super) fn set_nets(header: Header<'_>, spec: Object<'_>) -> Option<GlobalNetworkSet> {
    let name = &header.metadata.name;
    let nets = spec.read_or("nets", Nets::default(), |value| {
        changed_nets(value, name).or_else(|| nets(value))
    });
    spec.finish();
    // What remains of one that is not valid are its valid networks (DS-312).
    let nets = nets.or_else(|| header.value.is_of_remains().then(Nets::default));
    Some(GlobalNetworkSet {
        metadata: header.metadata,
        nets: nets?,
    })
}

/// The members of a set, each once (RS-131). There may be millions.
fn nets(value: &Value<'_>) -> Option<Nets> {
    let mut members = NetList::default();
    let mut index = 0;
    let take = |index: usize, node: &YamlNode<'_>| set_net(&value.item(index, node));
    for piece in value.pieces()? {
        match piece {
            Piece::Nodes(nodes) => {
                for node in nodes {
                    members.extend(take(index, node));
                    index += 1;
                }
            }
            Piece::Lines(lines) => {
                for (offset, text) in lines.items().enumerate() {
                    members.extend(parse_net(text).or_else(|| {
                        let node = lines.node(offset)?;
                        take(index + offset, &node)
                    }));
                }
                index += lines.count;
            }
        }
    }
    if let (repeats @ 1.., Some(first)) = members.repeats() {
        value.warn(
            Code::RepeatedMember,
            format!("{repeats} members are already in this set, such as {first}"),
            "remove the repeats",
        );
    }
    Some(members.into())
}

/// The members of a set in which only some lines have changed since the previous reading; `None` if it must
/// be read as a whole.
fn changed_nets(value: &Value<'_>, name: &str) -> Option<Nets> {
    let edit = value.pieces()?.find_map(|piece| match piece {
        Piece::Lines(lines) => lines.edit,
        Piece::Nodes(_) => None,
    })?;
    let mut former = value
        .former_sets()
        .iter()
        .filter(|set| &*set.metadata.name == name);
    let (Some(former), None) = (former.next(), former.next()) else {
        return None;
    };
    let former = &former.nets;
    let mut gone: Vec<IpNetwork> = edit.gone().map(masked_net).collect::<Option<_>>()?;
    let mut come: Vec<IpNetwork> = edit.come().map(masked_net).collect::<Option<_>>()?;
    gone.sort_unstable();
    come.sort_unstable();
    if gone.is_sorted_by(|a, b| a < b) && come.is_sorted_by(|a, b| a < b) {
        let stay = |other: &[IpNetwork], net: &IpNetwork| other.binary_search(net).is_err();
        let (all_gone, all_come) = (gone.clone(), come.clone());
        gone.retain(|net| stay(&all_come, net));
        come.retain(|net| stay(&all_gone, net));
    } else {
        return None;
    }
    let (gone, come) = (NetList::from_iter(gone), NetList::from_iter(come));
    let next = former.changed(&gone, &come);
    // Else a member stood, or stands, there twice.
    (next.len() + gone.len() == former.len() + come.len()).then_some(next)
}
