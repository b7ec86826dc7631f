//! Tiers and their defaults.

use super::*;
use crate::model::DefaultAction;

/// RS-117, RS-118, RS-119, RS-120, RS-121, RS-122, RS-123, RS-017.
#[test]
fn tiers_have_defaults_and_built_in_ones_are_fixed() {
    let snapshot = accept(&document("Tier", "custom", ""));
    let tiers: Vec<_> = snapshot
        .tiers
        .iter()
        .map(|tier| (&*tier.metadata.name, tier.order, tier.default_action))
        .collect();
    assert_eq!(
        tiers,
        [
            ("custom", 1e6, DefaultAction::Deny),
            ("default", 1e6, DefaultAction::Deny),
            ("kube-admin", 1e3, DefaultAction::Pass),
            ("kube-baseline", 1e7, DefaultAction::Pass),
        ]
    );
    accept(
        &(document("Tier", "default", "order: 1000000, defaultAction: Deny") + "status: {x: 1}\n"),
    );
    accept(&document(
        "Tier",
        "kube-admin",
        "order: 1e3, defaultAction: Pass",
    ));
    // What is left out has the default of any tier.
    accept(&document("Tier", "default", ""));
    refuse(
        &document("Tier", "kube-admin", "order: 1e3"),
        "E-TIER",
        "spec",
    );
    refuse(
        &document("Tier", "kube-baseline", "defaultAction: Pass"),
        "E-TIER",
        "spec",
    );
    for (name, spec, field) in [
        ("default", "order: 5", "order"),
        ("default", "defaultAction: Pass", "defaultAction"),
        ("kube-admin", "order: 999, defaultAction: Pass", "order"),
        (
            "kube-baseline",
            "order: 1e7, defaultAction: Deny",
            "defaultAction",
        ),
    ] {
        refuse(
            &document("Tier", name, spec),
            "E-TIER",
            &format!("spec.{field}"),
        );
    }
    refuse(
        &document("Tier", "t", "defaultAction: deny"),
        "E-ENUM",
        "spec.defaultAction",
    );
    accept(&document("Tier", "t", "order: -1.5"));
    for order in [".nan", ".inf", "-.inf"] {
        refuse(
            &document("Tier", "t", &format!("order: {order}")),
            "E-RANGE",
            "spec.order",
        );
    }
    refuse(
        &document("Tier", "t", "order: first"),
        "E-SYNTAX",
        "spec.order",
    );
}
