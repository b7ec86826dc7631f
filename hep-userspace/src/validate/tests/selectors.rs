//! Selectors of rules and policies.

use super::*;

/// RS-095, RS-101, RS-102, RS-103: (expression, hosts and global sets, things of a namespace whose
/// label x is z).
#[test]
fn selectors_of_a_rule_and_its_namespaces() {
    let source = |side: &str| {
        let text = rule(&format!("action: Allow, source: {{{side}}}"));
        accept(&text).policies[0].ingress[0].source.selector.clone()
    };
    let inside = |key: &str| match key {
        "projectcalico.org/namespace" => Some("prod"),
        "pcns.x" => Some("z"),
        _ => None,
    };
    for (text, host, member) in [
        ("global()", true, false),
        (" global( ) ", true, false),
        ("all()", false, true),
        ("all() && x != 'y'", false, true),
        ("x == 'y'", false, false),
        ("x == 'z'", false, true),
        ("x != 'y'", true, true),
        ("x != 'z'", true, false),
        ("!has(x)", true, false),
        ("x not in {'y'}", true, true),
    ] {
        let selector = source(&format!("namespaceSelector: \"{text}\"")).expect("a selector");
        assert_eq!(selector.matches_unlabelled(), host, "{text}");
        assert_eq!(selector.matches_with(inside), member, "{text}");
        let both = source(&format!("selector: has(y), namespaceSelector: \"{text}\""));
        let both = both.expect("a selector");
        assert!(!both.matches_unlabelled(), "{text}");
        assert_eq!(
            both.matches_with(|key| (key == "y").then_some("")),
            host,
            "{text}"
        );
    }
    assert_eq!(source("namespaceSelector: ''"), None);
    for text in ["global() && has(x)", "global() || has(x)", "!global()"] {
        refuse(
            &rule(&format!(
                "action: Allow, source: {{namespaceSelector: '{text}'}}"
            )),
            "E-SELECTOR",
            "spec.ingress[0].source.namespaceSelector",
        );
    }
    for key in ["selector", "notSelector"] {
        for text in ["global()", "has(a) && global()", "a =", "has("] {
            refuse(
                &rule(&format!("action: Allow, destination: {{{key}: '{text}'}}")),
                "E-SELECTOR",
                &format!("spec.ingress[0].destination.{key}"),
            );
        }
    }
    let empty = accept(&rule(
        "action: Allow, source: {selector: '', notSelector: ''}",
    ));
    assert_eq!(empty.policies[0].ingress[0].source.selector, None);
}

#[test]
fn advice_for_common_mistakes_in_selectors() {
    for (text, part) in [
        ("selector: \"has(a)\\n\"", ">-"),
        ("selector: \"has(a) and has(b)\"", "&& for and"),
        ("selector: \"a in ['b']\"", "role == 'web'"),
    ] {
        let error = refuse(&policy(text), "E-SELECTOR", "spec.selector");
        assert!(error.advice.contains(part), "{error}");
    }
}
