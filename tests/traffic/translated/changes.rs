//! Changes during translated traffic: rules, the daemon, the start of enforcement, and the translation.

use std::time::Duration;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::eth0,
    probe::{Connection, Heard::Answer, PATIENCE, SILENCE, tcp},
};

use super::{allow, cases, connection, has_links, state, topology, translate, vip, wait_for, web};

/// Longer than a segment that was dropped for some seconds takes to be resent.
const RESENT: Duration = Duration::from_secs(8);

/// EV-260, EV-160: established connections are judged by the rules in force, which are those of TC; the
/// hook stays while no daemon runs, and goes with `hep down`.
#[test]
fn ev_260_the_rules_in_force_hold_for_translated_connections_until_down() {
    let topology = topology();
    translate(&topology);
    let mut daemon = Daemon::start(&topology.host, &[eth0(), web()]);
    if !wait_for(&daemon, "attached") {
        return;
    }
    let mut connections: Vec<Connection> = Net::both()
        .iter()
        .map(|net| connection(&topology, net, 8443, 443))
        .collect();
    let mut carry = |limit| -> Vec<bool> {
        let of = |connection: &mut Connection| connection.forth(limit) && connection.back(limit);
        connections.iter_mut().map(of).collect()
    };
    assert_eq!(carry(PATIENCE), [true; 2], "allowed");
    daemon.replace(&[eth0(), web(), allow("more", "1", "1")]);
    assert_eq!(
        carry(PATIENCE),
        [true; 2],
        "still allowed, by another generation"
    );
    daemon.crash();
    assert_eq!(carry(PATIENCE), [true; 2], "without a daemon");
    let denied = Net::each(|net| cases(net, 1));
    topology.expect("without a daemon", &denied);
    daemon.spawn();
    daemon.wait_for(1);
    assert!(wait_for(&daemon, "attached"));
    daemon.replace(&[eth0(), allow("other", "1", "1")]);
    assert_eq!(carry(SILENCE), [false; 2], "no longer allowed");
    let before = daemon.status()["generation"].as_u64().expect("a number");
    daemon.crash();
    daemon.spawn();
    daemon.wait_for(before + 1);
    assert!(wait_for(&daemon, "attached"));
    assert_eq!(carry(RESENT), [false; 2], "nor after a restart");
    topology.host.ip("link set eth0 name gone");
    assert!(wait_for(&daemon, "not-needed"));
    topology.host.ip("link set gone name eth0");
    assert!(wait_for(&daemon, "attached"));
    assert_eq!(carry(RESENT), [false; 2], "nor when the interface is back");
    daemon.stop();
    drop(daemon.down().exits(0));
    assert!(!has_links(&daemon), "`hep down` removes the links");
    let freely = Net::each(|net| {
        [(
            tcp(net.client, vip(net), 80).served_at(net.host, 81),
            Answer,
        )]
    });
    topology.expect("after `hep down`", &freely);
}

/// EV-260, EV-158: first enforcement does not cut a translated connection, be it at the daemon's start or
/// when the first HostEndpoint comes.
#[test]
fn ev_158_a_translated_connection_from_before_goes_on() {
    for first in [&[eth0(), web()][..], &[web()]] {
        let topology = topology();
        translate(&topology);
        let mut connections: Vec<Connection> = Net::both()
            .iter()
            .map(|net| connection(&topology, net, 80, 81))
            .collect();
        let mut daemon = Daemon::start(&topology.host, first);
        if first.len() == 1 {
            assert_eq!(state(&daemon), "not-needed", "nothing is policed");
            daemon.replace(&[eth0(), web()]);
        }
        if !wait_for(&daemon, "attached") {
            return;
        }
        for connection in &mut connections {
            assert!(connection.forth(PATIENCE) && connection.back(PATIENCE));
        }
        topology.expect("new ones are denied", &Net::each(|net| cases(net, 1)));
    }
}

/// EV-260: there is a hook as long as there are rules for NAT, and it is there soon after them.
#[test]
fn ev_260_the_hook_comes_and_goes_with_what_translates() {
    let topology = topology();
    let daemon = Daemon::start(&topology.host, &[eth0(), web()]);
    assert_eq!(state(&daemon), "not-needed");
    assert!(!has_links(&daemon));
    translate(&topology);
    if !wait_for(&daemon, "attached") {
        return;
    }
    assert!(has_links(&daemon));
    topology.expect("with rules", &Net::each(|net| cases(net, 1)));
    let said = daemon.hep(&["status"]).stdout;
    assert!(said.contains("translated: what NAT rules hand"), "{said}");
    topology.host.command("nft", &["delete table inet vip"]);
    wait_for(&daemon, "not-needed");
    assert!(!has_links(&daemon));
}
