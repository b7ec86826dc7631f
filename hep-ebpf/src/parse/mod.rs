//! From a frame to a [`Packet`].
//!
//! A frame is parsed once by [`Direct`], which keeps to the linear area and the common forms, and
//! only if that gives up by [`Loader`]: the same code with another [`Reader`].

pub(crate) mod cursor;
mod ethernet;
mod ipv4;
mod ipv6;
mod transport;

use aya_ebpf::programs::TcContext;
use hep_common::counter::Reason;

pub(crate) use cursor::{Direct, Fault, Loader, Metadata, Reader};
pub(crate) use ethernet::{Network, network};
pub(crate) use transport::tcp;

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

/// What the rules and the connection table know of a packet.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Packet<A> {
    /// Network byte order.
    pub(crate) src: A,
    /// As `src`.
    pub(crate) dst: A,
    /// Host byte order; for ICMP queries the identifier; 0 if there is none.
    pub(crate) src_port: u16,
    /// As `src_port`.
    pub(crate) dst_port: u16,
    /// IANA number of the upper-layer protocol.
    pub(crate) protocol: u8,
    /// Flags of a TCP header, as in [`tcp`].
    pub(crate) tcp_flags: u8,
    /// ICMP type.
    pub(crate) icmp_type: u8,
    /// ICMP code.
    pub(crate) icmp_code: u8,
    /// Time to live or hop limit.
    pub(crate) hop_limit: u8,
    /// Type of service, or the low byte of the traffic class.
    pub(crate) tos: u8,
    /// Protocol by which the fragments of one packet are told from those of another.
    pub(crate) fragment_protocol: u8,
    /// How much of a fragmented packet this is.
    pub(crate) fragment: Fragment,
    /// Identification of the fragmented packet, host byte order.
    pub(crate) fragment_id: u32,
    /// Where the transport header starts, from the start of the frame.
    pub(crate) transport: u32,
    /// Always zero: the kernel wants every byte written of what a function is handed.
    pub(crate) reserved: u32,
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
            fragment_id: 0,
            transport: 0,
            reserved: 0,
        }
    }
}

/// What a packet of the most common form says about its flow: TCP with no other flag of state than
/// ACK, or UDP; without IP options, extension headers or fragments; all headers in the linear area.
pub(crate) struct Plain<A> {
    /// Network byte order.
    pub(crate) src: A,
    /// As `src`.
    pub(crate) dst: A,
    /// Host byte order.
    pub(crate) src_port: u16,
    /// As `src_port`.
    pub(crate) dst_port: u16,
    /// TCP or UDP, IANA number.
    pub(crate) protocol: u8,
}

/// An IP header, by the type of its addresses.
pub(crate) trait Parse: Sized {
    /// Reads the packet whose IP header is at `offset` of a frame of `frame_bytes`, if it is
    /// [`Plain`] and nothing is wrong with it.
    fn plain(direct: &Direct, offset: u32, frame_bytes: u32) -> Option<Plain<Self>>;

    /// Reads the packet whose IP header is at `offset` of a frame of `frame_bytes`.
    fn parse<R: Reader>(
        reader: &R,
        offset: u32,
        frame_bytes: u32,
        packet: &mut Packet<Self>,
    ) -> Result<(), Fault>;

    /// Reads as much as an ICMP error quotes, at `offset`, of the packet it is about: addresses,
    /// protocol, ports or identifier.
    fn quoted(loader: &Loader<'_>, offset: u32, packet: &mut Packet<Self>) -> Result<(), Fault>;
}

/// Parses with [`Loader`] into `packet`, or says why the packet is to be dropped.
#[inline(always)]
pub(crate) fn load<A: Parse>(
    ctx: &TcContext,
    offset: u32,
    packet: &mut Packet<A>,
) -> Option<Reason> {
    match A::parse(&Loader::new(ctx), offset, ctx.len(), packet) {
        Ok(()) => None,
        Err(Fault::Malformed(reason)) => Some(reason),
        Err(Fault::NotDirect) => Some(Reason::Internal),
    }
}

/// Reads the packet that the ICMP error in `packet` is about into `quoted`; whether that could be
/// done.
#[inline(never)]
pub(crate) fn load_quoted<A: Parse>(
    ctx: &TcContext,
    packet: &Packet<A>,
    quoted: &mut Packet<A>,
) -> bool {
    let offset = packet.transport.wrapping_add(ICMP_ERROR_BYTES);
    A::quoted(&Loader::new(ctx), offset, quoted).is_ok()
}
