//! Packets that the kernel hands to a process of this host though they came for an address that is not the
//! host's (EV-260). Where the kernel has no hook behind its translation, hep reports that, and these tests
//! require the report.

mod changes;
mod fragments;
mod tproxy;

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use hep_common::Family;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{eth0, policy},
    probe::{
        Connection,
        Heard::{self, Answer, Nothing},
        Probe, ping, tcp, udp,
    },
    topology::Topology,
};

use crate::pass_freely;

/// How long a state may take to be reported, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(60);

/// An address that nobody has, and that outside is routed to the host.
fn vip(net: &Net) -> IpAddr {
    let text = match net.family {
        Family::V4 => "203.0.113.99",
        Family::V6 => "2001:db8:f::99",
    };
    text.parse().expect("a literal address")
}

/// A topology whose outside sends packets for the [`vip`]s to the host.
fn topology() -> Topology {
    let topology = Topology::new();
    for net in Net::both() {
        let route = format!("route add {} via {}", net.prefix(vip(&net)), net.host);
        topology.outside.ip(&route);
    }
    topology
}

/// `ip` or `ip6`, as nftables has them.
fn nft_family(net: &Net) -> &'static str {
    match net.family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

/// Ports of the VIP and of the host lead to other ports of the host.
fn translate(topology: &Topology) {
    let rules = Net::each(|net| {
        let (ip, vip, host) = (nft_family(net), vip(net), net.host);
        let to = |port| match net.family {
            Family::V4 => format!("dnat ip to {host}:{port}"),
            Family::V6 => format!("dnat ip6 to [{host}]:{port}"),
        };
        let echo = match net.family {
            Family::V4 => "icmp type echo-request",
            Family::V6 => "icmpv6 type echo-request",
        };
        [
            format!("{ip} daddr {vip} tcp dport 80 {}", to(81)),
            format!("{ip} daddr {vip} tcp dport 8443 {}", to(443)),
            format!("{ip} daddr {vip} tcp dport 2222 {}", to(22)),
            format!("{ip} daddr {vip} udp dport 80 {}", to(81)),
            format!("{ip} daddr {vip} udp dport 8443 {}", to(443)),
            format!("{ip} daddr {vip} tcp dport 5081 redirect to :81"),
            format!("{ip} daddr {vip} tcp dport 5443 redirect to :443"),
            format!("{ip} daddr {vip} {echo} dnat to {host}"),
            format!("{ip} daddr {host} tcp dport 8081 redirect to :81"),
        ]
    });
    let rules: String = rules
        .iter()
        .map(|rule| format!("add rule inet vip pre {rule}; "))
        .collect();
    let table = "add table inet vip; \
                 add chain inet vip pre { type nat hook prerouting priority -100; };";
    topology.host.command("nft", &[&format!("{table} {rules}")]);
}

/// Nothing but TCP and UDP 443 to this host.
fn web() -> String {
    allow("web", "443", "443")
}

fn allow(name: &str, tcp_ports: &str, udp_ports: &str) -> String {
    policy(
        name,
        &format!(
            "types: [Ingress], ingress: [\
             {{action: Allow, protocol: TCP, destination: {{ports: [{tcp_ports}]}}}}, \
             {{action: Allow, protocol: UDP, destination: {{ports: [{udp_ports}]}}}}]"
        ),
    )
}

/// Verdicts of [`web`] on packets that [`translate`] redirects; the echo request has an identifier of its
/// own, so that it belongs to no earlier connection.
fn cases(net: &Net, identifier: u16) -> Vec<(Probe, Heard)> {
    let (client, vip, host) = (net.client, vip(net), net.host);
    vec![
        (tcp(client, host, 81), Nothing),
        (tcp(client, host, 443), Answer),
        (tcp(client, vip, 80).served_at(host, 81), Nothing),
        (tcp(client, vip, 8443).served_at(host, 443), Answer),
        (udp(client, vip, 80).served_at(host, 81), Nothing),
        (udp(client, vip, 8443).served_at(host, 443), Answer),
        (tcp(client, vip, 5081).served_at(host, 81), Nothing),
        (tcp(client, vip, 5443).served_at(host, 443), Answer),
        // A failsafe, also behind the translation.
        (tcp(client, vip, 2222).served_at(host, 22), Answer),
        (ping(client, vip, identifier), Nothing),
    ]
}

/// `hep status`: which state holds.
fn state(daemon: &Daemon) -> String {
    let status = daemon.status();
    status["localIn"]["state"].as_str().unwrap_or("").to_owned()
}

/// Waits for a state; where the kernel has no hook, it is that in place of `attached`. Whether it has one.
#[track_caller]
fn wait_for(daemon: &Daemon, wanted: &str) -> bool {
    let mut found = String::new();
    let reached = eventually(LIMIT, || {
        found = state(daemon);
        found == wanted || (wanted == "attached" && found == "unsupported")
    });
    assert!(reached, "{wanted}: {found}");
    if found == "unsupported" {
        let causes = daemon.status()["localIn"]["causes"].to_string();
        let causes = causes.trim_matches('"');
        assert!(
            causes.contains("NAT rules") || causes.contains("TPROXY"),
            "{causes}"
        );
        let said = daemon.hep(&["status"]).stdout;
        for words in [
            &*format!("warning: {causes} may"),
            "NOT judge",
            "Linux 6.4",
            "preDNAT",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        return false;
    }
    true
}

/// EV-260: by DNAT and REDIRECT, TCP, UDP and ICMP, in both families; the answers of what is let in pass.
#[test]
fn ev_260_what_is_translated_into_the_host_is_judged_as_what_it_has_become() {
    let topology = topology();
    translate(&topology);
    let probes = |identifier| Net::each(|net| cases(net, identifier));
    pass_freely(&topology, &probes(1));
    let daemon = Daemon::start(&topology.host, &[eth0(), web()]);
    if !wait_for(&daemon, "attached") {
        return;
    }
    topology.expect("while the host forwards", &probes(2));
    topology.host.sysctl("net/ipv4/ip_forward", "0");
    topology.host.sysctl("net/ipv6/conf/all/forwarding", "0");
    topology.expect("while it does not", &probes(3));
}

/// EV-260: what was the host's before translation stays as EV-091 has it: the published port counts.
#[test]
fn ev_091_a_published_port_of_the_host_is_judged_once_as_it_came() {
    let topology = topology();
    translate(&topology);
    let daemon = Daemon::start(
        &topology.host,
        &[eth0(), allow("published", "8081", "8081")],
    );
    if !wait_for(&daemon, "attached") {
        return;
    }
    let probes = Net::each(|net| {
        [
            (
                tcp(net.client, net.host, 8081).served_at(net.host, 81),
                Answer,
            ),
            (tcp(net.client, net.host, 81), Nothing),
            (
                tcp(net.client, vip(net), 80).served_at(net.host, 81),
                Nothing,
            ),
        ]
    });
    topology.expect("by the published port", &probes);
}

/// EV-260, EV-044, EV-091: pre-DNAT policy sees what was received, and its Allow is enough; what it has
/// become is none of its business. An untracked Allow is enough, too.
#[test]
fn ev_260_pre_dnat_and_untracked_policy_see_what_was_received() {
    let before = |name: &str, kind: &str, action: &str, port: u16| {
        policy(
            name,
            &format!(
                "{kind}: true, applyOnForward: true, order: 1, ingress: \
                 [{{action: {action}, protocol: TCP, destination: {{ports: [{port}]}}}}]"
            ),
        )
    };
    let topology = topology();
    translate(&topology);
    let resources = [
        eth0(),
        web(),
        before("vip", "preDNAT", "Allow", 80),
        before("not-81", "preDNAT", "Allow", 81),
        before("not-443", "preDNAT", "Deny", 443),
    ];
    let mut daemon = Daemon::start(&topology.host, &resources);
    if !wait_for(&daemon, "attached") {
        return;
    }
    let rows = |heard| {
        Net::each(|net| {
            let (client, vip, host) = (net.client, vip(net), net.host);
            [
                (tcp(client, vip, 80).served_at(host, 81), heard),
                (tcp(client, vip, 5081).served_at(host, 81), Nothing),
                (tcp(client, vip, 8443).served_at(host, 443), Answer),
                (tcp(client, vip, 2222).served_at(host, 22), Answer),
            ]
        })
    };
    topology.expect("pre-DNAT", &rows(Answer));
    daemon.replace(&[eth0(), web(), before("vip", "preDNAT", "Deny", 5443)]);
    topology.expect("nothing of the sort", &rows(Nothing));
    // The answers are the host's own, though from the VIP (EV-261), and need a rule of their own (EV-075).
    let answers = "egress: [{action: Allow, protocol: UDP, source: {ports: [80]}}]";
    for (egress, heard) in [("egress: []", Heard::Request), (answers, Answer)] {
        let untracked = policy(
            "untracked",
            &format!(
                "doNotTrack: true, applyOnForward: true, order: 1, {egress}, ingress: \
                 [{{action: Allow, protocol: UDP, destination: {{ports: [80]}}}}]"
            ),
        );
        daemon.replace(&[eth0(), web(), untracked]);
        let by_udp = |net: &Net, port| udp(net.client, vip(net), port).served_at(net.host, 81);
        topology.expect(egress, &Net::each(|net| [(by_udp(net, 80), heard)]));
    }
}

/// EV-260: a verdict behind the translation is reported and counted as others are.
#[test]
fn ev_260_verdicts_behind_the_translation_explain_themselves() {
    let logged = policy(
        "logged",
        "types: [Ingress], ingress: [\
         {action: Log, protocol: TCP, destination: {ports: [81]}}, \
         {action: Deny, protocol: TCP, destination: {ports: [81]}}]",
    );
    let topology = topology();
    translate(&topology);
    let daemon = Daemon::start(&topology.host, &[eth0(), logged]);
    if !wait_for(&daemon, "attached") {
        return;
    }
    for net in Net::both() {
        let (vip, host) = (vip(&net), net.host);
        let denied = (tcp(net.client, vip, 80).served_at(host, 81), Nothing);
        topology.expect("denied", &[denied]);
        let record = format!("translated src={} dst={host} proto=TCP", net.client);
        let is_reported = eventually(LIMIT, || {
            let log = daemon.log();
            let mut lines = log.lines().filter(|line| line.contains(&record));
            lines.any(|line| line.contains("reason=policy_deny") && line.contains("dpt=81"))
        });
        assert!(is_reported, "{record}: {}", daemon.log());
    }
    let net = Net::both()[0];
    let command = format!(
        "explain --live --interface eth0 --direction ingress --protocol tcp --src {}:40000 --dst {}:80",
        net.client,
        vip(&net)
    );
    let explained = daemon.hep(&command.split(' ').collect::<Vec<_>>());
    let explained = explained.exits(0).stdout;
    let words = "then      if NAT rules hand it to a process of this host, it is judged again";
    assert!(explained.contains(words), "{explained}");
    let counters = daemon.hep(&["show", "counters"]).exits(0).stdout;
    for counted in ["policy_deny", "translated"] {
        assert!(counters.contains(counted), "{counted}: {counters}");
    }
}

/// A connection from the client to a port of the VIP, which leads to a port of the host.
fn connection(topology: &Topology, net: &Net, port: u16, host_port: u16) -> Connection {
    let at = SocketAddr::new(net.host, host_port);
    let listener = topology.host.bind(|| TcpListener::bind(at));
    let to = SocketAddr::new(vip(net), port);
    Connection::through(&listener, topology, net.client, to)
}

/// Whether the instance has links behind the translation.
fn has_links(daemon: &Daemon) -> bool {
    let Ok(versions) = fs::read_dir(daemon.bpffs()) else {
        return false;
    };
    let mut links = versions
        .flatten()
        .map(|version| version.path().join("links"));
    links.any(|links| {
        ["local-in-4", "local-in-6"]
            .iter()
            .any(|pin| links.join(pin).exists())
    })
}
