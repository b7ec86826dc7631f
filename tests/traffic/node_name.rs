//! The node's name: normalised alike everywhere (EV-007), and the host's where nobody gave one (EV-266).

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{eth0, felix, resource},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::Topology,
};
use hep_userspace::daemon::identity;
use serde_json::Value;

/// EV-007, RS-138: the endpoint and the configuration are those of one node, however its name is written.
#[test]
fn ev_007_a_name_in_capitals_means_the_same_to_endpoints_and_configuration() {
    let topology = Topology::new();
    let configuration = resource(
        "FelixConfiguration",
        "node.h1",
        "",
        "failsafeInboundHostPorts: [{protocol: TCP, port: 2222}]",
    );
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon.write_all(&[eth0(), configuration]);
    daemon.spawn_as(&["--node", " H1 "]);
    daemon.wait_for(1);
    for net in Net::both() {
        let to = |port| tcp(net.client, net.host, port);
        topology.expect(
            "the node's own failsafes",
            &[(to(2222), Answer), (to(22), Nothing)],
        );
    }
    assert!(!daemon.log().contains("no HostEndpoint is for this host"));
    assert_eq!(daemon.status()["node"], "h1");
}

/// EV-266: a host that gets its name after the start is policed by it; one that is renamed keeps its
/// policy until an endpoint has the new name; and the name outlives a restart on the same host.
#[test]
fn ev_266_the_nodes_name_follows_the_hosts() {
    let topology = Topology::new();
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    let refresh = felix("interfaceRefreshInterval: 1s");
    daemon.write_all(&[eth0(), refresh.clone()]);
    daemon.spawn_called("localhost");
    daemon.wait_for(1);
    let net = &Net::both()[1];
    let closed = tcp(net.client, net.host, 80);
    topology.expect("nothing is for localhost", &[(closed, Answer)]);

    daemon.call("H1");
    let is_policed = || {
        let status = daemon.status();
        let hooks = &status["interfaces"][0]["hooks"];
        status["node"] == "h1" && hooks["ingress"] != "missing" && hooks["ingress"].is_string()
    };
    let is_named = eventually(PATIENCE, is_policed);
    assert!(is_named, "{}\n{}", daemon.status(), daemon.log());
    topology.expect("the host is called h1", &[(closed, Nothing)]);

    daemon.call("h2");
    let is_told = eventually(PATIENCE, || daemon.status()["hostName"] == "h2");
    assert!(is_told, "{}\n{}", daemon.status(), daemon.log());
    assert_eq!(daemon.status()["node"], "h1");
    topology.expect("no endpoint is for h2", &[(closed, Nothing)]);

    if identity::machine_id().is_some() {
        daemon.stop();
        daemon.spawn_called("h3");
        daemon.wait_for(1);
        assert_eq!(daemon.status()["node"], "h1", "kept");
        topology.expect("h1, though called h3", &[(closed, Nothing)]);
        daemon.call("h2");
    } else {
        println!("the restart is left out: this machine has no machine-id");
    }

    let other = "node: h2, interfaceName: eth1";
    let other = resource("HostEndpoint", "other", "role: host", other);
    daemon.replace(&[eth0(), other, refresh]);
    let is_renamed = eventually(PATIENCE, || {
        let status = daemon.status();
        let is_h2s = status["interfaces"][0]["name"] == "eth1";
        status["node"] == "h2" && is_h2s && status["hostName"].is_null() && status["ready"] == true
    });
    assert!(is_renamed, "{}\n{}", daemon.status(), daemon.log());
    assert_eq!(daemon.status()["hostName"], Value::Null);
    topology.expect(
        "eth0 is h1's alone",
        &[
            (closed, Answer),
            (tcp(net.inner, net.host_inside, 80), Nothing),
        ],
    );
}
