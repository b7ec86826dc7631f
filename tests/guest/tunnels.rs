//! Links without Ethernet headers, and one that leads nowhere (EV-017).

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    policy::{endpoint, policy},
    probe::{PATIENCE, SILENCE},
    topology::Topology,
};

use crate::policed;

/// EV-017: a GRE tunnel is policed in both directions and families.
#[test]
fn ev_017_a_gre_tunnel_is_policed() {
    let topology = Topology::new();
    topology.host.ip("address add 10.7.0.1/24 dev eth1\n\
         link add tunnel1 type gre local 10.7.0.1 remote 10.7.0.5 ttl 64\nlink set tunnel1 up");
    topology.inside.ip("address add 10.7.0.5/24 dev eth0\n\
         link add tunnel1 type gre local 10.7.0.5 remote 10.7.0.1 ttl 64\nlink set tunnel1 up");
    for net in Net::both() {
        let bits = if net.host.is_ipv4() { 24 } else { 64 };
        let [host, inner] = [net.host_inside, net.inner];
        topology.host.ip(&format!(
            "address del {host}/{bits} dev eth1\naddress add {host}/{bits} dev tunnel1"
        ));
        topology.inside.ip(&format!(
            "address del {inner}/{bits} dev eth0\naddress add {inner}/{bits} dev tunnel1"
        ));
    }
    drop(policed(&topology, "tunnel1"));
}

/// Where packets through the interface under test go.
const FAR: [(&str, &str); 2] = [
    ("198.18.0.1", "198.18.0.2"),
    ("2001:db8:18::1", "2001:db8:18::2"),
];

/// Whether a datagram to this port passes the egress hook of `interface`: packet sockets come after
/// it.
fn leaves(topology: &Topology, interface: &str, port: u16, wanted: bool) {
    let link = Link::open(&topology.host, interface);
    for (_, to) in FAR {
        let to: IpAddr = to.parse().expect("a literal");
        let payload = format!("hep to {to} port {port}");
        topology.host.run(|| {
            let any = SocketAddr::new(
                match to {
                    IpAddr::V4(_) => IpAddr::from([0_u8; 4]),
                    IpAddr::V6(_) => IpAddr::from([0_u8; 16]),
                },
                0,
            );
            let socket = UdpSocket::bind(any).expect("open a socket");
            // Refusals of the hook and of the link come back here, too; what counts is the wire.
            drop(socket.send_to(payload.as_bytes(), SocketAddr::new(to, port)));
        });
        let limit: Duration = if wanted { PATIENCE } else { SILENCE };
        let seen = link.receive(limit, |frame| frame.ends_with(payload.as_bytes()));
        assert_eq!(seen.is_some(), wanted, "{interface} to {to} port {port}");
    }
}

fn egress_is_policed(kind: &str) {
    let topology = Topology::new();
    topology
        .host
        .ip(&format!("link add out0 type {kind}\nlink set out0 up"));
    for (from, to) in FAR {
        let bits = if from.contains(':') { 128 } else { 32 };
        topology.host.ip(&format!(
            "address add {from}/{bits} dev out0\nroute add {to}/{bits} dev out0 src {from}"
        ));
    }
    leaves(&topology, "out0", 5000, true);
    leaves(&topology, "out0", 5001, true);
    let allow = policy(
        "allow-5000",
        "types: [Egress], \
         egress: [{action: Allow, protocol: UDP, destination: {ports: [5000]}}]",
    );
    let out = endpoint("out", "interfaceName: out0");
    let _daemon = Daemon::start(&topology.host, &[out, allow]);
    leaves(&topology, "out0", 5000, true);
    leaves(&topology, "out0", 5001, false);
}

/// EV-017: what leaves by WireGuard is judged before it is encrypted, without Ethernet header.
#[test]
fn ev_017_a_wireguard_link_is_policed() {
    egress_is_policed("wireguard");
}

#[test]
fn a_dummy_interface_is_policed() {
    egress_is_policed("dummy");
}
