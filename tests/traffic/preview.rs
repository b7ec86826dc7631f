//! The predictions of `hep diff` come true.

use hep_common::Family;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{Directory, documents, endpoint, eth0, policy},
    probe::{Connection, PATIENCE, SILENCE},
    topology::Topology,
};
use serde_json::Value;

/// Ingress to these ports of the host and, forwarded, to these behind it; all egress.
fn open(ports: &str, behind: &str) -> String {
    let to = |ports: &str| {
        format!(
            "types: [Ingress, Egress], egress: [{{action: Allow}}], ingress: \
             [{{action: Allow, protocol: TCP, destination: {{ports: [{ports}]}}}}]"
        )
    };
    documents(&[
        policy("web", &format!("order: 2, {}", to(ports))),
        policy(
            "transit",
            &format!("order: 1, applyOnForward: true, {}", to(behind)),
        ),
    ])
}

fn diff(daemon: &Daemon, directory: &Directory, code: i32) -> Value {
    let path = directory.path().to_string_lossy().into_owned();
    daemon
        .hep(&["diff", "--live", "-o", "json", &path])
        .exits(code)
        .document("diff")
}

fn cut(difference: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let flows = difference["flows"]["cut"].as_array().expect("a list");
    let mut cut: Vec<_> = flows
        .iter()
        .map(|flow| (text(&flow["packet"]), text(&flow["rule"])))
        .collect();
    cut.sort();
    cut
}

/// EV-160, EV-248: the flows that `hep diff --live` predicts to be cut are cut, local and forwarded, in
/// both families, by the rule that it names, and no other.
#[test]
fn the_flows_that_a_change_cuts_are_foretold() {
    let topology = Topology::new();
    let eth1 = endpoint("h1-eth1", "interfaceName: eth1");
    let mut daemon = Daemon::start(
        &topology.host,
        &[eth0(), eth1.clone(), open("80, 81", "82, 83")],
    );
    let mut flows: Vec<_> = Net::both()
        .iter()
        .map(|net| {
            [
                (net.host, 80),
                (net.host, 81),
                (net.inner, 82),
                (net.inner, 83),
            ]
            .map(|(to, port)| Connection::open(&topology, net.client, to, port))
        })
        .collect();
    for flow in flows.iter_mut().flatten() {
        assert!(flow.forth(PATIENCE) && flow.back(PATIENCE));
    }
    let planned = Directory::new();
    planned.write(
        "all.yaml",
        &documents(&[eth0(), eth1.clone(), open("80, 81", "82, 83")]),
    );
    let same = diff(&daemon, &planned, 0);
    assert_eq!(cut(&same), []);
    assert_eq!(same["resources"].as_array().map(Vec::len), Some(0));

    planned.write(
        "all.yaml",
        &documents(&[eth0(), eth1.clone(), open("81", "83")]),
    );
    let difference = diff(&daemon, &planned, 1);
    let mut expected = Vec::new();
    for (net, [first, _, third, _]) in Net::both().iter().zip(&flows) {
        let (open, close) = match net.family {
            Family::V4 => ("", ""),
            Family::V6 => ("[", "]"),
        };
        let client = |port: u16| format!("{open}{}{close}:{port}", net.client);
        let line = |flow: &Connection, to, port: u16, end: &str| {
            let from = client(flow.client_port());
            format!("ingress eth0 TCP {from} -> {open}{to}{close}:{port}{end}")
        };
        expected.push((line(first, net.host, 80, ""), "end of tier".to_owned()));
        expected.push((
            line(third, net.inner, 82, ", forwarded"),
            "end of tier".to_owned(),
        ));
    }
    expected.sort();
    assert_eq!(cut(&difference), expected, "{difference:#}");
    assert_eq!(difference["flows"]["known"], 8);
    let fields: Vec<_> = difference["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|change| {
            (
                &change["change"],
                &change["name"],
                &change["fields"][0]["before"],
            )
        })
        .collect();
    let changed = Value::from("changed");
    assert_eq!(
        fields,
        [
            (&changed, &"transit".into(), &serde_json::json!(["82"])),
            (&changed, &"web".into(), &serde_json::json!(["80"])),
        ]
    );
    assert_eq!(daemon.generation(), 1, "nothing was applied");

    daemon.replace(&[eth0(), eth1, open("81", "83")]);
    for [first, second, third, fourth] in &mut flows {
        for cut in [first, third] {
            assert!(!cut.forth(SILENCE) && !cut.back(SILENCE));
        }
        for kept in [second, fourth] {
            assert!(kept.forth(PATIENCE) && kept.back(PATIENCE));
        }
    }
    assert_eq!(cut(&diff(&daemon, &planned, 0)), [], "they are cut already");
}

/// EV-160: with `keep` no flow that has its connection is cut; a generation is compared as it is in
/// force also when no daemon runs.
#[test]
fn with_keep_nothing_would_be_cut() {
    let topology = Topology::new();
    let mut daemon = Daemon::start_with(
        &topology.host,
        &[eth0(), open("80", "82")],
        &["--on-policy-change", "keep"],
    );
    let _flows = Net::both().map(|net| Connection::open(&topology, net.client, net.host, 80));
    daemon.stop();
    let planned = Directory::new();
    planned.write("all.yaml", &documents(&[eth0(), open("81", "82")]));
    let difference = diff(&daemon, &planned, 1);
    assert_eq!(difference["flows"]["known"], 2);
    assert_eq!(cut(&difference), []);
}
