//! Transparent proxies, whose packets nothing translates.

use std::{io, net::SocketAddr};

use hep_common::Family;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{eth0, policy},
    probe::{PATIENCE, SILENCE, listen},
    topology::Topology,
};
use socket2::{Domain, Socket, Type};

use super::{nft_family, topology, vip, wait_for, web};

/// EV-260: TPROXY, which translates nothing: a local socket takes packets for another address. Local
/// routes by mark are alike, and neither needs the kernel's connection tracking.
#[test]
fn ev_260_what_tproxy_hands_to_a_local_socket_is_judged() {
    let topology = topology();
    for net in Net::both() {
        let (ip, vip) = (nft_family(&net), vip(&net));
        let to = match net.family {
            Family::V4 => format!("tproxy ip to {}:3129", net.host),
            Family::V6 => format!("tproxy ip6 to [{}]:3129", net.host),
        };
        let family = if net.family == Family::V4 { "-4" } else { "-6" };
        let table = format!("tproxy{ip}");
        topology.host.command(
            "nft",
            &[&format!(
                "add table {ip} {table}; \
                 add chain {ip} {table} pre {{ type filter hook prerouting priority mangle; }}; \
                 add rule {ip} {table} pre {ip} daddr {vip} tcp dport {{ 80, 443 }} {to} \
                 meta mark set 1 accept; \
                 add rule {ip} {table} pre {ip} daddr {vip} tcp sport 9000 meta mark set 1"
            )],
        );
        topology.host.command(
            "ip",
            &[family, "rule", "add", "fwmark", "1", "lookup", "100"],
        );
    }
    let _listeners: Vec<Socket> = Net::both()
        .iter()
        .map(|net| transparent_listener(&topology, SocketAddr::new(net.host, 3129)))
        .collect();
    let routes = |verb: &str| {
        for family in ["-4", "-6"] {
            let route = [
                family, "route", verb, "local", "default", "dev", "lo", "table", "100",
            ];
            topology.host.command("ip", &route);
        }
    };
    routes("add");
    let expect = |what: &str, [http, https]: [bool; 2]| {
        for net in Net::both() {
            let limit = |wanted| if wanted { PATIENCE } else { SILENCE };
            for (port, wanted) in [(80, http), (443, https)] {
                let to = SocketAddr::new(vip(&net), port);
                let connected = topology
                    .outside
                    .run(|| std::net::TcpStream::connect_timeout(&to, limit(wanted)).is_ok());
                assert_eq!(connected, wanted, "{what}: {to}");
            }
            assert!(
                opens_from_vip(&topology, &net),
                "{what}: answers to the VIP"
            );
        }
    };
    expect("no policy", [true, true]);
    // The host's own connections are its own from the VIP, too (EV-261).
    let out = policy("out", "types: [Egress], egress: [{action: Allow}]");
    let daemon = Daemon::start(&topology.host, &[eth0(), web(), out]);
    if !wait_for(&daemon, "attached") {
        return;
    }
    expect("without connection tracking", [false, true]);
    topology.host.command(
        "nft",
        &["add table inet track; \
           add chain inet track pre { type filter hook prerouting priority 0; }; \
           add rule inet track pre ct state new counter"],
    );
    expect("with connection tracking", [false, true]);
    routes("del");
    wait_for(&daemon, "not-needed");
}

/// Whether the host gets answers to what it sends from the VIP, as transparent proxies do.
fn opens_from_vip(topology: &Topology, net: &Net) -> bool {
    let to = SocketAddr::new(net.peer, 9000);
    let _listener = listen(topology, net.peer, 9000);
    topology.host.run(|| {
        let socket = transparent(SocketAddr::new(vip(net), 0)).expect("a socket at the VIP");
        socket.connect_timeout(&to.into(), PATIENCE).is_ok()
    })
}

/// A TCP socket that may have any address, at this one.
fn transparent(at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    if at.is_ipv4() {
        socket.set_ip_transparent_v4(true)?;
    } else {
        socket.set_ip_transparent_v6(true)?;
    }
    socket.bind(&at.into())?;
    Ok(socket)
}

/// A socket that takes connections to any address.
fn transparent_listener(topology: &Topology, at: SocketAddr) -> Socket {
    topology.host.bind(|| {
        let socket = transparent(at)?;
        socket.listen(16)?;
        Ok(socket)
    })
}
