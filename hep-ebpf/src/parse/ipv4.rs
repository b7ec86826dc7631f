//! IPv4 headers (spec EV-179 to EV-182).

use hep_common::{counter::Reason, protocol};

use super::{
    packet::{Fragment, Packet, Plain},
    parser::Parse,
    transport,
};
use crate::frame::{Direct, Frame, Load, Wire as _, wire};

wire! {
    /// The fixed part of an IPv4 header.
    pub(super) struct Ipv4 {
        version_length: 1,
        tos: 1,
        total_length: 2,
        id: 2,
        fragment: 2,
        ttl: 1,
        protocol: 1,
        checksum: 2,
        src: 4,
        dst: 4,
    }
}

/// Version 4, and a header of five words: no options.
const WITHOUT_OPTIONS: u8 = 0x45;
/// More fragments follow.
const MORE_FRAGMENTS: u16 = 0x2000;
/// Offset of a fragment, in units of 8 bytes.
const FRAGMENT_OFFSET: u16 = 0x1fff;

impl Ipv4 {
    /// Length of the header with its options, bytes; `None` if it is not an IPv4 header.
    #[inline(always)]
    pub(super) fn header_bytes(&self) -> Option<u32> {
        let [first] = self.version_length;
        let words = u32::from(first & 0x0f);
        (first >> 4 == 4 && words >= 5).then_some(words.wrapping_mul(4))
    }

    /// Offset of the fragment, in units of 8 bytes.
    #[inline(always)]
    pub(super) fn fragment_offset(&self) -> u16 {
        u16::from_be_bytes(self.fragment) & FRAGMENT_OFFSET
    }

    /// Whether more fragments follow.
    #[inline(always)]
    fn has_more_fragments(&self) -> bool {
        u16::from_be_bytes(self.fragment) & MORE_FRAGMENTS != 0
    }
}

impl Parse for [u8; 4] {
    #[inline(always)]
    fn plain(frame: &impl Frame, offset: u32) -> Option<Plain<Self>> {
        let (direct, frame_bytes) = (Direct::new(frame), frame.bytes());
        let header: Ipv4 = direct.read(offset)?;
        let [first] = header.version_length;
        let fragment = u16::from_be_bytes(header.fragment);
        let total = u32::from(u16::from_be_bytes(header.total_length));
        if first != WITHOUT_OPTIONS
            || fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0
            || total > frame_bytes.wrapping_sub(offset)
        {
            return None;
        }
        let [protocol] = header.protocol;
        let [tos] = header.tos;
        let body = offset.wrapping_add(Ipv4::BYTES);
        Some(Plain {
            src: header.src,
            dst: header.dst,
            transport: body,
            tos,
            ports: transport::plain(&direct, protocol, body, total, Ipv4::BYTES)?,
            protocol,
        })
    }

    #[inline(always)]
    fn parse(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason> {
        let header: Ipv4 = frame.read(offset)?;
        let bad = Reason::BadHeader;
        let header_bytes = header.header_bytes().ok_or(bad)?;
        let available = frame.bytes().wrapping_sub(offset);
        let total = match u32::from(u16::from_be_bytes(header.total_length)) {
            // An aggregate of more than 64 KiB has no room for its length.
            0 if available > u32::from(u16::MAX) => available,
            total => total,
        };
        if total < header_bytes || total > available {
            return Err(bad);
        }
        let [protocol] = header.protocol;
        let fragment = match (header.fragment_offset(), header.has_more_fragments()) {
            (0, false) => Fragment::Whole,
            (0, true) => Fragment::First,
            // It would overwrite the flags of the first one.
            (1, _) if protocol == protocol::TCP => {
                return Err(Reason::BadFragment);
            }
            _ => Fragment::Later,
        };
        let [hop_limit] = header.ttl;
        let [tos] = header.tos;
        *packet = Packet {
            hop_limit,
            tos,
            fragment_protocol: protocol,
            fragment,
            fragment_id: u32::from(u16::from_be_bytes(header.id)),
            transport: offset.wrapping_add(header_bytes),
            ..Packet::bare(header.src, header.dst, protocol)
        };
        transport::parse(frame, packet, total.wrapping_sub(header_bytes))
    }

    #[inline(always)]
    fn quoted(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason> {
        let bad = Reason::InvalidIcmp;
        let header: Ipv4 = frame.read(offset)?;
        let header_bytes = header.header_bytes().ok_or(bad)?;
        if header.fragment_offset() != 0 {
            return Err(bad);
        }
        let [protocol] = header.protocol;
        *packet = Packet {
            transport: offset.wrapping_add(header_bytes),
            ..Packet::bare(header.src, header.dst, protocol)
        };
        transport::quoted(frame, packet)
    }
}
