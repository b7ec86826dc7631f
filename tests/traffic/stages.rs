//! Untracked and pre-DNAT policies (EV-234 to EV-239, EV-257).

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{eth0, eth0_default_allow, policy},
    probe::{
        Heard::{Answer, Nothing, Request},
        tcp, udp,
    },
    topology::Topology,
};

use crate::{Fixture, fixture, judge, pass_freely};

fn pre_dnat(rules: &str) -> String {
    policy(
        "pre",
        &format!("preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{rules}]"),
    )
}

fn untracked(name: &str, spec: &str) -> String {
    policy(
        name,
        &format!("doNotTrack: true, applyOnForward: true, {spec}"),
    )
}

/// EV-234: a pre-DNAT deny covers local and forwarded traffic (EV-086), not the failsafes.
#[test]
fn ev_234_a_pre_dnat_deny_stops_local_and_forwarded_traffic() {
    let deny = pre_dnat("{action: Deny, protocol: TCP, destination: {ports: [8080]}}");
    judge(&[eth0(), deny], |net| {
        vec![
            (tcp(net.client, net.host, 8080), Nothing),
            (tcp(net.client, net.inner, 8080), Nothing),
            (tcp(net.client, net.inner, 8081), Answer),
            (tcp(net.client, net.host, 22), Answer),
        ]
    });
}

/// EV-235: a pre-DNAT allow is enough; what it does not match meets the endpoint's default
/// (EV-060, EV-053).
#[test]
fn ev_235_a_pre_dnat_allow_accepts_and_denies_nothing_else_by_itself() {
    let allow = pre_dnat("{action: Allow, protocol: TCP, destination: {ports: [8080]}}");
    judge(&[eth0(), allow], |net| {
        vec![
            (tcp(net.client, net.host, 8080), Answer),
            (tcp(net.client, net.host, 81), Nothing),
            (tcp(net.client, net.inner, 81), Answer),
        ]
    });
}

/// EV-236: failsafes come first, but only for local traffic (EV-069, EV-088).
#[test]
fn ev_236_failsafes_survive_a_pre_dnat_deny_of_everything_for_local_traffic_only() {
    judge(&[eth0(), pre_dnat("{action: Deny}")], |net| {
        vec![
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.inner, 22), Nothing),
        ]
    });
}

/// Whether the connection table holds a flow to this port.
fn tracked(daemon: &Daemon, port: u16) -> bool {
    let flows = daemon.show("conntrack");
    let flows = flows.as_array().expect("a list of flows");
    flows.iter().any(|flow| {
        ["opener", "responder"]
            .iter()
            .any(|end| flow[end]["port"] == port)
    })
}

/// EV-237, EV-238: an untracked allow makes no state, so the answers need a rule of their own
/// (EV-075). The port is this test's alone: others leave flows.
#[test]
fn ev_237_238_untracked_traffic_needs_a_rule_for_each_direction() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let request = untracked(
        "dns-in",
        "types: [Ingress], \
         ingress: [{action: Allow, protocol: UDP, destination: {ports: [5053]}}]",
    );
    let answer = untracked(
        "dns-out",
        "types: [Egress], egress: [{action: Allow, protocol: UDP, source: {ports: [5053]}}]",
    );
    let probes = |heard| Net::both().map(|net| (udp(net.client, net.host, 5053), heard));
    pass_freely(topology, &probes(Answer));
    daemon.replace(&[eth0(), request.clone()]);
    topology.expect("ingress rule only", &probes(Request));
    assert!(!tracked(daemon, 5053), "{}", daemon.show("conntrack"));
    daemon.replace(&[eth0(), request, answer]);
    topology.expect("rules for both directions", &probes(Answer));
    assert!(!tracked(daemon, 5053), "{}", daemon.show("conntrack"));
}

/// EV-239: failsafe traffic, and the answers of what the outbound failsafes let out, are exempt
/// from the untracked stage (EV-068).
#[test]
fn ev_239_failsafe_traffic_is_exempt_from_untracked_denies() {
    let deny = untracked("none", "types: [Ingress], ingress: [{action: Deny}]");
    judge(&[eth0_default_allow(), deny], |net| {
        vec![
            (tcp(net.client, net.host, 22), Answer),
            (udp(net.host, net.client, 53), Answer),
            (tcp(net.client, net.host, 80), Nothing),
            (udp(net.host, net.client, 54), Request),
            (tcp(net.client, net.inner, 22), Nothing),
        ]
    });
}

/// EV-080: what an untracked policy accepts at the incoming interface is exempt at the outgoing
/// one too; EV-079: untracked egress rules do not see forwarded traffic.
#[test]
fn forwarded_traffic_accepted_untracked_is_exempt_at_the_other_interface() {
    let both = "types: [Ingress], ingress: [\
        {action: Allow, protocol: UDP, destination: {ports: [6000]}}, \
        {action: Allow, protocol: UDP, source: {ports: [6000]}}]";
    let resources = [
        eth0(),
        hep_tests::policy::endpoint("h1-eth1", "interfaceName: eth1"),
        untracked("games", both),
        untracked("no-egress", "types: [Egress], egress: [{action: Deny}]"),
        policy(
            "no-forward",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Deny}], egress: [{action: Deny}]",
        ),
    ];
    judge(&resources, |net| {
        vec![
            (udp(net.client, net.inner, 6000), Answer),
            (udp(net.client, net.inner, 6001), Nothing),
        ]
    });
}

/// EV-257: a port that the host publishes by translation is judged as what it is on the wire
/// (EV-091).
#[test]
fn ev_257_a_published_port_is_judged_before_translation() {
    let topology = Topology::new();
    topology.host.command(
        "nft",
        &["add table inet published; \
           add chain inet published in { type nat hook prerouting priority -100; }; \
           add rule inet published in ip daddr 192.0.2.10 tcp dport 8080 dnat ip to 10.0.0.5:80; \
           add rule inet published in ip6 daddr 2001:db8::10 tcp dport 8080 \
           dnat ip6 to [2001:db8:10::5]:80"],
    );
    let probes = |heard| {
        Net::both().map(|net| {
            let probe = tcp(net.client, net.host, 8080).served_at(net.inner, 80);
            (probe, heard)
        })
    };
    pass_freely(&topology, &probes(Answer));
    let allow = |port: u16| {
        policy(
            "web",
            &format!(
                "types: [Ingress], ingress: [{{action: Allow, protocol: TCP, \
                 destination: {{ports: [{port}]}}}}]"
            ),
        )
    };
    let mut daemon = Daemon::start(&topology.host, &[eth0(), allow(80)]);
    topology.expect("only the container's port is allowed", &probes(Nothing));
    daemon.replace(&[eth0(), allow(8080)]);
    topology.expect("the published port is allowed", &probes(Answer));
}
