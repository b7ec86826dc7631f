//! From a frame to a [`Packet`].
//!
//! Most frames are [`Plain`], which takes a few words of the linear area. The others are parsed in
//! full, through a helper that reads them wherever their bytes are.

mod ethernet;
mod ipv4;
mod ipv6;
mod transport;

use hep_common::{conntrack::Segment, counter::Reason};

pub(crate) use ethernet::{Network, network};
pub(crate) use transport::{Ports, tcp};

use crate::frame::{Frame, Load};

/// Length of the header of an ICMP error; the packet that it is about follows.
const ICMP_ERROR_BYTES: u32 = 8;

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
    /// Flags of a TCP header, as in [`tcp`].
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

/// An IP header, by the type of its addresses.
pub(crate) trait Parse: Sized {
    /// Reads the packet whose IP header is at `offset` of a frame, if it is [`Plain`] and nothing is wrong
    /// with it.
    fn plain(frame: &impl Frame, offset: u32) -> Option<Plain<Self>>;

    /// Reads the packet whose IP header is at `offset` of a frame.
    ///
    /// # Errors
    ///
    /// Why it is to be dropped.
    fn parse(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason>;

    /// Reads as much as an ICMP error quotes, at `offset`, of the packet it is about: addresses,
    /// protocol, ports or identifier.
    ///
    /// # Errors
    ///
    /// Why the error is to be dropped.
    fn quoted(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason>;
}

/// Reads the packet that the ICMP error in `packet` is about into `quoted`; whether that could be
/// done.
#[inline(never)]
pub(crate) fn load_quoted<A: Parse>(
    frame: &impl Load,
    packet: &Packet<A>,
    quoted: &mut Packet<A>,
) -> bool {
    let offset = packet.transport.wrapping_add(ICMP_ERROR_BYTES);
    A::quoted(frame, offset, quoted).is_ok()
}
