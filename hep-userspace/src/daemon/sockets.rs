//! Connections of this host that are older than hep's policy (spec EV-158).
//!
//! Read from `/proc/net`, which has the same data as sock_diag and ctnetlink: the host's connected TCP and
//! UDP sockets, and the flows of the kernel's connection tracking if that is loaded and readable.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

use hep_common::protocol;

use crate::datapath::SeedFlow;

/// `TCP_LISTEN`.
pub(super) const LISTEN: u8 = 0x0a;
/// States in which data may still arrive: established, both FIN-WAITs, CLOSE-WAIT, LAST-ACK, CLOSING.
const OPEN: [u8; 6] = [0x01, 0x04, 0x05, 0x08, 0x09, 0x0b];

/// A line of `/proc/net/tcp`, `tcp6`, `udp` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local: (IpAddr, u16),
    pub(super) remote: (IpAddr, u16),
    pub(super) state: u8,
    /// Inode; 0 if no process holds the socket any more.
    pub(super) inode: u64,
}

impl Socket {
    /// Whether data may still arrive.
    pub(super) fn is_open(&self) -> bool {
        OPEN.contains(&self.state) && self.remote.1 != 0
    }
}

/// All connections of this network namespace.
#[must_use]
pub fn connections() -> Vec<SeedFlow> {
    let mut found = BTreeSet::new();
    for (number, files) in [
        (protocol::TCP, ["tcp", "tcp6"]),
        (protocol::UDP, ["udp", "udp6"]),
    ] {
        let sockets: Vec<Socket> = files.iter().flat_map(|file| sockets(&read(file))).collect();
        found.extend(flows(number, &sockets));
    }
    found.extend(tracked(&read("nf_conntrack")));
    found.into_iter().collect()
}

/// The TCP sockets of this network namespace.
pub(super) fn tcp() -> Vec<Socket> {
    let files = ["tcp", "tcp6"].iter();
    files.flat_map(|file| sockets(&read(file))).collect()
}

/// Inodes of the sockets that a process holds, whose directory in /proc is `process`.
pub(super) fn held_by(process: &Path) -> BTreeSet<u64> {
    let files = fs::read_dir(process.join("fd"));
    let targets = files.into_iter().flatten().flatten();
    targets
        .filter_map(|file| socket_inode(fs::read_link(file.path()).ok()?.to_str()?))
        .collect()
}

/// Parses `socket:[4711]`.
fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// The connections to other hosts that this process opened.
pub(super) fn own_connections() -> Vec<Socket> {
    let held = held_by(Path::new("/proc/self"));
    let all = tcp();
    let is_served = |socket: &Socket| {
        let mut all = all.iter();
        all.any(|other| other.state == LISTEN && other.local.1 == socket.local.1)
    };
    let is_ours = |socket: &&Socket| {
        socket.is_open()
            && held.contains(&socket.inode)
            && !socket.remote.0.is_loopback()
            && !is_served(socket)
    };
    all.iter().filter(is_ours).copied().collect()
}

fn read(name: &str) -> String {
    // The file is missing if the kernel lacks the protocol.
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

fn sockets(text: &str) -> Vec<Socket> {
    text.lines().skip(1).filter_map(socket).collect()
}

/// Parses `0: 0A0000C0:0016 0700A8C0:9C40 01 queues timer retransmits uid timeout inode …`.
fn socket(line: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    Some(Socket {
        local: end(words.next()?)?,
        remote: end(words.next()?)?,
        state: u8::from_str_radix(words.next()?, 16).ok()?,
        inode: words.nth(5).and_then(|word| word.parse().ok()).unwrap_or(0),
    })
}

/// Parses address and port; the address is printed as 32-bit words in the machine's byte order.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let words: Option<Vec<[u8; 4]>> = (0..address.len() / 8)
        .map(|index| {
            let word = address.get(index * 8..index * 8 + 8)?;
            Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
        })
        .collect();
    let address = match words?.as_slice() {
        [v4] => IpAddr::from(*v4),
        words @ [_, _, _, _] => {
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

/// Converts sockets to flows. The peer is the opener of a connection whose local port has a listener.
fn flows(number: u8, sockets: &[Socket]) -> Vec<SeedFlow> {
    let listening: BTreeSet<u16> = sockets
        .iter()
        .filter(|socket| socket.state == LISTEN)
        .map(|socket| socket.local.1)
        .collect();
    sockets
        .iter()
        .filter(|socket| socket.is_open())
        .filter(|socket| !socket.local.0.is_loopback())
        .map(|socket| {
            let (opener, responder) = if listening.contains(&socket.local.1) {
                (socket.remote, socket.local)
            } else {
                (socket.local, socket.remote)
            };
            SeedFlow {
                protocol: number,
                opener,
                responder,
                assured: true,
            }
        })
        .collect()
}

/// Parses the flows of `/proc/net/nf_conntrack` that saw packets both ways. Where addresses are translated,
/// the two directions are different flows on the wire, and both are kept.
fn tracked(text: &str) -> Vec<SeedFlow> {
    text.lines()
        .filter(|line| !line.contains("[UNREPLIED]"))
        .flat_map(|line| tracked_flow(line).unwrap_or_default())
        .collect()
}

/// Parses `ipv4 2 tcp 6 431999 ESTABLISHED src=… dst=… sport=… dport=… src=… dst=… sport=… dport=… …`.
fn tracked_flow(line: &str) -> Option<Vec<SeedFlow>> {
    let number: u8 = line.split_ascii_whitespace().nth(3)?.parse().ok()?;
    if number == protocol::TCP && !line.contains(" ESTABLISHED ") {
        return None;
    }
    if !protocol::is_keyed_by_ports(number) {
        return None;
    }
    let values = |key: &str| -> Vec<&str> {
        line.split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='))
            .collect()
    };
    let (sources, destinations) = (values("src"), values("dst"));
    let (source_ports, destination_ports) = (values("sport"), values("dport"));
    let end = |addresses: &[&str], ports: &[&str], tuple: usize| {
        let address: IpAddr = addresses.get(tuple)?.parse().ok()?;
        let port: u16 = ports.get(tuple)?.parse().ok()?;
        Some((address, port))
    };
    let assured = line.contains("[ASSURED]");
    let original = SeedFlow {
        assured,
        protocol: number,
        opener: end(&sources, &source_ports, 0)?,
        responder: end(&destinations, &destination_ports, 0)?,
    };
    let translated = SeedFlow {
        assured,
        protocol: number,
        opener: end(&destinations, &destination_ports, 1)?,
        responder: end(&sources, &source_ports, 1)?,
    };
    Some(if translated == original {
        vec![original]
    } else {
        vec![original, translated]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, port: u16) -> (IpAddr, u16) {
        (address.parse().expect("the test writes addresses"), port)
    }

    fn flow(number: u8, opener: (IpAddr, u16), responder: (IpAddr, u16)) -> SeedFlow {
        SeedFlow {
            assured: number == protocol::TCP,
            protocol: number,
            opener,
            responder,
        }
    }

    /// EV-158: a local port in LISTEN means that the peer opened.
    #[test]
    #[cfg(target_endian = "little")]
    fn who_opened_a_connection_follows_from_the_listening_ports() {
        let v4 = "  sl  local_address rem_address   st\n\
            0: 00000000:0016 00000000:0000 0A 0\n\
            1: 0A0200C0:0016 076433C6:9C40 01 0\n\
            2: 0A0200C0:C350 076433C6:01BB 08 0\n\
            3: 0A0200C0:0016 076433C6:9C41 06 0\n\
            4: 0100007F:C351 0100007F:1F90 01 0\n";
        let v6 = "  sl\n\
            0: B80D0120000000000000000010000000:0016 B80D0120000000000000000007000000:9C40 01 0\n\
            1: 0000000000000000FFFF00000A0200C0:0050 0000000000000000FFFF0000076433C6:9C42 01 0\n";
        let all: Vec<Socket> = [v4, v6].iter().flat_map(|text| sockets(text)).collect();
        let host = "192.0.2.10";
        let peer = "198.51.100.7";
        assert_eq!(
            flows(protocol::TCP, &all),
            [
                flow(protocol::TCP, at(peer, 40_000), at(host, 22)),
                flow(protocol::TCP, at(host, 50_000), at(peer, 443)),
                flow(
                    protocol::TCP,
                    at("2001:db8::7", 40_000),
                    at("2001:db8::10", 22)
                ),
                // An IPv4 connection of a socket of both families; nobody is seen to listen.
                flow(protocol::TCP, at(host, 80), at(peer, 40_002)),
            ]
        );
    }

    /// EV-158: tracked flows, and both forms of translated ones.
    #[test]
    fn tracked_flows_are_taken_as_they_are_on_the_wire() {
        let text = "ipv4     2 tcp      6 431999 ESTABLISHED src=198.51.100.7 dst=192.0.2.10 \
            sport=40000 dport=22 src=192.0.2.10 dst=198.51.100.7 sport=22 dport=40000 [ASSURED] \
            mark=0 use=1\n\
            ipv4     2 udp      17 29 src=10.0.0.5 dst=198.51.100.7 sport=5000 dport=53 \
            src=198.51.100.7 dst=192.0.2.10 sport=53 dport=61000 mark=0 use=1\n\
            ipv6     10 udp      17 29 src=2001:db8::7 dst=2001:db8::10 sport=1 dport=2 \
            [UNREPLIED] src=2001:db8::10 dst=2001:db8::7 sport=2 dport=1 mark=0 use=1\n\
            ipv4     2 icmp     1 29 src=10.0.0.5 dst=198.51.100.7 type=8 code=0 id=1 src=198.51.100.7 \
            dst=10.0.0.5 type=0 code=0 id=1 mark=0 use=1\n";
        let dns = at("198.51.100.7", 53);
        assert_eq!(
            tracked(text),
            [
                flow(
                    protocol::TCP,
                    at("198.51.100.7", 40_000),
                    at("192.0.2.10", 22)
                ),
                flow(protocol::UDP, at("10.0.0.5", 5000), dns),
                flow(protocol::UDP, at("192.0.2.10", 61_000), dns),
            ]
        );
    }

    #[test]
    fn links_of_sockets_hold_the_inode() {
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        assert_eq!(socket_inode("pipe:[4711]"), None);
    }
}
