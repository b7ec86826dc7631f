//! Profiles, and endpoints that name them.

use super::*;

/// RS-032, RS-043, RS-044.
#[test]
fn profiles_that_endpoints_name_must_exist() {
    let with = |profiles: &str| {
        endpoint(&format!(
            "node: n1, interfaceName: eth0, profiles: {profiles}"
        ))
    };
    let snapshot = accept(
        &(with("[b, a, projectcalico-default-allow]")
            + &document("Profile", "a", "")
            + &document("Profile", "b", "")),
    );
    let names: Vec<&str> = snapshot.endpoints[0]
        .profiles
        .iter()
        .map(|name| &**name)
        .collect();
    assert_eq!(names, ["b", "a", "projectcalico-default-allow"]);
    let missing = refuse(
        &(with("[webb]") + &document("Profile", "web", "")),
        "E-REF",
        "spec.profiles[0]",
    );
    assert!(missing.advice.contains("web?"), "{missing}");
    let twice = with("[a, b, a]") + &document("Profile", "a", "") + &document("Profile", "b", "");
    warn(&twice, "N-REPEATED", "spec.profiles[2]");
    assert_eq!(accept(&twice).endpoints[0].profiles.len(), 2);
    let alone = load_one(&with("[elsewhere]"), Scope::Files);
    assert!(alone.snapshot.is_some());
    assert_eq!(alone.problems[0].severity, Severity::Warning);
}

/// RS-043: as Calico exports it, and in no other form.
#[test]
fn the_built_in_profile_may_be_written_as_it_is() {
    let written = |spec: &str| document("Profile", "projectcalico-default-allow", spec);
    for rule in [
        "{action: Allow}",
        "{action: Allow, source: {}, destination: {}}",
    ] {
        let text = written(&format!("ingress: [{rule}], egress: [{rule}]"));
        let snapshot = accept(&text);
        assert_eq!(snapshot.profiles.len(), 1, "{text}");
        accept(&text.replace("{name:", "{uid: x, resourceVersion: '1', name:"));
    }
    for spec in [
        "",
        "ingress: [{action: Allow}]",
        "ingress: [{action: Deny}], egress: [{action: Allow}]",
        "ingress: [{action: Allow, protocol: TCP}], egress: [{action: Allow}]",
        "ingress: [{action: Allow}, {action: Allow}], egress: [{action: Allow}]",
        "ingress: [{action: Allow}], egress: [{action: Allow}], labelsToApply: {a: b}",
    ] {
        let error = refuse(&written(spec), "E-DUP", "metadata");
        assert!(error.message.contains("always there"), "{error}");
    }
}

/// RS-040, RS-041, RS-042, RS-302.
#[test]
fn profiles_have_rules_and_labels() {
    let snapshot = accept(&document(
        "Profile",
        "x",
        "ingress: [{action: Pass}, {action: Log}], labelsToApply: {role: web}",
    ));
    let profile = snapshot
        .profiles
        .iter()
        .find(|profile| &*profile.metadata.name == "x");
    assert_eq!(profile.map(|profile| profile.ingress.len()), Some(2));
    let many = |count: usize| {
        document(
            "Profile",
            "x",
            &format!("egress: [{}]", "{action: Allow},".repeat(count)),
        )
    };
    accept(&many(1024));
    warn(&many(1025), "W-SCHEMA", "spec.egress");
    refuse(
        &document("Profile", "x", "labelsToApply: {a: 'b c'}"),
        "E-LABEL",
        "spec.labelsToApply.a",
    );
}
