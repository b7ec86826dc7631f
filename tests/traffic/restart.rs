//! A daemon that starts again under the same policy changes nothing (EV-158, EV-160).

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{eth0, policy},
    probe::{Connection, Heard::Nothing, PATIENCE, SILENCE, tcp},
    topology::Topology,
};

/// A port that no policy here allows.
const DENIED: u16 = 81;

/// Nothing but TCP to a port of the host.
fn only(port: u16) -> String {
    policy(
        "only",
        &format!(
            "types: [Ingress, Egress], \
             ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [{port}]}}}}]"
        ),
    )
}

/// Whether each connection carries data in both directions.
fn carry(connections: &mut [Connection], limit: std::time::Duration) -> Vec<bool> {
    let each = connections.iter_mut();
    each.map(|connection| connection.forth(limit) && connection.back(limit))
        .collect()
}

/// EV-158: connections that no rule allows, from before the first enforcement, live on when the daemon is
/// stopped or dies and starts again, also if they are silent over several starts; new ones are denied.
/// EV-160: another policy ends them.
#[test]
fn ev_158_connections_from_before_outlive_restarts_of_the_daemon() {
    let topology = Topology::new();
    let open = || -> Vec<Connection> {
        let each = Net::both();
        let each = each.iter();
        each.map(|net| Connection::open(&topology, net.client, net.host, DENIED))
            .collect()
    };
    let (mut busy, mut silent) = (open(), open());
    let mut daemon = Daemon::start(&topology.host, &[eth0(), only(80)]);
    assert_eq!(carry(&mut busy, PATIENCE), [true; 2], "first enforcement");
    assert_eq!(carry(&mut silent, PATIENCE), [true; 2], "first enforcement");
    for round in 0..3 {
        let before = daemon.status()["generation"].as_u64().expect("a number");
        if round == 1 {
            daemon.crash();
        } else {
            daemon.stop();
        }
        daemon.spawn();
        daemon.wait_for(before + 1);
        assert_eq!(carry(&mut busy, PATIENCE), [true; 2], "restart {round}");
        let new = Net::each(|net| [(tcp(net.client, net.host, DENIED), Nothing)]);
        topology.expect("new connections", &new);
    }
    assert_eq!(carry(&mut silent, PATIENCE), [true; 2], "three restarts");
    daemon.replace(&[eth0(), only(8080)]);
    assert_eq!(carry(&mut busy, SILENCE), [false; 2], "another policy");
    assert_eq!(carry(&mut silent, SILENCE), [false; 2], "another policy");
}
