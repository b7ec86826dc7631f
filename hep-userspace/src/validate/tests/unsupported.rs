//! Conditions that a host cannot judge.

use super::*;

/// RS-104, RS-105, RS-108, RS-064, RS-065, RS-066.
#[test]
fn conditions_that_a_host_cannot_judge_are_refused() {
    let at = |field: &str| format!("spec.ingress[0].{field}");
    let rule = |fields: &str| here(&rule(fields));
    refuse(
        &rule("action: Allow, http: {methods: [GET], paths: [{exact: /x}]}"),
        "E-UNSUPPORTED",
        &at("http"),
    );
    refuse(
        &rule("action: Allow, source: {services: {name: s, namespace: ns}}"),
        "E-UNSUPPORTED",
        &at("source.services"),
    );
    refuse(
        &rule("action: Allow, source: {serviceAccounts: {names: [s]}}"),
        "E-UNSUPPORTED",
        &at("source.serviceAccounts"),
    );
    let http = load_one(
        &rule(
            "action: Allow, http: {methods: [GET, GET], paths: [{exact: x}, {exact: /a, prefix: /b}, {prefix: '/a?b'}]}",
        ),
        Scope::Directory,
    );
    assert_eq!(http.problems.len(), 5, "{:#?}", http.problems);
    let service = load_one(
        &rule("action: Allow, source: {services: {name: s}}"),
        Scope::Directory,
    );
    assert_eq!(service.problems.len(), 2, "{:#?}", service.problems);
}

/// RS-079, RS-080, RS-092, RS-093, RS-098, RS-099, RS-100.
#[test]
fn rules_with_unsupported_conditions_are_refused_however_they_are_written() {
    for (fields, field) in [
        ("action: Deny, http: {methods: [GET]}", "http"),
        (
            "action: Allow, protocol: UDP, http: {methods: [GET]}",
            "http",
        ),
        (
            "action: Allow, protocol: TCP, destination: {services: {name: s, namespace: ns}, ports: [80]}",
            "destination.services",
        ),
        (
            "action: Allow, source: {services: {namespace: ns}}",
            "source.services.name",
        ),
        (
            "action: Allow, source: {services: {name: S_, namespace: ns}}",
            "source.services.name",
        ),
        (
            "action: Allow, source: {services: {name: s, namespace: ns}, selector: has(a)}",
            "source.services",
        ),
        (
            "action: Allow, source: {serviceAccounts: {selector: 'a ='}}",
            "source.serviceAccounts",
        ),
    ] {
        let loaded = load_one(&here(&rule(fields)), Scope::Directory);
        assert!(loaded.snapshot.is_none(), "{fields} was accepted");
        let wanted = format!("spec.ingress[0].{field}");
        assert!(
            loaded
                .problems
                .iter()
                .any(|problem| problem.field == wanted),
            "{fields}: {:#?}",
            loaded.problems
        );
    }
    let annotated = accept(&rule(
        "action: Allow, metadata: {annotations: {why: because}}",
    ));
    assert_eq!(
        annotated.policies[0].ingress[0].annotations.get("why"),
        Some(&"because".to_owned())
    );
}
