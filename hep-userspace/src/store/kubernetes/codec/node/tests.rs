use super::*;

fn node() -> Value {
    json!({
        "metadata": {
            "name": "web1", "uid": "5f3c", "resourceVersion": "7001",
            "labels": {"rack": "k8s", "kubernetes.io/hostname": "web1"},
            "annotations": {
                "projectcalico.org/labels": r#"{"rack":"calico","zone":"z1"}"#,
                "projectcalico.org/IPv4Address": "192.0.2.10/24",
                "other": "o",
            },
        },
        "status": {"addresses": [
            {"type": "InternalIP", "address": "192.0.2.10"}, {"type": "Hostname", "address": "web1"},
        ]},
    })
}

/// Spec DS-152, DS-154, DS-155, EX-22.
#[test]
fn a_node_is_shown_with_calicos_fields() {
    let found = shown(&node()).expect("it has a name");
    let wanted = json!({
        "apiVersion": VERSION, "kind": "Node",
        "metadata": {
            "name": "web1", "uid": "5f3c", "resourceVersion": "7001",
            "labels": {"rack": "k8s", "kubernetes.io/hostname": "web1", "zone": "z1"},
            "annotations": {KUBE_LABELS: r#"{"kubernetes.io/hostname":"web1","rack":"k8s"}"#},
        },
        "spec": {
            "bgp": {"ipv4Address": "192.0.2.10/24"},
            "addresses": [
                {"address": "192.0.2.10/24", "type": "CalicoNodeIP"},
                {"address": "192.0.2.10", "type": "InternalIP"},
            ],
            "orchRefs": [{"nodeName": "web1", "orchestrator": "k8s"}],
        },
        "status": {},
    });
    assert_eq!((found.value, &*found.revision), (wanted, "7001"));
}

/// Spec DS-155.
#[test]
fn annotations_of_another_form_are_left_out() {
    for (key, text, pointer, wanted) in [
        ("IPv4Address", "2001:db8::1", "/spec/bgp", None),
        (
            "IPv6Address",
            "2001:db8::1/64",
            "/spec/bgp/ipv6Address",
            Some(json!("2001:db8::1/64")),
        ),
        (
            "IPv4VXLANTunnelAddr",
            "192.0.2.1/24",
            "/spec/ipv4VXLANTunnelAddr",
            None,
        ),
        (
            "IPv4VXLANTunnelAddr",
            "192.0.2.1",
            "/spec/ipv4VXLANTunnelAddr",
            Some(json!("192.0.2.1")),
        ),
        (
            "VXLANTunnelMACAddr",
            "66:00:00:00:00:0g",
            "/spec/vxlanTunnelMACAddr",
            None,
        ),
        ("ASNumber", "1.10", "/spec/bgp/asNumber", Some(json!(65546))),
        ("ASNumber", "x", "/spec/bgp", None),
        (
            "WireguardPublicKey",
            "k",
            "/status/wireguardPublicKey",
            Some(json!("k")),
        ),
        (
            "Interfaces",
            r#"[{"name":"eth0","addresses":["192.0.2.1","x"]}]"#,
            "/spec/interfaces",
            Some(json!([{"name": "eth0", "addresses": ["192.0.2.1"]}])),
        ),
    ] {
        let key = format!("projectcalico.org/{key}");
        let node = json!({"metadata": {"name": "n", "annotations": {key: text}}});
        let found = shown(&node).expect("it has a name").value;
        assert_eq!(found.pointer(pointer), wanted.as_ref(), "{text}");
    }
}

/// Spec DS-151, DS-153.
#[test]
fn an_update_leaves_the_labels_of_the_node_alone() {
    let mut changed = shown(&node()).expect("it has a name").value;
    changed["metadata"]["labels"]["new"] = "1".into();
    changed["metadata"]["labels"]["rack"] = "mine".into();
    changed["metadata"]["annotations"]["note"] = "n".into();
    changed["spec"]["bgp"]["asNumber"] = 64512.into();
    let stored = merged(&changed, node());
    assert_eq!(stored["metadata"]["labels"], node()["metadata"]["labels"]);
    assert_eq!(stored["status"], node()["status"]);
    let annotations = json!({
        "projectcalico.org/labels": r#"{"new":"1","zone":"z1"}"#,
        "projectcalico.org/annotations": r#"{"note":"n"}"#,
        "projectcalico.org/IPv4Address": "192.0.2.10/24",
        "projectcalico.org/ASNumber": "64512",
        "other": "o",
    });
    assert_eq!(stored["metadata"]["annotations"], annotations);
    // Without addresses and labels, Calico's annotations go.
    let bare = json!({"metadata": {"name": "web1"}, "spec": {}});
    let stored = merged(&bare, node());
    assert_eq!(stored["metadata"]["annotations"], json!({"other": "o"}));
}
