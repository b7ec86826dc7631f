//! RS-312: a policy that selects nothing of this host refuses no load, whatever its conditions.

use super::*;
use crate::model::Action;

/// Conditions that a host cannot judge.
const CONDITIONS: [&str; 4] = [
    "http: {methods: [GET]}",
    "source: {serviceAccounts: {names: [s]}}",
    "destination: {serviceAccounts: {selector: has(x)}}",
    "source: {services: {name: s, namespace: ns}}",
];

fn labelled(node: &str, role: &str) -> String {
    endpoint(&format!("node: {node}, interfaceName: eth0")).replace(
        "name: e",
        &format!("name: {node}, labels: {{role: {role}}}"),
    )
}

/// RS-312, RS-104, RS-105, RS-108: (endpoints, the policy's selector, whether it is about this host).
#[test]
fn conditions_are_refused_only_where_they_would_be_judged() {
    let profile = document("Profile", "p", "labelsToApply: {zone: a}");
    let heir = endpoint("node: node1, interfaceName: eth1, profiles: [p]") + &profile;
    for condition in CONDITIONS {
        for (endpoints, selector, is_here) in [
            (labelled("node1", "web"), "role == 'web'", true),
            (labelled("node1", "web"), "role == 'db'", false),
            (labelled("node1", "web"), "all()", true),
            (labelled("node2", "web"), "role == 'web'", false),
            (labelled("node2", "web"), "all()", false),
            (
                labelled("node1", "web") + &labelled("node2", "db"),
                "role == 'db'",
                false,
            ),
            (heir.clone(), "zone == 'a'", true),
            (heir.clone(), "zone == 'b'", false),
            (String::new(), "all()", false),
        ] {
            for kind in ["GlobalNetworkPolicy", "StagedGlobalNetworkPolicy"] {
                let spec =
                    format!("selector: \"{selector}\", ingress: [{{action: Allow, {condition}}}]");
                let loaded = load_one(
                    &(endpoints.clone() + &document(kind, "p", &spec)),
                    Scope::Directory,
                );
                let about = |problem: &&Problem| problem.code.name().ends_with("-UNSUPPORTED");
                let told: Vec<_> = loaded.problems.iter().filter(about).collect();
                let [told] = told.as_slice() else {
                    panic!("{endpoints}{spec}: {:#?}", loaded.problems);
                };
                let severity = if is_here {
                    Severity::Error
                } else {
                    Severity::Notice
                };
                assert_eq!(told.severity, severity, "{endpoints}{spec}");
                assert_eq!(loaded.snapshot.is_some(), !is_here, "{endpoints}{spec}");
            }
        }
    }
}

/// RS-312: by a namespace, too; and what is wrong in any place stays wrong.
#[test]
fn only_conditions_are_excused() {
    let web = labelled("node1", "web");
    let about = |namespace: &str| {
        policy(&format!(
            "namespaceSelector: \"{namespace}\", ingress: [{{action: Deny, http: {{methods: [GET]}}}}]"
        ))
    };
    accept(&(web.clone() + &about("env == 'prod'")));
    refuse(
        &(web.clone() + &about("env != 'prod'")),
        "E-UNSUPPORTED",
        "spec.ingress[0].http",
    );
    let wrong =
        policy("selector: role == 'db', ingress: [{action: allow, http: {methods: [GET]}}]");
    let loaded = load_one(&(web.clone() + &wrong), Scope::Directory);
    assert!(loaded.snapshot.is_none());
    assert!(
        loaded.problems.iter().any(|it| it.code.name() == "E-ENUM"),
        "{:#?}",
        loaded.problems
    );
    let profile = document(
        "Profile",
        "q",
        "ingress: [{action: Allow, http: {methods: [GET]}}]",
    );
    refuse(
        &(web.clone() + &profile),
        "E-UNSUPPORTED",
        "spec.ingress[0].http",
    );
    // A file by itself does not know what it selects.
    let alone = load_one(
        &policy("selector: role == 'db', ingress: [{action: Deny, http: {}}]"),
        Scope::Files,
    );
    assert!(alone.snapshot.is_none());
}

/// RS-312: should it be enforced after all, at an endpoint that the daemon makes, then never
/// wider than it is written.
#[test]
fn a_rule_with_a_condition_that_is_not_judged_never_widens() {
    for condition in CONDITIONS {
        let actions = ["Allow", "Pass", "Deny", "Log"];
        let rules: Vec<String> = actions
            .iter()
            .flat_map(|action| {
                [
                    format!("{{action: {action}, {condition}}}"),
                    format!("{{action: {action}}}"),
                ]
            })
            .collect();
        let snapshot = accept(&policy(&format!("egress: [{}]", rules.join(", "))));
        let left: Vec<Action> = snapshot.policies[0]
            .egress
            .iter()
            .map(|rule| rule.action)
            .collect();
        let expected = [
            Action::Allow,
            Action::Pass,
            Action::Deny,
            Action::Deny,
            Action::Log,
            Action::Log,
        ];
        assert_eq!(left, expected, "{condition}");
    }
}
