//! Where packets travel: namespaces of one contender, fresh for every case.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hep_tests::{
    namespace::Namespace,
    packet::{self, Mac, Packet},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::generator::{Course, Generator};
use crate::{fixture::OWN_ADDRESSES, policy};

/// The interface that packets are sent by, outside of the host.
const OUTSIDE: &str = "gen0";
/// The host's interface towards the inside.
pub(super) const INSIDE: &str = "bench1";
/// The interface in the inside.
const FAR: &str = "far0";

/// Ethernet addresses of [`OUTSIDE`], the host's two interfaces, and [`FAR`].
const MACS: [Mac; 4] = [
    [2, 0, 0, 0, 0, 1],
    [2, 0, 0, 0, 0, 2],
    [2, 0, 0, 0, 0, 3],
    [2, 0, 0, 0, 0, 4],
];
/// Destination of forwarded packets: no machine has it, so they end where they arrive.
const NOBODY: Mac = [2, 0, 0, 0, 0, 5];

/// How long packets under way are waited for.
const ARRIVAL: Duration = Duration::from_secs(5);

/// Which packets are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From outside to a socket of the host.
    In,
    /// From outside through the host to the inside.
    Through,
}

impl Way {
    /// The address that packets are for.
    fn destination(self, v6: bool) -> IpAddr {
        match (self, v6) {
            (Self::In, false) => OWN_ADDRESSES[0],
            (Self::In, true) => OWN_ADDRESSES[1],
            (Self::Through, false) => IpAddr::from([198, 51, 100, 7]),
            (Self::Through, true) => IpAddr::from([0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 7]),
        }
    }
}

/// A flow of datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) source: IpAddr,
    pub(super) source_port: u16,
    pub(super) port: u16,
}

impl Flow {
    /// A packet of this flow that takes this way.
    pub(super) fn packet(&self, way: Way) -> Packet {
        packet::udp(self.source, way.destination(self.source.is_ipv6()))
            .sport(self.source_port)
            .dport(self.port)
            .ethernet(MACS[0], MACS[1])
    }
}

/// outside ── host ── inside.
pub(super) struct Testbed {
    way: Way,
    outside: Namespace,
    host: Namespace,
    inside: Namespace,
    /// Full from the first packets on, so that the others end there.
    sockets: Vec<(SocketAddr, Socket)>,
}

/// Counts and cost of packets that were sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passage {
    /// Time of a packet.
    pub(super) cost_ns: f64,
    pub(super) sent: u64,
    /// Seen by the host's outer interface.
    pub(super) received: u64,
    /// Delivered to a socket, or to the inside.
    pub(super) accepted: u64,
}

impl Testbed {
    /// Makes the namespaces; `ports` are those that a socket waits at.
    pub(super) fn new(way: Way, ports: &[u16]) -> Result<Self> {
        let testbed = Self {
            way,
            outside: Namespace::new("outside"),
            host: Namespace::new("host"),
            inside: Namespace::new("inside"),
            sockets: Vec::new(),
        };
        let [outer_mac, host_mac, inner_mac, far_mac] = MACS.map(text);
        let (outside, inside) = (testbed.outside.name(), testbed.inside.name());
        let bench = policy::INTERFACE;
        testbed.host.ip(&format!(
            "link add {bench} address {host_mac} numtxqueues 1 numrxqueues 1 type veth \
             peer name {OUTSIDE} address {outer_mac} numtxqueues 1 numrxqueues 1 netns {outside}\n\
             link add {INSIDE} address {inner_mac} numtxqueues 1 numrxqueues 1 type veth \
             peer name {FAR} address {far_mac} numtxqueues 1 numrxqueues 1 netns {inside}"
        ));
        for key in ["all", "default", bench] {
            testbed
                .host
                .sysctl(&format!("net/ipv4/conf/{key}/rp_filter"), "0");
        }
        for key in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            let forwards = if way == Way::Through { "1" } else { "0" };
            testbed.host.sysctl(key, forwards);
        }
        // The receiver takes redirected frames only with NAPI, which generic receive offload brings.
        for (namespace, interface) in [
            (&testbed.outside, OUTSIDE),
            (&testbed.host, bench),
            (&testbed.host, INSIDE),
            (&testbed.inside, FAR),
        ] {
            namespace.command("ethtool", &["-K", interface, "gro", "on"]);
        }
        // Without addresses they say nothing of their own.
        for (namespace, interface) in [(&testbed.outside, OUTSIDE), (&testbed.inside, FAR)] {
            namespace.ip(&format!(
                "link set {interface} addrgenmode none\nlink set {interface} up"
            ));
        }
        let [v4, v6] = OWN_ADDRESSES;
        testbed.host.ip(&format!(
            "address add {v4}/24 dev {bench}\naddress add {v6}/64 dev {bench} nodad\n\
             address add 198.51.100.10/24 dev {INSIDE}\naddress add 2001:db8:100::10/64 dev {INSIDE} nodad\n\
             link set {bench} up\nlink set {INSIDE} up\n\
             neighbour add 192.0.2.1 lladdr {outer_mac} dev {bench} nud permanent\n\
             neighbour add 2001:db8::1 lladdr {outer_mac} dev {bench} nud permanent\n\
             neighbour add {} lladdr {nobody} dev {INSIDE} nud permanent\n\
             neighbour add {} lladdr {nobody} dev {INSIDE} nud permanent\n\
             route add default via 192.0.2.1\nroute add default via 2001:db8::1",
            Way::Through.destination(false),
            Way::Through.destination(true),
            nobody = text(NOBODY),
        ));
        testbed.listen(ports)
    }

    /// Opens sockets of both families that hold next to nothing.
    fn listen(mut self, ports: &[u16]) -> Result<Self> {
        for address in OWN_ADDRESSES {
            for port in ports {
                let address = SocketAddr::new(address, *port);
                let socket = self.host.run(|| {
                    let socket = Socket::new(
                        Domain::for_address(address),
                        Type::DGRAM,
                        Some(Protocol::UDP),
                    )?;
                    socket.set_recv_buffer_size(0)?;
                    socket.bind(&address.into())?;
                    anyhow::Ok(socket)
                });
                let socket = socket.with_context(|| format!("listen at {address}"))?;
                self.sockets.push((address, socket));
            }
        }
        Ok(self)
    }

    /// The host, where the contender works.
    pub(super) fn host(&self) -> &Namespace {
        &self.host
    }

    /// Sends packets of a course and waits until they have arrived.
    pub(super) fn send(
        &self,
        generator: &mut Generator,
        course: &Course,
        packets: u32,
    ) -> Result<Passage> {
        let before = self.counts()?;
        let cost = generator.send(course, &self.outside, OUTSIDE, packets)?;
        let deadline = Instant::now() + ARRIVAL;
        loop {
            let now = self.counts()?;
            let passage = Passage {
                cost_ns: cost.as_secs_f64() * 1e9,
                sent: u64::from(packets),
                received: now.received - before.received,
                accepted: now.accepted - before.accepted,
            };
            if passage.received >= passage.sent || Instant::now() > deadline {
                return Ok(passage);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Answers a packet of each flow, as a server or a host of the inside would.
    pub(super) fn answer(&self, generator: &mut Generator, flows: &[Flow]) -> Result<()> {
        match self.way {
            Way::In => self.host.run(|| {
                for flow in flows {
                    let (_, socket) = self
                        .sockets
                        .iter()
                        .find(|(at, _)| {
                            at.port() == flow.port && at.is_ipv6() == flow.source.is_ipv6()
                        })
                        .context("no socket to answer from")?;
                    let peer = SocketAddr::new(flow.source, flow.source_port);
                    socket.send_to(b"h", &peer.into())?;
                }
                Ok(())
            }),
            Way::Through => {
                let replies = flows
                    .iter()
                    .map(|flow| flow.packet(self.way).reversed().ethernet(MACS[3], MACS[2]));
                let course = Course::new(replies);
                generator.follow(&course)?;
                generator.send(&course, &self.inside, FAR, course.flows())?;
                Ok(())
            }
        }
    }

    /// Packets that have passed until now.
    fn counts(&self) -> Result<Counts> {
        let received = received_by(&self.host, policy::INTERFACE)?;
        let accepted = match self.way {
            Way::In => {
                let v4 = self.host.run(|| datagrams("snmp"))?;
                let v6 = self.host.run(|| datagrams("snmp6"))?;
                v4 + v6
            }
            Way::Through => received_by(&self.inside, FAR)?,
        };
        Ok(Counts { received, accepted })
    }
}

/// Packets until now.
struct Counts {
    received: u64,
    accepted: u64,
}

/// Packets that an interface has received.
fn received_by(namespace: &Namespace, interface: &str) -> Result<u64> {
    let text = namespace.run(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
    text.lines()
        .filter_map(|line| line.trim().split_once(':'))
        .find(|(name, _)| *name == interface)
        .and_then(|(_, numbers)| numbers.split_whitespace().nth(1)?.parse().ok())
        .with_context(|| format!("no counter of {interface}"))
}

/// Datagrams that reached a socket of this thread's namespace, full or not.
fn datagrams(file: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
    let find = |field: &str| match file {
        "snmp6" => text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(name, _)| *name == format!("Udp6{field}"))
            .and_then(|(_, value)| value.trim().parse::<u64>().ok()),
        _ => {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
            let position = lines.next()?.split(' ').position(|name| name == field)?;
            lines.next()?.split(' ').nth(position)?.parse().ok()
        }
    };
    let [delivered, full] = ["InDatagrams", "RcvbufErrors"]
        .map(|field| find(field).with_context(|| format!("no {field} in {file}")));
    Ok(delivered? + full?)
}

/// An Ethernet address as `ip` reads it.
fn text(address: Mac) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
