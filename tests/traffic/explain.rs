//! `hep explain --live` gives the programs' verdicts.

use std::net::{IpAddr, SocketAddr};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{documents, eth0, policy},
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
    topology::Topology,
};
use serde_json::Value;

fn explain(daemon: &Daemon, from: IpAddr, to: IpAddr, port: u16) -> Value {
    let source = SocketAddr::new(from, 40_000).to_string();
    let destination = SocketAddr::new(to, port).to_string();
    let packet = ["--protocol", "tcp", "--src", &source, "--dst", &destination];
    let mut arguments = vec!["explain", "--live", "-o", "json", "--interface"];
    arguments.extend(["eth0", "--direction", "ingress"]);
    arguments.extend(packet);
    daemon.hep(&arguments).exits(0).document("explain")
}

/// EV-049: verdict, reason, rule and place, or the default that applied, from the policy in force: not from
/// the directory's newer content, and also when no daemon runs and in a panic.
#[test]
fn explain_live_tells_what_is_in_force() {
    let topology = Topology::new();
    let web = |port: u16| {
        policy(
            "web",
            &format!(
                "types: [Ingress], ingress: [{{action: Allow, protocol: TCP, \
                 destination: {{ports: [{port}]}}}}]"
            ),
        )
    };
    let mut daemon = Daemon::start(&topology.host, &[eth0(), web(80)]);
    let expect = |daemon: &Daemon, what: &str, port: u16, verdict: &str, reason: &str| {
        for net in Net::both() {
            let told = explain(daemon, net.client, net.host, port);
            let found = (&told["verdict"], &told["reason"]);
            assert_eq!(found, (&verdict.into(), &reason.into()), "{what}: {told:#}");
            let heard = if verdict == "allow" { Answer } else { Nothing };
            topology.expect(what, &[(tcp(net.client, net.host, port), heard)]);
        }
    };
    expect(&daemon, "running", 80, "allow", "policy_allow");
    expect(&daemon, "running", 81, "deny", "tier_default");
    let net = Net::both()[1];
    let allowed = explain(&daemon, net.client, net.host, 80);
    assert_eq!(allowed["rule"], "ingress[0]");
    assert_eq!(
        (&allowed["tier"], &allowed["line"]),
        (&"default".into(), &3.into())
    );
    let file = allowed["file"].as_str().unwrap_or_default();
    assert!(file.ends_with("/all.yaml"), "{allowed:#}");
    assert!(
        allowed["trace"]
            .as_array()
            .is_some_and(|steps| steps.len() > 3)
    );
    let denied = explain(&daemon, net.client, net.host, 81);
    let default = denied["default"].as_str().unwrap_or_default();
    assert!(default.contains("end of tier default"), "{denied:#}");

    let _said = daemon.hep(&["panic"]).exits(0);
    expect(&daemon, "panic", 80, "deny", "tier_default");
    expect(&daemon, "panic", 22, "allow", "failsafe");
    let _said = daemon.hep(&["resume"]).exits(0);
    daemon.stop();
    daemon
        .directory()
        .write("all.yaml", &documents(&[eth0(), web(81)]));
    expect(&daemon, "no daemon", 80, "allow", "policy_allow");
    let _said = daemon.down().exits(0);
    let nothing = [
        "explain",
        "--live",
        "--interface",
        "eth0",
        "--direction",
        "ingress",
    ];
    let mut nothing = nothing.to_vec();
    nothing.extend([
        "--protocol",
        "udp",
        "--src",
        "192.0.2.1:1",
        "--dst",
        "192.0.2.2:2",
    ]);
    let _said = daemon.hep(&nothing).exits(4);
}
