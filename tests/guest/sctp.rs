//! SCTP by the kernel's own sockets.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{eth0, policy},
    probe::{PATIENCE, SILENCE},
    topology::Topology,
};
use socket2::{Domain, Protocol, Socket, Type};

fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    const SCTP: i32 = 132;
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM, Some(Protocol::from(SCTP)))
}

/// Whether an association between client and host comes about at this port of the host.
fn associates(topology: &Topology, net: &Net, port: u16, limit: Duration) -> bool {
    let here = SocketAddr::new(net.host, port);
    let server = topology.host.run(|| {
        let server = socket(here).expect("open an SCTP socket");
        server.bind(&here.into()).expect("bind an SCTP socket");
        server.listen(1).expect("listen");
        server
    });
    let client = topology.outside.run(|| {
        let client = socket(here).expect("open an SCTP socket");
        let from = SocketAddr::new(net.client, 0);
        client.bind(&from.into()).expect("bind an SCTP socket");
        client
    });
    let connected = match client.connect_timeout(&here.into(), limit) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::TimedOut => false,
        Err(error) => panic!("{here}: {error}"),
    };
    drop((client, server));
    connected
}

/// EV-120: SCTP is matched by port and followed as a flow, in both families.
#[test]
fn ev_120_sctp_associations_are_policed_by_port() {
    let topology = Topology::new();
    for net in Net::both() {
        for port in [80, 81] {
            assert!(
                associates(&topology, &net, port, PATIENCE),
                "{} {port}",
                net.host
            );
        }
    }
    let allow = policy(
        "sctp",
        "types: [Ingress], \
         ingress: [{action: Allow, protocol: SCTP, destination: {ports: [80]}}]",
    );
    let _daemon = Daemon::start(&topology.host, &[eth0(), allow]);
    for net in Net::both() {
        assert!(associates(&topology, &net, 80, PATIENCE), "{} 80", net.host);
        assert!(!associates(&topology, &net, 81, SILENCE), "{} 81", net.host);
    }
}
