//! GlobalNetworkPolicy and StagedGlobalNetworkPolicy (RS-047 to RS-072, RS-110 to RS-116).

use std::sync::Arc;

use super::{
    Code, cursor::Value, header::Header, names::NameRule, namespaced::policy_selector,
    object::Object, rule::rules, scalars::selector,
};
use crate::{
    model::{DEFAULT_TIER, Kind, Policy, PolicyKind, ResourceId, Stage, StagedAction},
    selector::Selector,
};

const STAGED_ACTIONS: [(&str, StagedAction); 4] = [
    ("Set", StagedAction::Set),
    ("Delete", StagedAction::Delete),
    ("Learn", StagedAction::Learn),
    ("Ignore", StagedAction::Ignore),
];

/// Fields of `spec` that the deletion of a policy must not have (RS-112, RS-305).
const FIELDS: [&str; 10] = [
    "order",
    "selector",
    "ingress",
    "egress",
    "doNotTrack",
    "preDNAT",
    "applyOnForward",
    "namespaceSelector",
    "serviceAccountSelector",
    "performanceHints",
];

/// The directions that `types` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Ingress,
    Egress,
}

/// Decodes a policy's `spec`.
pub(super) fn enforced(header: Header<'_>, spec: Object<'_>) -> Option<Policy> {
    decode(header, spec, Some(PolicyKind::Enforced))
}

/// Decodes a staged policy's `spec`.
pub(super) fn staged(header: Header<'_>, spec: Object<'_>) -> Option<Policy> {
    let action = spec.read_or("stagedAction", StagedAction::Set, |value| {
        match value.text()? {
            "" => Some(StagedAction::Set),
            _ => value.choice(&STAGED_ACTIONS),
        }
    });
    if action == Some(StagedAction::Delete) {
        if header.value.is_stored() {
            return None; // DS-243
        }
        check_delete(&spec);
    }
    decode(header, spec, action.map(PolicyKind::Staged))
}

/// The name of the tier.
fn tier<'n>(header: &Header<'_>, spec: &Object<'n>) -> Option<&'n str> {
    spec.read_or("tier", DEFAULT_TIER, |value| match value.text()? {
        "" => Some(DEFAULT_TIER),
        _ => {
            let name = NameRule::Subdomain.read(value)?;
            header.refer(ResourceId::global(Kind::Tier, name), value);
            Some(name)
        }
    })
}

/// The selector, with those of namespaces and service accounts.
fn whole_selector(spec: &Object<'_>) -> Option<Arc<Selector>> {
    let own = spec.read("selector", own_selector).map(Option::flatten);
    let selector = policy_selector(own.clone().flatten(), spec);
    own.and(selector)
}

/// Decodes everything that both kinds have.
fn decode(header: Header<'_>, spec: Object<'_>, kind: Option<PolicyKind>) -> Option<Policy> {
    if header.value.is_of_remains() {
        return remains(header, &spec, kind);
    }
    let tier = tier(&header, &spec);
    let order = spec.read("order", Value::number);
    let selector = whole_selector(&spec);
    let ingress = spec.read_or("ingress", Vec::new(), rules);
    let egress = spec.read_or("egress", Vec::new(), rules);
    // An empty list says no more than none.
    let types = spec
        .read("types", types)
        .map(|types| types.filter(|types| !types.is_empty()));
    let stage = stage(&spec, types.as_ref().and_then(Option::as_ref));
    spec.read("performanceHints", |value| {
        for (item, _) in value.distinct_texts(usize::MAX)? {
            item.choice(&[("AssumeNeededOnEveryNode", ())]);
        }
        Some(())
    });
    let (applies_ingress, applies_egress) = match &types {
        Some(Some(types)) => {
            warn_inert(&spec, types);
            (
                types.contains(&Type::Ingress),
                types.contains(&Type::Egress),
            )
        }
        Some(None) | None => derived_types(|key| has_rules(&spec, key)),
    };
    spec.finish();
    types?;
    Some(Policy {
        kind: kind?,
        metadata: header.metadata,
        tier: Arc::from(tier?),
        order: order?,
        selector: selector?,
        applies_ingress,
        applies_egress,
        ingress: ingress?.into(),
        egress: egress?.into(),
        stage: stage?,
    })
}

/// Whether a policy without `types` applies to ingress, and to egress (RS-050, DS-094).
fn derived_types(has_rules: impl Fn(&'static str) -> bool) -> (bool, bool) {
    let has_egress = has_rules("egress");
    (has_rules("ingress") || !has_egress, has_egress)
}

/// The remains of a policy that is not valid and never was (DS-312): one without rules, so that its tier
/// applies and ends in its default action, if its selector, tier and types can be read. Flags that cannot be
/// read, or exclude each other, make it one of both the normal and the forward list.
fn remains(header: Header<'_>, spec: &Object<'_>, kind: Option<PolicyKind>) -> Option<Policy> {
    let tier = tier(&header, spec)?;
    let value = header.value;
    let types = value.without_error(|| spec.read("types", types))?;
    let types = types.filter(|types| !types.is_empty());
    let may_have_rules = |key| {
        spec.optional(key)
            .is_some_and(|value| value.len() != Some(0))
    };
    let (applies_ingress, applies_egress) = match &types {
        Some(types) => (
            types.contains(&Type::Ingress),
            types.contains(&Type::Egress),
        ),
        None => derived_types(may_have_rules),
    };
    let stage = value.without_error(|| stage(spec, types.as_ref()));
    Some(Policy {
        kind: kind?,
        metadata: header.metadata,
        tier: Arc::from(tier),
        order: spec.read("order", Value::number).flatten(),
        selector: whole_selector(spec)?,
        applies_ingress,
        applies_egress,
        ingress: Arc::default(),
        egress: Arc::default(),
        stage: stage.unwrap_or(Stage::Normal {
            apply_on_forward: true,
        }),
    })
}

/// A policy's own selector; `Some(None)` if it is absent or empty, `None` if it has a problem.
fn own_selector(value: &Value<'_>) -> Option<Option<Arc<Selector>>> {
    match value.text()? {
        "" => Some(None),
        _ => selector(value).map(Some),
    }
}

/// RS-050, RS-303.
fn types(value: &Value<'_>) -> Option<Vec<Type>> {
    let mut types = Vec::new();
    for item in value.items()? {
        let Some(kind) = item.choice(&[("Ingress", Type::Ingress), ("Egress", Type::Egress)])
        else {
            continue;
        };
        if types.contains(&kind) {
            item.notice_repeat();
        } else {
            types.push(kind);
        }
    }
    Some(types)
}

fn has_rules(spec: &Object<'_>, key: &'static str) -> bool {
    spec.optional(key)
        .is_some_and(|value| value.len().is_some_and(|count| count > 0))
}

/// RS-067.
fn warn_inert(spec: &Object<'_>, types: &[Type]) {
    for (key, kind, word) in [
        ("ingress", Type::Ingress, "Ingress"),
        ("egress", Type::Egress, "Egress"),
    ] {
        if has_rules(spec, key)
            && !types.contains(&kind)
            && let Some(value) = spec.optional(key)
        {
            value.warn(
                Code::Inert,
                format!("these rules have no effect, since types lacks {word}"),
                format!("add {word} to types, or remove the rules"),
            );
        }
    }
}

/// The flags and what they exclude (RS-058 to RS-061).
fn stage(spec: &Object<'_>, types: Option<&Vec<Type>>) -> Option<Stage> {
    let flag = |key| spec.read_or(key, false, Value::boolean);
    let flags = (flag("doNotTrack"), flag("preDNAT"), flag("applyOnForward"));
    let (untracked, pre_dnat, on_forward) = (flags.0?, flags.1?, flags.2?);
    let refuse = |key, message: &str, advice: &str| {
        if let Some(value) = spec.optional(key) {
            value.error::<()>(Code::PolicyFlags, message, advice);
        }
    };
    if untracked && pre_dnat {
        refuse(
            "preDNAT",
            "cannot be combined with doNotTrack",
            "set one of the two to false",
        );
    }
    if pre_dnat && has_rules(spec, "egress") {
        refuse(
            "egress",
            "a preDNAT policy has no egress rules",
            "move them to a policy without preDNAT",
        );
    }
    if pre_dnat && types.is_some_and(|types| types.contains(&Type::Egress)) {
        refuse(
            "types",
            "a preDNAT policy has no Egress type",
            "write types: [Ingress]",
        );
    }
    if (untracked || pre_dnat) && !on_forward {
        let key = if untracked { "doNotTrack" } else { "preDNAT" };
        refuse(
            key,
            "needs applyOnForward: true",
            "add applyOnForward: true",
        );
    }
    Some(match (untracked, pre_dnat) {
        (true, _) => Stage::Untracked,
        (false, true) => Stage::PreDnat,
        (false, false) => Stage::Normal {
            apply_on_forward: on_forward,
        },
    })
}

/// RS-112.
fn check_delete(spec: &Object<'_>) {
    for key in FIELDS {
        let Some(value) = spec.optional(key) else {
            continue;
        };
        let is_zero = match value.scalar() {
            Some(scalar) => scalar.text.is_empty() || scalar.as_bool() == Some(false),
            None => value.len() == Some(0),
        };
        if !is_zero {
            value.error::<()>(
                Code::PolicyFlags,
                "a staged policy with stagedAction: Delete only names the policy to delete",
                "keep only tier, types and stagedAction in spec",
            );
        }
    }
}
