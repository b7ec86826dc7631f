//! Packets as parsed.

use hep_common::conntrack::Segment;

/// How much of a fragmented packet a frame is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fragment {
    /// Not fragmented.
    Whole = 0,
    /// The first fragment: it has the transport header.
    First = 1,
    /// Any other.
    Later = 2,
}

/// A parsed packet: all that rules and the connection table need.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Packet<A> {
    /// Network byte order.
    pub(crate) src: A,
    /// Network byte order.
    pub(crate) dst: A,
    /// Host byte order; for ICMP queries the identifier; 0 if there is none.
    pub(crate) src_port: u16,
    /// Host byte order; for ICMP queries the identifier; 0 if there is none.
    pub(crate) dst_port: u16,
    /// IANA number of the upper-layer protocol.
    pub(crate) protocol: u8,
    /// Flags of a TCP header, as in [`tcp`](super::tcp).
    pub(crate) tcp_flags: u8,
    /// ICMP type.
    pub(crate) icmp_type: u8,
    /// ICMP code.
    pub(crate) icmp_code: u8,
    /// Time to live or hop limit; of a plain packet 0.
    pub(crate) hop_limit: u8,
    /// Type of service, or the low byte of the traffic class.
    pub(crate) tos: u8,
    /// The protocol number that all fragments of the packet have in common.
    pub(crate) fragment_protocol: u8,
    /// How much of a fragmented packet this is.
    pub(crate) fragment: Fragment,
    /// Type of the chunk of an SCTP packet that has one only; else 0, which is DATA.
    pub(crate) sctp_chunk: u8,
    /// Identification of the fragmented packet, host byte order.
    pub(crate) fragment_id: u32,
    /// Where the transport header starts, from the start of the frame.
    pub(crate) transport: u32,
    /// Numbers of a TCP segment that is no fragment.
    pub(crate) segment: Segment,
}

impl<A> Packet<A> {
    /// A packet of which nothing but its addresses and protocol are known.
    #[inline(always)]
    pub(crate) const fn bare(src: A, dst: A, protocol: u8) -> Self {
        Self {
            src,
            dst,
            src_port: 0,
            dst_port: 0,
            protocol,
            tcp_flags: 0,
            icmp_type: 0,
            icmp_code: 0,
            hop_limit: 0,
            tos: 0,
            fragment_protocol: 0,
            fragment: Fragment::Whole,
            sctp_chunk: 0,
            fragment_id: 0,
            transport: 0,
            segment: Segment {
                sequence: 0,
                acknowledgement: 0,
                payload: 0,
            },
        }
    }
}

/// A packet of the most common form: TCP or UDP, without IP options, extension headers or fragments; all
/// headers in the linear area.
#[derive(Clone, Copy)]
pub(crate) struct Plain<A> {
    /// Network byte order.
    pub(crate) src: A,
    /// Network byte order.
    pub(crate) dst: A,
    /// Host byte order.
    pub(crate) ports: Ports,
    /// TCP or UDP, IANA number.
    pub(crate) protocol: u8,
    /// Type of service, or the low byte of the traffic class.
    pub(crate) tos: u8,
    /// Where the transport header starts, from the start of the frame.
    pub(crate) transport: u32,
}

impl<A: Copy> Plain<A> {
    /// The packet with all fields; those that a plain one has not are 0.
    #[inline(always)]
    pub(crate) const fn packet(&self) -> Packet<A> {
        Packet {
            src_port: self.ports.src,
            dst_port: self.ports.dst,
            tcp_flags: self.ports.tcp_flags,
            segment: self.ports.segment,
            tos: self.tos,
            transport: self.transport,
            ..Packet::bare(self.src, self.dst, self.protocol)
        }
    }
}

/// Transport header of a plain packet.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    /// Host byte order.
    pub(crate) src: u16,
    /// Host byte order.
    pub(crate) dst: u16,
    /// Flags of a TCP header, as in [`tcp`](super::tcp); of UDP 0.
    pub(crate) tcp_flags: u8,
    /// Numbers of a TCP segment; of UDP zeros.
    pub(crate) segment: Segment,
}
