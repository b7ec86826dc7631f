//! No eviction: established connections outlive floods of new flows, and full tables deny nothing.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    packet,
    policy::{eth0, felix, policy},
    site::Site,
};
use socket2::{Domain, Socket, Type};

use crate::{figure::Figures, frames::Flood, queues, streams};

/// The allowed port of both protocols.
const PORT: u16 = 7000;
/// The port of the connections: that of the flood has a full queue.
const CONNECTIONS_PORT: u16 = 7001;
/// A connection that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Spoofed SYNs at an allowed port
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000_000)]
    syns: u64,
    /// UDP flows of one packet each
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    datagrams: u64,
    /// UDP flows of one packet each that a server answers
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    answered: u64,
    /// Established connections that are idle meanwhile
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    connections: usize,
    /// Flows that fit into each table in the part about full tables
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    room: u32,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            syns: 100_000,
            datagrams: 100_000,
            answered: 50_000,
            connections: 100,
            room: 10,
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    floods(plan, figures);
    answered(plan, figures);
    full_tables(plan, figures);
}

/// Lets connections and datagrams in to the ports of the soak, nothing else in, and nothing out
/// but answers.
fn allow() -> [String; 2] {
    let ports = format!("destination: {{ports: [{PORT}, {CONNECTIONS_PORT}]}}");
    let rules = ["TCP", "UDP"]
        .map(|protocol| format!("{{action: Allow, protocol: {protocol}, {ports}}}"))
        .join(", ");
    [
        eth0(),
        policy(
            "web",
            &format!("types: [Ingress, Egress], ingress: [{rules}]"),
        ),
    ]
}

fn floods(plan: &Plan, figures: &mut Figures) {
    let site = Site::new();
    site.pin_neighbours();
    let daemon = Daemon::start(&site.host, &allow());
    let connections = connect(&site, plan.connections);
    // The flooded port has a server, which answers each SYN.
    let _servers = Net::both().map(|net| listen(&site, net.host, PORT));

    let syns = Net::both().map(|net| {
        let syn = packet::tcp(stranger(&net), net.host).dport(PORT);
        Flood::of(&site, &syn, 16)
    });
    let rate = send(syns, plan.syns);
    figures.tell("SYNs from as many sources", plan.syns);
    figures.tell("SYNs a second", rate);
    figures.exactly(
        "connections that pass data after the SYNs",
        alive(&connections),
        plan.connections,
    );

    let sinks = sinks(&site);
    let dropped_before = queues::dropped(&site);
    let mut received = 0;
    let rate = send_and(datagrams(&site), plan.datagrams, || {
        for sink in &sinks {
            while sink.recv(&mut [0; 16]).is_ok() {
                received += 1;
            }
        }
    });
    figures.tell("UDP flows of one packet", plan.datagrams);
    figures.tell("UDP packets a second", rate);
    let dropped = queues::dropped(&site) - dropped_before;
    figures.tell("of these, dropped by full queues of the kernel", dropped);
    figures.exactly(
        "UDP packets delivered, of the others",
        received,
        plan.datagrams - dropped,
    );
    figures.exactly(
        "connections that pass data after the UDP flows",
        alive(&connections),
        plan.connections,
    );
    figures.tell("flows not stored, counted", not_stored(&daemon));
}

/// A server that answers whoever seems to ask makes nobody's flow an established one. The tables have
/// room for the connections, and for a fraction of those that ask.
fn answered(plan: &Plan, figures: &mut Figures) {
    let site = Site::new();
    site.pin_neighbours();
    let mut resources = allow().to_vec();
    let room = 8 * plan.connections;
    resources.push(felix(&format!("bpfMapSizeConntrack: {room}")));
    let _daemon = Daemon::start(&site.host, &resources);
    let connections = connect(&site, plan.connections);
    let sinks = sinks(&site);
    let mut answers = 0;
    let rate = send_and(datagrams(&site), plan.answered, || {
        let mut request = [0; 16];
        for sink in &sinks {
            while let Ok((length, from)) = sink.recv_from(&mut request) {
                answers += u64::from(sink.send_to(&request[..length], from).is_ok());
            }
        }
    });
    figures.tell("answered UDP flows", plan.answered);
    figures.tell("answered UDP flows: flows that fit into each table", room);
    figures.tell("answered UDP flows a second", rate);
    figures.at_least(
        "answers that went out",
        answers,
        u64::try_from(10 * room)
            .expect("fits")
            .min(plan.answered / 2),
    );
    figures.exactly(
        "connections that pass data after the answered UDP flows",
        alive(&connections),
        plan.connections,
    );
}

/// More connections than fit into the tables.
fn full_tables(plan: &Plan, figures: &mut Figures) {
    let site = Site::new();
    site.pin_neighbours();
    let mut resources = allow().to_vec();
    resources.push(felix(&format!("bpfMapSizeConntrack: {}", plan.room)));
    let daemon = Daemon::start(&site.host, &resources);
    let connections = connect(&site, plan.connections);
    figures.tell("full tables: flows that fit into each", plan.room);
    figures.exactly(
        "full tables: connections that pass data",
        served(&connections),
        plan.connections,
    );
    figures.tell(
        "full tables: flows not stored, counted",
        not_stored(&daemon),
    );
}

/// Sockets of the host for the datagrams.
fn sinks(site: &Site) -> [UdpSocket; 2] {
    Net::both().map(|net| {
        site.host
            .run(|| streams::socket(net.host, PORT))
            .unwrap_or_else(|error| panic!("receive at {}: {error}", net.host))
    })
}

/// Datagrams of strangers.
fn datagrams(site: &Site) -> [Flood; 2] {
    Net::both().map(|net| {
        let datagram = packet::udp(stranger(&net), net.host).dport(PORT);
        Flood::of(site, &datagram, 6)
    })
}

/// An address of a network where nobody answers.
fn stranger(net: &Net) -> IpAddr {
    let text = if net.host.is_ipv4() {
        "198.18.0.0"
    } else {
        "2001:db8:5::"
    };
    text.parse().expect("a literal address")
}

/// Opens so many connections to the host, half of each family: clients and servers.
fn connect(site: &Site, count: usize) -> Vec<(TcpStream, TcpStream)> {
    let listeners = Net::both().map(|net| (net, listen(site, net.host, CONNECTIONS_PORT)));
    let _entered = site.outside.enter();
    (0..count)
        .map(|number| {
            let (net, listener) = &listeners[number % 2];
            let to = SocketAddr::new(net.host, CONNECTIONS_PORT);
            let socket =
                Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
            let from = SocketAddr::new(net.client, 0);
            socket.bind(&from.into()).expect("bind the source");
            socket
                .connect_timeout(&to.into(), PATIENCE)
                .unwrap_or_else(|error| panic!("connect {from} → {to}: {error}"));
            let client = TcpStream::from(socket);
            let (server, _) = listener.accept().expect("the connection is established");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("set no delay");
            }
            (client, server)
        })
        .collect()
}

fn listen(site: &Site, address: IpAddr, port: u16) -> TcpListener {
    let address = SocketAddr::new(address, port);
    site.host
        .run(|| TcpListener::bind(address))
        .unwrap_or_else(|error| panic!("listen at {address}: {error}"))
}

/// How many connections carry a byte to and fro. The host speaks first, which policy lets it do only
/// where the flow is known.
fn alive(connections: &[(TcpStream, TcpStream)]) -> usize {
    let deadline = Instant::now() + PATIENCE;
    // All together have so much time, so that broken ones do not wait one after the other.
    let hears = |mut stream: &TcpStream| {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).is_ok() && stream.read_exact(&mut [0]).is_ok()
    };
    let says = |mut stream: &TcpStream| stream.write_all(b"h").is_ok();
    let mut alive: Vec<_> = connections.iter().collect();
    alive.retain(|(_, server)| says(server));
    alive.retain(|(client, _)| hears(client));
    alive.retain(|(client, _)| says(client));
    alive.retain(|(_, server)| hears(server));
    alive.len()
}

/// How many connections carry a byte to the host and back, one after the other: all of it is what
/// policy allows, and answers to it.
fn served(connections: &[(TcpStream, TcpStream)]) -> usize {
    let hears = |mut stream: &TcpStream| {
        stream.set_read_timeout(Some(PATIENCE)).is_ok() && stream.read_exact(&mut [0]).is_ok()
    };
    let says = |mut stream: &TcpStream| stream.write_all(b"h").is_ok();
    let is_served = |(client, server): &(TcpStream, TcpStream)| {
        says(client) && hears(server) && says(server) && hears(client)
    };
    // Where one is broken, all are likely to be; each would be waited for.
    connections
        .iter()
        .take_while(|pair| is_served(pair))
        .count()
}

/// Sends `count` packets of both families in turn; how many a second.
fn send(mut floods: [Flood; 2], count: u64) -> u64 {
    let start = Instant::now();
    for number in 0..count {
        floods[usize::from(number % 2 == 1)].send();
    }
    a_second(count, start.elapsed())
}

/// As [`send`]; calls `take` again and again, to take what arrives.
fn send_and(mut floods: [Flood; 2], count: u64, mut take: impl FnMut()) -> u64 {
    let start = Instant::now();
    for number in 0..count {
        floods[usize::from(number % 2 == 1)].send();
        if number % 256 == 255 {
            take();
        }
    }
    let rate = a_second(count, start.elapsed());
    std::thread::sleep(Duration::from_millis(100));
    take();
    rate
}

fn a_second(count: u64, time: Duration) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000_000) / micros
}

/// Packets whose flow could not be stored, over all interfaces.
fn not_stored(daemon: &Daemon) -> u64 {
    let counters = daemon.show("counters");
    let counters = counters.as_array().expect("a list");
    counters
        .iter()
        .filter(|counter| counter["reason"] == "ct_create_failed")
        .filter_map(|counter| counter["packets"].as_u64())
        .sum()
}
