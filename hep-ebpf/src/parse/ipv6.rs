//! IPv6 headers and extension headers (spec EV-179 to EV-183).

use hep_common::counter::Reason;

use super::{
    packet::{Fragment, Packet, Plain},
    parser::Parse,
    transport,
};
use crate::frame::{Direct, Frame, Load, Wire as _, wire};

wire! {
    /// An IPv6 header.
    pub(super) struct Ipv6 {
        version_class_label: 4,
        payload_length: 2,
        next_header: 1,
        hop_limit: 1,
        src: 16,
        dst: 16,
    }
}

wire! {
    /// The first bytes of every extension header: what follows, its length in a unit that depends on
    /// its kind, and two bytes of its own.
    struct Extension {
        next_header: 1,
        length: 1,
        own: 2,
        identification: 4,
    }
}

/// Numbers of the extension headers that are walked.
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AUTHENTICATION: u8 = 51;
    pub(super) const DESTINATION_OPTIONS: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HIP: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

/// Most extension headers of one packet.
const MAX_EXTENSIONS: u32 = 8;
/// Most bytes they take up.
const MAX_EXTENSION_BYTES: u32 = MAX_EXTENSIONS * 2048;

/// Whether `next_header` announces a header that is walked.
#[inline(always)]
const fn is_extension(next_header: u8) -> bool {
    matches!(
        next_header,
        extension::HOP_BY_HOP
            | extension::ROUTING
            | extension::FRAGMENT
            | extension::AUTHENTICATION
            | extension::DESTINATION_OPTIONS
            | extension::MOBILITY
            | extension::HIP
            | extension::SHIM6
    )
}

impl Ipv6 {
    /// The version field, 6 if all is well.
    #[inline(always)]
    fn version(&self) -> u32 {
        u32::from_be_bytes(self.version_class_label) >> 28
    }

    /// The traffic class.
    #[inline(always)]
    fn traffic_class(&self) -> u8 {
        let [_, _, _, class] = (u32::from_be_bytes(self.version_class_label) >> 20).to_be_bytes();
        class
    }
}

/// Where a walk over extension headers ended.
pub(super) struct Upper {
    /// IANA number of the upper-layer protocol.
    pub(super) protocol: u8,
    /// Bytes of extension headers.
    pub(super) bytes: u32,
    /// How much of a fragmented packet this is.
    pub(super) fragment: Fragment,
    /// Its identification.
    pub(super) fragment_id: u32,
    /// The next header that its fragments agree on.
    pub(super) fragment_protocol: u8,
}

impl Upper {
    /// Notes a fragment header; returns whether the packet is a later fragment.
    #[inline(always)]
    fn is_later_fragment(&mut self, header: &Extension) -> bool {
        let control = u16::from_be_bytes(header.own);
        let is_first = control & 0xfff8 == 0;
        if is_first && control & 1 == 0 {
            return false;
        }
        self.fragment_id = u32::from_be_bytes(header.identification);
        [self.fragment_protocol] = header.next_header;
        self.fragment = if is_first {
            Fragment::First
        } else {
            Fragment::Later
        };
        !is_first
    }
}

/// Walks the extension headers at `offset`, of which the packet has `available` bytes.
#[inline(always)]
pub(super) fn walk(
    frame: &impl Load,
    first: u8,
    offset: u32,
    available: u32,
) -> Result<Upper, Reason> {
    let mut upper = Upper {
        protocol: first,
        bytes: 0,
        fragment: Fragment::Whole,
        fragment_id: 0,
        fragment_protocol: 0,
    };
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(upper.protocol) {
            return Ok(upper);
        }
        let truncated = match upper.fragment {
            Fragment::First => Reason::BadFragment,
            Fragment::Whole | Fragment::Later => Reason::Truncated,
        };
        if upper.bytes.wrapping_add(Extension::BYTES) > available
            || upper.bytes > MAX_EXTENSION_BYTES
        {
            return Err(truncated);
        }
        let header: Extension = frame.read(offset.wrapping_add(upper.bytes))?;
        let [next_header] = header.next_header;
        let [length] = header.length;
        let length = u32::from(length);
        let [own, _] = header.own;
        let bytes = match upper.protocol {
            extension::FRAGMENT => {
                if upper.is_later_fragment(&header) {
                    upper.protocol = next_header;
                    return Ok(upper);
                }
                8
            }
            extension::AUTHENTICATION => length.wrapping_add(2).wrapping_mul(4),
            extension::ROUTING if own == 0 => {
                return Err(Reason::RoutingHeader);
            }
            _ => length.wrapping_add(1).wrapping_mul(8),
        };
        upper.bytes = upper.bytes.wrapping_add(bytes);
        if upper.bytes > available {
            return Err(truncated);
        }
        upper.protocol = next_header;
    }
    if is_extension(upper.protocol) {
        return Err(Reason::ExtensionHeaders);
    }
    Ok(upper)
}

impl Parse for [u8; 16] {
    #[inline(always)]
    fn plain(frame: &impl Frame, offset: u32) -> Option<Plain<Self>> {
        let (direct, frame_bytes) = (Direct::new(frame), frame.bytes());
        let header: Ipv6 = direct.read(offset)?;
        let body = offset.wrapping_add(Ipv6::BYTES);
        let payload = u32::from(u16::from_be_bytes(header.payload_length));
        if header.version() != 6 || payload > frame_bytes.wrapping_sub(body) {
            return None;
        }
        let [protocol] = header.next_header;
        Some(Plain {
            src: header.src,
            dst: header.dst,
            transport: body,
            tos: header.traffic_class(),
            ports: transport::plain(&direct, protocol, body, payload, 0)?,
            protocol,
        })
    }

    #[inline(always)]
    fn parse(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason> {
        let header: Ipv6 = frame.read(offset)?;
        let bad = Reason::BadHeader;
        if header.version() != 6 {
            return Err(bad);
        }
        let body = offset.wrapping_add(Ipv6::BYTES);
        let available = frame.bytes().wrapping_sub(body);
        let payload = match u32::from(u16::from_be_bytes(header.payload_length)) {
            // An aggregate of more than 64 KiB has no room for its length here.
            0 if available > u32::from(u16::MAX) => available,
            payload => payload,
        };
        if payload > available {
            return Err(bad);
        }
        let [next_header] = header.next_header;
        let upper = walk(frame, next_header, body, payload)?;
        let [hop_limit] = header.hop_limit;
        *packet = Packet {
            hop_limit,
            tos: header.traffic_class(),
            fragment_protocol: upper.fragment_protocol,
            fragment: upper.fragment,
            fragment_id: upper.fragment_id,
            transport: body.wrapping_add(upper.bytes),
            ..Packet::bare(header.src, header.dst, upper.protocol)
        };
        transport::parse(frame, packet, payload.wrapping_sub(upper.bytes))
    }

    #[inline(always)]
    fn quoted(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason> {
        let bad = Reason::InvalidIcmp;
        let header: Ipv6 = frame.read(offset)?;
        if header.version() != 6 {
            return Err(bad);
        }
        let body = offset.wrapping_add(Ipv6::BYTES);
        let [next_header] = header.next_header;
        let upper = walk(frame, next_header, body, MAX_EXTENSION_BYTES)?;
        match upper.fragment {
            Fragment::Later => return Err(bad),
            Fragment::Whole | Fragment::First => {}
        }
        *packet = Packet {
            transport: body.wrapping_add(upper.bytes),
            ..Packet::bare(header.src, header.dst, upper.protocol)
        };
        transport::quoted(frame, packet)
    }
}
