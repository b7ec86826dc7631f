//! GlobalNetworkSet and NetworkSet.

use super::*;

/// RS-025, RS-126, RS-127, RS-128, RS-131, RS-304.
#[test]
fn network_sets_mask_their_members_and_merge_repeats() {
    let set = |nets: &str| document("GlobalNetworkSet", "s", &format!("nets: {nets}"));
    let nets = |nets: &str| -> Vec<String> {
        accept(&set(nets)).sets[0]
            .nets
            .iter()
            .map(|net| net.to_string())
            .collect()
    };
    assert_eq!(
        nets("[10.1.2.3/8, 192.0.2.1, '2001:db8::1/32', '::1', 0.0.0.0/0, '::/0']"),
        [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "192.0.2.1/32",
            "::/0",
            "::1/128",
            "2001:db8::/32",
        ]
    );
    assert_eq!(nets("[]"), [""; 0]);
    warn(&set("[10.0.0.0/8, 10.1.2.3/8]"), "W-REPEATED", "spec.nets");
    assert_eq!(
        nets("[10.0.0.0/8, 192.0.2.1, 10.1.2.3/8]"),
        ["10.0.0.0/8", "192.0.2.1/32"]
    );
    for net in [
        "10.0.0.0/33",
        "'2001:db8::/129'",
        "10.0.0",
        "010.0.0.0/8",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "x",
    ] {
        refuse(&set(&format!("[{net}]")), "E-CIDR", "spec.nets[0]");
    }
    warn(&set("['::ffff:10.0.0.0/104']"), "W-MAPPED", "spec.nets[0]");
    refuse(&set("[1.5]"), "E-SYNTAX", "spec.nets[0]");
    let labelled = set("[]").replace(
        "name: s",
        "name: s, labels: {projectcalico.org/namespace: x}",
    );
    refuse(&labelled, "E-LABEL", "metadata");
}

/// RS-133, RS-309: selectors match a set of a namespace, too, by a label with the namespace's name.
#[test]
fn sets_of_a_namespace_are_read_with_its_label() {
    let set = |metadata: &str| document("NetworkSet", metadata, "nets: [10.0.0.0/8]");
    let sets = accept(&(set("s, namespace: prod, labels: {a: b}") + &set("s"))).sets;
    let seen: Vec<_> = sets
        .iter()
        .map(|set| (&*set.metadata.name, set.metadata.labels.clone()))
        .collect();
    let labels = |labels: &[(&str, &str)]| {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        labels.iter().map(own).collect()
    };
    assert_eq!(
        seen,
        [
            (
                "default/s",
                labels(&[("projectcalico.org/namespace", "default")])
            ),
            (
                "prod/s",
                labels(&[("projectcalico.org/namespace", "prod"), ("a", "b")])
            ),
        ]
    );
    refuse(
        &(set("s") + &set("s, namespace: default")),
        "E-DUP",
        "metadata.name",
    );
    refuse(&set("s, namespace: A_b"), "E-NAME", "metadata.namespace");
}
