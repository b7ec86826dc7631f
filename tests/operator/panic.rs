//! `hep panic`.

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::documents,
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::Topology,
};
use serde_json::Value;

use crate::{expect_only, only};

/// Asserts that only failsafes pass, on an interface with an endpoint and on one without, for the
/// host's own traffic and for what it forwards.
#[track_caller]
fn expect_panic(topology: &Topology, what: &str) {
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.host, 80), Nothing),
            (tcp(net.host, net.client, 443), Nothing),
            (tcp(net.inner, net.host_inside, 80), Nothing),
            (tcp(net.inner, net.client, 80), Nothing),
            (tcp(net.client, net.inner, 80), Nothing),
        ]
    });
    topology.expect(what, &probes);
}

/// Only failsafes and established flows pass, on every interface; that survives a crash and a
/// restart, and ends with `hep resume`.
#[test]
fn a_panic_leaves_failsafes_and_established_flows() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    let mut connections: Vec<Connection> = Net::each(|net| {
        [
            Connection::open(&topology, net.client, net.host, 80),
            // Over an interface that no endpoint owns, and that nobody has followed.
            Connection::open(&topology, net.inner, net.host_inside, 80),
        ]
    });
    let mut all_go_on = |what: &str| {
        for connection in &mut connections {
            assert!(
                connection.forth(PATIENCE) && connection.back(PATIENCE),
                "{what}: {connection:?}"
            );
        }
    };
    all_go_on("before");
    let _said = daemon.hep(&["panic"]).exits(0).says("hep resume");
    expect_panic(&topology, "panic");
    all_go_on("panic");
    let _said = daemon.hep(&["status"]).exits(0).says("panic: for");
    assert!(daemon.status()["panic"]["sinceUnixMs"].as_u64() > Some(0));
    let _said = daemon.hep(&["panic"]).exits(0).says("already");
    let packet = "--interface eth0 --direction ingress --protocol tcp --dst 192.0.2.10:80 \
                  --src 198.51.100.7:40000";
    let explain: Vec<&str> = ["explain", "--live"]
        .into_iter()
        .chain(packet.split(' '))
        .collect();
    let explain: Vec<&str> = explain
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    let _said = daemon.hep(&explain).exits(0).says("deny: tier_default");
    let _said = daemon.hep(&["rollback"]).exits(5).says("hep resume");

    daemon.crash();
    daemon.spawn();
    daemon.wait_for(3);
    expect_panic(&topology, "after a crash");
    all_go_on("after a crash");
    // A change of the directory does not end it.
    daemon.directory().write("all.yaml", &documents(&only(81)));
    let noted = eventually(PATIENCE, || daemon.status()["directoryChanged"] == true);
    assert!(noted, "{}", daemon.log());
    expect_panic(&topology, "the directory changed");

    let _said = daemon.hep(&["resume"]).exits(0).says("the panic is over");
    assert_eq!(daemon.status()["panic"], Value::Null);
    expect_only(&topology, "resumed", 81);
}

/// It needs no daemon, and holds for the next one; a trial ends with it.
#[test]
fn a_panic_needs_no_daemon_and_ends_a_trial() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    let new = crate::directory(&only(81));
    let arguments = ["try", "--policy-dir", &crate::path(&new), "--detach"];
    let _said = daemon.hep(&arguments).exits(0);
    daemon.crash();
    let _said = daemon.hep(&["panic"]).exits(0);
    expect_panic(&topology, "without a daemon");
    let _said = daemon.hep(&["status"]).exits(0).says("panic: for");
    daemon.spawn();
    daemon.wait_for(4);
    expect_panic(&topology, "with one");
    let _said = daemon.hep(&["resume"]).exits(0);
    expect_only(&topology, "resumed", 80);
}

/// Where no daemon ever ran, there is nothing to do it with (exit 4).
#[test]
fn a_panic_without_any_policy_says_what_to_do() {
    let topology = Topology::new();
    let daemon = Daemon::prepare(&topology.host, &[]);
    let _said = daemon.hep(&["panic"]).exits(4).says("no daemon listens");
}
