//! Transport headers: ports, TCP flags, ICMP types and identifiers (spec EV-179, EV-181).

use hep_common::{conntrack::Segment, counter::Reason, protocol};

use super::packet::{Fragment, Packet, Ports};
use crate::frame::{Direct, Load, Wire as _, wire};

/// Flags of a TCP header.
pub(crate) mod tcp {
    /// No more data from the sender.
    pub(crate) const FIN: u8 = 1 << 0;
    /// Synchronise sequence numbers.
    pub(crate) const SYN: u8 = 1 << 1;
    /// Reset the connection.
    pub(crate) const RST: u8 = 1 << 2;
    /// The acknowledgement field counts.
    pub(crate) const ACK: u8 = 1 << 4;
    /// Those that matter for a connection's state.
    pub(crate) const STATE: u8 = FIN | SYN | RST | ACK;
}

wire! {
    /// The part of a TCP header up to its flags.
    struct Tcp {
        src_port: 2,
        dst_port: 2,
        sequence: 4,
        acknowledgement: 4,
        data_offset: 1,
        flags: 1,
    }
}

impl Tcp {
    /// The numbers of a segment that, with this header, has `bytes`.
    #[inline(always)]
    fn segment(&self, bytes: u32) -> Segment {
        let [offset] = self.data_offset;
        let header_bytes = u32::from(offset >> 4).wrapping_mul(4);
        Segment {
            sequence: u32::from_be_bytes(self.sequence),
            acknowledgement: u32::from_be_bytes(self.acknowledgement),
            payload: bytes.saturating_sub(header_bytes),
        }
    }
}

wire! {
    /// The ports, first in the header of every protocol that has them.
    struct PortPair {
        src: 2,
        dst: 2,
    }
}

wire! {
    /// The part of an ICMP header that all types share, and where queries have their identifier.
    struct Icmp {
        kind: 1,
        code: 1,
        checksum: 2,
        identifier: 2,
    }
}

wire! {
    /// The head of an SCTP chunk.
    struct Chunk {
        kind: 1,
        flags: 1,
        length: 2,
    }
}

/// Length of an SCTP header; chunks follow.
const SCTP_BYTES: u32 = 12;

/// Least payload of a packet of `protocol`, bytes; for a first fragment, the bytes that are read.
#[inline(always)]
const fn minimum_bytes(protocol: u8, fragment: Fragment) -> u32 {
    match (protocol, fragment) {
        (protocol::TCP, Fragment::Whole) => 20,
        (protocol::TCP, _) => 14,
        (protocol::SCTP, Fragment::Whole) => SCTP_BYTES,
        (protocol::DCCP, Fragment::Whole) => 12,
        (protocol::UDP | protocol::UDPLITE | protocol::DCCP | protocol::SCTP, _)
        | (protocol::ICMP | protocol::ICMPV6, _) => 8,
        _ => 0,
    }
}

/// Whether an ICMP query or reply of this protocol and type carries an identifier; for a node information
/// query the type of query counts as one.
#[inline(always)]
pub(super) const fn has_identifier(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(kind, 0 | 8 | 13..=18),
        protocol::ICMPV6 => matches!(kind, 128 | 129 | 139 | 140),
        _ => false,
    }
}

/// Reads the transport header of `packet`, whose payload is `available` bytes.
#[inline(always)]
pub(super) fn parse<A>(
    frame: &impl Load,
    packet: &mut Packet<A>,
    available: u32,
) -> Result<(), Reason> {
    match packet.fragment {
        Fragment::Later => return Ok(()),
        Fragment::Whole | Fragment::First => {}
    }
    if available < minimum_bytes(packet.protocol, packet.fragment) {
        return Err(match packet.fragment {
            Fragment::Whole => Reason::Truncated,
            Fragment::First | Fragment::Later => Reason::BadFragment,
        });
    }
    match packet.protocol {
        protocol::TCP => {
            let header: Tcp = frame.read(packet.transport)?;
            packet.src_port = u16::from_be_bytes(header.src_port);
            packet.dst_port = u16::from_be_bytes(header.dst_port);
            [packet.tcp_flags] = header.flags;
            if packet.fragment == Fragment::Whole {
                packet.segment = header.segment(available);
            }
        }
        protocol if protocol::is_keyed_by_ports(protocol) => {
            read_ports(frame, packet)?;
            if protocol == protocol::SCTP {
                packet.sctp_chunk = only_chunk(frame, packet.transport, available);
            }
        }
        protocol::ICMP | protocol::ICMPV6 => {
            let header: Icmp = frame.read(packet.transport)?;
            [packet.icmp_type] = header.kind;
            [packet.icmp_code] = header.code;
            if has_identifier(packet.protocol, packet.icmp_type) {
                packet.src_port = u16::from_be_bytes(header.identifier);
                packet.dst_port = packet.src_port;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Reads the ports of a protocol that has them first in its header.
#[inline(always)]
fn read_ports<A>(frame: &impl Load, packet: &mut Packet<A>) -> Result<(), Reason> {
    let header: PortPair = frame.read(packet.transport)?;
    packet.src_port = u16::from_be_bytes(header.src);
    packet.dst_port = u16::from_be_bytes(header.dst);
    Ok(())
}

/// The type of the only chunk of an SCTP packet whose header is at `offset` and which has `available`
/// bytes; 0 if it has more than one, or none (spec EV-267).
#[inline(always)]
fn only_chunk(frame: &impl Load, offset: u32, available: u32) -> u8 {
    if available < SCTP_BYTES.wrapping_add(Chunk::BYTES) {
        return 0;
    }
    let chunk: Result<Chunk, Reason> = frame.read(offset.wrapping_add(SCTP_BYTES));
    let Ok(chunk) = chunk else {
        return 0;
    };
    let [kind] = chunk.kind;
    // Chunks are padded to words.
    let bytes = u32::from(u16::from_be_bytes(chunk.length)).wrapping_add(3) & !3;
    if SCTP_BYTES.wrapping_add(bytes) < available {
        return 0;
    }
    kind
}

/// Reads the transport header, at `offset`, of a packet that may be a [plain](super::Plain) one; the packet
/// is `bytes` long, including the bytes `before` this header.
#[inline(always)]
pub(super) fn plain(
    direct: &Direct,
    protocol: u8,
    offset: u32,
    bytes: u32,
    before: u32,
) -> Option<Ports> {
    let is_whole =
        |protocol| bytes >= before.wrapping_add(minimum_bytes(protocol, Fragment::Whole));
    let (src, dst, [tcp_flags], segment) = match protocol {
        protocol::TCP if is_whole(protocol::TCP) => {
            let header: Tcp = direct.read(offset)?;
            let segment = header.segment(bytes.wrapping_sub(before));
            (header.src_port, header.dst_port, header.flags, segment)
        }
        protocol::UDP if is_whole(protocol::UDP) => {
            let header: PortPair = direct.read(offset)?;
            (header.src, header.dst, [0], Segment::default())
        }
        _ => return None,
    };
    Some(Ports {
        src: u16::from_be_bytes(src),
        dst: u16::from_be_bytes(dst),
        tcp_flags,
        segment,
    })
}

/// Reads the part of a transport header that an ICMP error is sure to quote (spec EV-174).
#[inline(always)]
pub(super) fn quoted<A>(frame: &impl Load, packet: &mut Packet<A>) -> Result<(), Reason> {
    match packet.protocol {
        protocol if protocol::is_keyed_by_ports(protocol) => read_ports(frame, packet)?,
        protocol::ICMP | protocol::ICMPV6 => {
            let header: Icmp = frame.read(packet.transport)?;
            [packet.icmp_type] = header.kind;
            if has_identifier(packet.protocol, packet.icmp_type) {
                packet.src_port = u16::from_be_bytes(header.identifier);
                packet.dst_port = packet.src_port;
            }
        }
        _ => {}
    }
    Ok(())
}
