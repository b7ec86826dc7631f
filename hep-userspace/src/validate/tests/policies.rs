//! GlobalNetworkPolicy and StagedGlobalNetworkPolicy.

use super::*;
use crate::model::{PolicyKind, Stage, StagedAction};

/// RS-047, RS-048, RS-049, RS-124.
#[test]
fn tier_order_and_selector_have_defaults() {
    let loaded = accept(&policy(""));
    let policy_ = &loaded.policies[0];
    assert_eq!(&*policy_.tier, "default");
    assert_eq!(policy_.order, None);
    assert_eq!(policy_.selector.canonical(), "all()");
    assert_eq!(
        accept(&policy("selector: ''")).policies[0]
            .selector
            .canonical(),
        "all()"
    );
    assert_eq!(
        accept(&policy("order: -1.5, tier: ''")).policies[0].order,
        Some(-1.5)
    );
    let unknown = refuse(&policy("tier: defualt"), "E-TIER", "spec.tier");
    assert!(unknown.advice.contains("default?"), "{unknown}");
    accept(&(policy("tier: late") + &document("Tier", "late", "")));
    refuse(&policy("order: .inf"), "E-RANGE", "spec.order");
    refuse(&policy("selector: a = 'b'"), "E-SELECTOR", "spec.selector");
    refuse(
        &policy(&format!("selector: \"has({})\"", "a".repeat(1020))),
        "E-SELECTOR",
        "spec.selector",
    );
    let long = policy(&format!("selector: \"has(a){}\"", " && has(b)".repeat(200)));
    warn(&long, "W-SCHEMA", "spec.selector");
}

/// RS-050, RS-062, RS-067, RS-303.
#[test]
fn types_are_derived_from_the_rules_unless_written() {
    let r = "[{action: Allow}]";
    for (spec, ingress, egress) in [
        (String::new(), true, false),
        ("types: []".to_owned(), true, false),
        (format!("egress: {r}, types: []"), false, true),
        (format!("ingress: {r}"), true, false),
        (format!("egress: {r}"), false, true),
        (format!("ingress: {r}, egress: {r}"), true, true),
        ("types: [Egress]".to_owned(), false, true),
        ("types: [Egress, Ingress]".to_owned(), true, true),
    ] {
        let policy = &accept(&policy(&spec)).policies[0];
        assert_eq!(
            (policy.applies_ingress, policy.applies_egress),
            (ingress, egress),
            "{spec}"
        );
    }
    let twice = policy("types: [Ingress, Ingress]");
    let repeat = warn(&twice, "N-REPEATED", "spec.types[1]");
    assert_eq!(repeat.severity, Severity::Notice);
    let twice = &accept(&twice).policies[0];
    assert_eq!((twice.applies_ingress, twice.applies_egress), (true, false));
    refuse(&policy("types: [ingress]"), "E-ENUM", "spec.types[0]");
    warn(
        &policy(&format!("types: [Ingress], egress: {r}")),
        "W-INERT",
        "spec.egress",
    );
    warn(
        &policy(&format!("types: [Egress], ingress: {r}")),
        "W-INERT",
        "spec.ingress",
    );
}

/// RS-052, RS-053, RS-054, RS-058, RS-059, RS-060, RS-061, RS-068.
#[test]
fn flags_that_exclude_each_other_are_refused() {
    let stage = |spec: &str| accept(&policy(spec)).policies[0].stage;
    assert_eq!(
        stage(""),
        Stage::Normal {
            apply_on_forward: false
        }
    );
    assert_eq!(
        stage("applyOnForward: true"),
        Stage::Normal {
            apply_on_forward: true
        }
    );
    assert_eq!(
        stage("doNotTrack: true, applyOnForward: true, types: [Egress]"),
        Stage::Untracked
    );
    assert_eq!(stage("preDNAT: yes, applyOnForward: true"), Stage::PreDnat);
    for (spec, field) in [
        (
            "doNotTrack: true, preDNAT: true, applyOnForward: true",
            "preDNAT",
        ),
        (
            "preDNAT: true, applyOnForward: true, types: [Ingress, Egress]",
            "types",
        ),
        ("preDNAT: true", "preDNAT"),
        ("doNotTrack: true", "doNotTrack"),
    ] {
        refuse(&policy(spec), "E-POLICYFLAGS", &format!("spec.{field}"));
    }
    refuse(
        &policy("preDNAT: true, applyOnForward: true, types: [Ingress], egress: [{action: Deny}]"),
        "E-POLICYFLAGS",
        "spec.egress",
    );
    refuse(
        &policy("doNotTrack: 'true', applyOnForward: true"),
        "E-SYNTAX",
        "spec.doNotTrack",
    );
}

/// RS-055, RS-056, RS-071, SL-052: as Calico puts them together, so that a host, which has none of
/// these labels, is selected by what holds without them.
#[test]
fn namespace_selectors_of_a_policy_hold_for_hosts_or_not() {
    let selects = |spec: &str| {
        let selector = &accept(&policy(spec)).policies[0].selector;
        selector.matches_with(|key| (key == "role").then_some("web"))
    };
    for key in ["namespaceSelector", "serviceAccountSelector"] {
        for (selector, expected) in [
            ("all()", false),
            ("env == 'x'", false),
            ("has(x)", false),
            ("env in {'x', 'y'}", false),
            ("env contains 'x'", false),
            ("role == 'web'", false),
            ("env != 'x'", true),
            ("env not in {'x', 'y'}", true),
            ("!has(x)", true),
            ("role != 'web'", true),
            ("!(env contains 'x')", true),
            ("!all()", true),
            ("env != 'x' && has(y)", false),
            ("env != 'x' || has(y)", true),
            ("env != 'x' && all()", false),
        ] {
            let spec = format!("{key}: \"{selector}\"");
            assert_eq!(selects(&spec), expected, "{spec}");
            let own = format!("selector: role == 'web', {spec}");
            assert_eq!(selects(&own), expected, "{own}");
            assert!(
                !selects(&format!("selector: role == 'db', {spec}")),
                "{spec}"
            );
            // Calico replaces all() in what the policy has for itself, too.
            assert!(!selects(&format!("selector: all(), {spec}")), "{spec}");
            if !expected {
                let notice = warn(&policy(&spec), "N-NAMESPACE", &format!("spec.{key}"));
                assert_eq!(notice.severity, Severity::Notice);
            }
        }
        assert!(selects(&format!("{key}: ''")));
        refuse(
            &policy(&format!("{key}: 'a ='")),
            "E-SELECTOR",
            &format!("spec.{key}"),
        );
    }
}

/// RS-057, RS-063: the function, not a text that has its name in it.
#[test]
fn the_function_global_is_not_for_policies() {
    for key in ["selector", "namespaceSelector", "serviceAccountSelector"] {
        for text in ["global()", "has(a) && !global( )"] {
            refuse(
                &policy(&format!("{key}: '{text}'")),
                "E-SELECTOR",
                &format!("spec.{key}"),
            );
        }
        accept(&policy(&format!("{key}: \"a != 'global()'\"")));
    }
    accept(&policy("performanceHints: [AssumeNeededOnEveryNode]"));
    refuse(
        &policy("performanceHints: [Fast]"),
        "E-ENUM",
        "spec.performanceHints[0]",
    );
}

/// RS-110, RS-111, RS-112, RS-115, RS-305.
#[test]
fn staged_policies_are_checked_like_others_and_delete_only_names() {
    let staged = |spec: &str| document("StagedGlobalNetworkPolicy", "p", spec);
    assert_eq!(
        accept(&staged("")).policies[0].kind,
        PolicyKind::Staged(StagedAction::Set)
    );
    for (word, action) in [
        ("Learn", StagedAction::Learn),
        ("Ignore", StagedAction::Ignore),
        ("Delete", StagedAction::Delete),
    ] {
        let spec = format!("stagedAction: {word}, tier: default");
        assert_eq!(
            accept(&staged(&spec)).policies[0].kind,
            PolicyKind::Staged(action)
        );
    }
    refuse(&staged("stagedAction: Drop"), "E-ENUM", "spec.stagedAction");
    accept(&staged(
        "stagedAction: Delete, selector: '', ingress: [], doNotTrack: false, types: [Ingress]",
    ));
    assert_eq!(
        accept(&staged("stagedAction: ''")).policies[0].kind,
        PolicyKind::Staged(StagedAction::Set)
    );
    for (field, value) in [
        ("order", "1"),
        ("selector", "all()"),
        ("ingress", "[{action: Allow}]"),
        ("applyOnForward", "true"),
    ] {
        refuse(
            &staged(&format!("stagedAction: Delete, {field}: {value}")),
            "E-POLICYFLAGS",
            &format!("spec.{field}"),
        );
    }
    refuse(
        &policy("stagedAction: Set"),
        "E-SYNTAX",
        "spec.stagedAction",
    );
    assert_eq!(accept(&(policy("") + &staged(""))).policies.len(), 2);
}
