//! Who sends what leaves by an interface (EV-096, EV-261).

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use hep_common::Family;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    namespace::Namespace,
    policy::{eth0, policy},
    probe::{PATIENCE, SILENCE},
    receiver::Receiver,
    topology::Topology,
};
use socket2::{Domain, Socket, Type};

/// The port at the peer.
const PORT: u16 = 9000;

/// An address that nobody has.
fn foreign(net: &Net) -> IpAddr {
    match net.family {
        Family::V4 => "203.0.113.77".parse().expect("an address"),
        Family::V6 => "2001:db8:77::1".parse().expect("an address"),
    }
}

/// The address of the child, in a container of its own.
fn child(net: &Net) -> IpAddr {
    match net.family {
        Family::V4 => "192.0.2.60".parse().expect("an address"),
        Family::V6 => "2001:db8::60".parse().expect("an address"),
    }
}

/// A datagram with this source.
fn send(from: &Namespace, source: IpAddr, net: &Net) -> io::Result<usize> {
    from.run(|| {
        let at = SocketAddr::new(source, 0);
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, None)?;
        if at.is_ipv4() {
            socket.set_ip_transparent_v4(true)?;
        } else {
            socket.set_ip_transparent_v6(true)?;
        }
        socket.bind(&at.into())?;
        socket.send_to(b"hello", &SocketAddr::new(net.peer, PORT).into())
    })
}

/// EV-261, EV-096: what a process of this host sends is the host's own, whatever source it gives itself;
/// what a macvlan child in a container sends is forwarded.
#[test]
fn ev_261_a_process_is_the_hosts_whatever_its_source() {
    let topology = Topology::new();
    let container = Namespace::new("container");
    topology.host.ip(&format!(
        "link add child link eth0 type macvlan mode bridge\nlink set child netns {}",
        container.name()
    ));
    container.ip("link set child up");
    for net in Net::both() {
        let (bits, dad) = match net.family {
            Family::V4 => (24, ""),
            Family::V6 => (64, "nodad"),
        };
        container.ip(&format!(
            "address add {}/{bits} dev child {dad}",
            child(&net)
        ));
    }
    let mut daemon = Daemon::start(&topology.host, &[]);
    for (rules, policed, host_passes) in [
        ("types: [Egress]", false, true),
        ("types: [Egress]", true, false),
        (
            "types: [Egress], egress: [{action: Allow, protocol: UDP}]",
            true,
            true,
        ),
        ("applyOnForward: true, types: [Egress]", true, false),
    ] {
        let mut resources = vec![policy("out", rules)];
        resources.extend(policed.then(eth0));
        daemon.replace(&resources);
        for net in Net::both() {
            let child_passes = !rules.starts_with("applyOnForward");
            for (who, from, source, passes) in [
                ("the host as itself", &topology.host, net.host, host_passes),
                (
                    "the host as another",
                    &topology.host,
                    foreign(&net),
                    host_passes,
                ),
                ("the child", &container, child(&net), child_passes),
            ] {
                let receiver = Receiver::udp(&topology.outside, net.peer, PORT);
                let sent = send(from, source, &net);
                assert_eq!(sent.ok(), Some(5), "{who}, {rules}");
                let limit = if passes { PATIENCE } else { SILENCE };
                let arrived = receiver.receive(limit, |payload| payload == b"hello");
                assert_eq!(arrived.is_some(), passes, "{who}, {rules}, {policed}");
            }
        }
    }
}
