//! The probes of the demo: one row of the table each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    namespace::{CLIENT, HOST, ROUTER},
    probe::{Hook, Probe, Traffic},
};

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// `2001:db8:X::Y`.
const fn v6(net: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host))
}

/// The same end in both families.
type Pair = [IpAddr; 2];

const WEB: Pair = [v4(192, 0, 2, 10), v6(0, 0x10)];
const VISITOR: Pair = [v4(192, 0, 2, 77), v6(0, 0x77)];
const ADMINISTRATOR: Pair = [v4(198, 51, 100, 5), v6(0x100, 5)];
const MONITORING: Pair = [v4(198, 51, 100, 9), v6(0x100, 9)];
const RESOLVER: Pair = [v4(198, 51, 100, 53), v6(0x100, 0x53)];
const BAD: Pair = [v4(203, 0, 113, 66), v6(0xbad, 0x66)];
const INTERNAL: Pair = [v4(10, 20, 0, 2), v6(0x20, 2)];

/// From the client to the host.
const IN: &[Hook] = &[Hook {
    interface: "eth0",
    direction: "ingress",
}];
/// From the host to the client.
const OUT: &[Hook] = &[Hook {
    interface: "eth0",
    direction: "egress",
}];
/// From the client through the host to the router.
const THROUGH: &[Hook] = &[
    Hook {
        interface: "eth0",
        direction: "ingress",
    },
    Hook {
        interface: "eth1",
        direction: "egress",
    },
];

/// A row of the probes, which gives one probe per family.
struct Row(&'static str, &'static [Hook], Pair, Pair, Traffic);

const ROWS: [Row; 15] = [
    Row("visitor, web", IN, VISITOR, WEB, Traffic::Tcp(80)),
    Row(
        "visitor, web over QUIC",
        IN,
        VISITOR,
        WEB,
        Traffic::Udp(443),
    ),
    Row("visitor, ping", IN, VISITOR, WEB, Traffic::Ping),
    Row("visitor, SSH", IN, VISITOR, WEB, Traffic::Tcp(22)),
    Row(
        "visitor, some other port",
        IN,
        VISITOR,
        WEB,
        Traffic::Tcp(8080),
    ),
    Row(
        "visitor, some other service",
        IN,
        VISITOR,
        WEB,
        Traffic::Udp(5000),
    ),
    Row(
        "administrator, SSH",
        IN,
        ADMINISTRATOR,
        WEB,
        Traffic::Tcp(22),
    ),
    Row(
        "monitoring, exporter",
        IN,
        MONITORING,
        WEB,
        Traffic::Tcp(9100),
    ),
    Row("known bad, web", IN, BAD, WEB, Traffic::Tcp(80)),
    Row("known bad, ping", IN, BAD, WEB, Traffic::Ping),
    Row("host, its resolver", OUT, WEB, RESOLVER, Traffic::Udp(53)),
    Row("host, updates", OUT, WEB, VISITOR, Traffic::Tcp(443)),
    Row("host, mail to anybody", OUT, WEB, VISITOR, Traffic::Tcp(25)),
    Row(
        "visitor, through the host",
        THROUGH,
        VISITOR,
        INTERNAL,
        Traffic::Tcp(80),
    ),
    Row(
        "known bad, through the host",
        THROUGH,
        BAD,
        INTERNAL,
        Traffic::Udp(5000),
    ),
];

/// The web server over IPv4, which the live changes are about, and SSH from an administrator.
pub(crate) const WEB_V4: Probe = ROWS[0].probe(0);
pub(crate) const WEB_V6: Probe = ROWS[0].probe(1);
pub(crate) const SSH_V4: Probe = ROWS[6].probe(0);
pub(crate) const SSH_V6: Probe = ROWS[6].probe(1);

impl Row {
    const fn probe(&self, family: usize) -> Probe {
        let &Self(what, hooks, source, destination, traffic) = self;
        let is_outgoing = hooks.len() == 1 && matches!(hooks[0].direction.as_bytes(), b"egress");
        Probe {
            what,
            from: if is_outgoing { HOST } else { CLIENT },
            to: if is_outgoing {
                CLIENT
            } else if hooks.len() == 1 {
                HOST
            } else {
                ROUTER
            },
            source: source[family],
            destination: destination[family],
            traffic,
            hooks,
        }
    }
}

/// Every row, over IPv4 and then over IPv6.
pub(crate) const PROBES: &[Probe] = &{
    let mut probes = [WEB_V4; 2 * ROWS.len()];
    let mut index = 0;
    while index < probes.len() {
        probes[index] = ROWS[index / 2].probe(index % 2);
        index += 1;
    }
    probes
};
