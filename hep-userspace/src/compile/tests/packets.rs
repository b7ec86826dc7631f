//! Packets in few words, and their judgement by a snapshot's tables.

use hep_common::{Direction, counter::Reason, protocol};

use super::{
    fixture::{address, compiled},
    walker::{self, Packet},
};
use crate::{compile::Generation, model::Snapshot};

fn packet(source: &str, destination: &str, protocol: u8) -> Packet {
    Packet {
        source: address(source),
        destination: address(destination),
        protocol,
        ports: None,
        icmp: None,
    }
}

pub(in crate::compile) fn tcp(source: &str, destination: &str, port: u16) -> Packet {
    Packet {
        ports: Some((40_000, port)),
        ..packet(source, destination, protocol::TCP)
    }
}

pub(in crate::compile) fn udp(source: &str, destination: &str, ports: (u16, u16)) -> Packet {
    Packet {
        ports: Some(ports),
        ..packet(source, destination, protocol::UDP)
    }
}

pub(in crate::compile) fn icmp6(source: &str, destination: &str, icmp_type: u8) -> Packet {
    Packet {
        icmp: Some((icmp_type, 0)),
        ..packet(source, destination, protocol::ICMPV6)
    }
}

pub(in crate::compile) fn portless(source: &str, destination: &str, protocol: u8) -> Packet {
    packet(source, destination, protocol)
}

/// Where a packet is judged.
#[derive(Clone, Copy, Debug)]
pub(in crate::compile) enum At {
    /// To the host, at this interface.
    In(u32),
    /// From the host.
    Out(u32),
    /// Through the host, where it comes in.
    ForwardedIn(u32),
    /// Through the host, where it goes out.
    ForwardedOut(u32),
}

/// Judges a packet in a snapshot's generation.
pub(in crate::compile) fn judge(generation: &Generation, at: At, packet: &Packet) -> Reason {
    outcome(generation, at, packet).reason
}

pub(in crate::compile) fn outcome(
    generation: &Generation,
    at: At,
    packet: &Packet,
) -> walker::Outcome {
    let (ifindex, direction, forwarded) = match at {
        At::In(ifindex) => (ifindex, Direction::Ingress, false),
        At::Out(ifindex) => (ifindex, Direction::Egress, false),
        At::ForwardedIn(ifindex) => (ifindex, Direction::Ingress, true),
        At::ForwardedOut(ifindex) => (ifindex, Direction::Egress, true),
    };
    walker::judge(generation, ifindex, direction, forwarded, packet)
}

/// Judges rows of (name, where, packet, reason).
pub(in crate::compile) fn check(snapshot: &Snapshot, rows: &[(&str, At, Packet, Reason)]) {
    let generation = compiled(snapshot);
    for (name, at, packet, expected) in rows {
        assert_eq!(
            judge(&generation, *at, packet),
            *expected,
            "{name}: {at:?} {packet:?}"
        );
    }
}
