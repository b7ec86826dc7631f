//! The link layer: Ethernet with VLAN tags, or none.

use core::hint::cold_path;

use hep_common::{
    Direction,
    counter::Reason,
    endpoint::{FLAG_NO_ETHERNET, FLAG_UNKNOWN_LINK, link_header_bytes, own_vlan},
};

use crate::frame::{Direct, Frame, Wire as _, wire};

/// EtherType of IPv4.
const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
const IPV6: u16 = 0x86dd;
/// EtherTypes of customer and of service VLAN tags.
const VLAN: [u16; 2] = [0x8100, 0x88a8];
/// EtherTypes of MPLS, which GRE may carry as well.
const MPLS: [u16; 2] = [0x8847, 0x8848];
/// The bits of a tag that hold the VLAN's number.
const VLAN_ID: u32 = 0xfff;
/// Most tags of a frame, beside one in its metadata; a frame with more is dropped (spec EV-184).
const MAX_TAGS: u32 = 8;

wire! {
    /// An Ethernet header.
    struct Ethernet {
        destination: 6,
        source: 6,
        ether_type: 2,
    }
}

wire! {
    /// A VLAN tag, behind the EtherType that announces it.
    struct Tag {
        control: 2,
        ether_type: 2,
    }
}

wire! {
    /// The first word of an IP header.
    struct First {
        version_and_more: 4,
    }
}

/// Content of a frame.
#[derive(Clone, Copy)]
pub(crate) enum Network {
    /// An IPv4 header at this offset.
    V4(u32),
    /// An IPv6 header at this offset.
    V6(u32),
    /// Something for a VLAN.
    Vlan,
    /// Something else.
    Other,
    /// Something that the kernel may take for IP, at an unknown offset (spec EV-258).
    Unreadable,
}

/// Finds the network header (spec EV-017, EV-163, EV-184, EV-258, EV-270).
#[inline(always)]
pub(crate) fn network(frame: &impl Frame, interface_flags: u32, direction: Direction) -> Network {
    let id = frame.vlan_control() & VLAN_ID;
    if id != 0 && id != own_vlan(interface_flags) {
        cold_path();
        return Network::Vlan;
    }
    if interface_flags & FLAG_NO_ETHERNET != 0 {
        cold_path();
        return bare(frame, interface_flags);
    }
    if let Some(header) = Direct::new(frame).read::<Ethernet>(0) {
        let network = of(u16::from_be_bytes(header.ether_type), Ethernet::BYTES);
        if !matches!(network, Network::Other) {
            return network;
        }
    }
    cold_path();
    let Ok(header): Result<Ethernet, Reason> = frame.read(0) else {
        return Network::Unreadable;
    };
    // The kernel delivers a received frame as what it has found behind all link layer headers. For a frame
    // that is sent only the bytes count.
    let is_sure = direction == Direction::Ingress && is_ip(frame.ether_type());
    let ether_type = u16::from_be_bytes(header.ether_type);
    let packed = tagged(
        frame,
        Ethernet::BYTES << 16 | u32::from(ether_type),
        interface_flags,
        u32::from(is_sure),
    );
    match unpacked(packed) {
        Network::Other if is_sure => Network::Unreadable,
        network @ (Network::V4(_)
        | Network::V6(_)
        | Network::Vlan
        | Network::Other
        | Network::Unreadable) => network,
    }
}

/// Finds the network header of a frame without an Ethernet header: an IP header identifies itself, but tags
/// are found by the kernel's EtherType.
#[inline(always)]
fn bare(frame: &impl Frame, interface_flags: u32) -> Network {
    let ether_type = frame.ether_type();
    let offset = link_header_bytes(interface_flags);
    let is_ip_to_kernel = is_ip(ether_type);
    if VLAN.contains(&ether_type) {
        let start = offset << 16 | u32::from(ether_type);
        return unpacked(tagged(frame, start, interface_flags, 0));
    }
    if MPLS.contains(&ether_type) {
        return Network::Other;
    }
    let unknown = if is_ip_to_kernel {
        Network::Unreadable
    } else {
        Network::Other
    };
    if interface_flags & FLAG_UNKNOWN_LINK != 0 {
        return unknown;
    }
    let direct = Direct::new(frame).read(offset);
    let Some(First { version_and_more }) = direct.or_else(|| frame.read(offset).ok()) else {
        return unknown;
    };
    match u32::from_be_bytes(version_and_more) >> 28 {
        4 => Network::V4(offset),
        6 => Network::V6(offset),
        _ => unknown,
    }
}

/// Whether an EtherType is that of IPv4 or IPv6.
#[inline(always)]
const fn is_ip(ether_type: u16) -> bool {
    matches!(ether_type, IPV4 | IPV6)
}

/// The network header of an EtherType.
#[inline(always)]
const fn of(ether_type: u16, offset: u32) -> Network {
    match ether_type {
        IPV4 => Network::V4(offset),
        IPV6 => Network::V6(offset),
        _ => Network::Other,
    }
}

/// Result of [`tagged`]: no IP header.
const OTHER: u32 = 0;
/// Result of [`tagged`]: for a VLAN.
const FOR_VLAN: u32 = 1;
/// Result of [`tagged`]: more tags than are followed, or one that is cut off.
const UNREADABLE: u32 = 2;

/// The bits that an offset needs behind the longest link header and all tags. Kernels before 6.18 read
/// nothing directly whose offset may be 65 535.
const MOST_OFFSET: u32 = 0x1ff;

/// Decodes a result of [`tagged`].
#[inline(always)]
const fn unpacked(packed: u32) -> Network {
    match packed {
        OTHER => Network::Other,
        FOR_VLAN => Network::Vlan,
        UNREADABLE => Network::Unreadable,
        _ if packed & 0xffff == IPV4 as u32 => Network::V4(packed >> 16 & MOST_OFFSET),
        _ => Network::V6(packed >> 16 & MOST_OFFSET),
    }
}

/// Follows VLAN tags in the frame, from an offset (upper half of `start`) whose EtherType is given
/// (lower half). Tags of other VLANs end the walk, unless the kernel has taken off all tags.
///
/// Returns the offset of the IP header in the upper half and its EtherType in the lower one, or
/// [`OTHER`], [`FOR_VLAN`] or [`UNREADABLE`].
#[inline(never)]
fn tagged(frame: &impl Frame, start: u32, interface_flags: u32, all_taken_off: u32) -> u32 {
    let mut offset = start >> 16;
    let mut ether_type = (start & 0xffff) as u16;
    for _ in 0..=MAX_TAGS {
        if is_ip(ether_type) {
            return offset << 16 | u32::from(ether_type);
        }
        if !VLAN.contains(&ether_type) {
            return OTHER;
        }
        let Ok(tag): Result<Tag, Reason> = frame.read(offset) else {
            return UNREADABLE;
        };
        let id = u32::from(u16::from_be_bytes(tag.control)) & VLAN_ID;
        if id != 0 && id != own_vlan(interface_flags) && all_taken_off == 0 {
            return FOR_VLAN;
        }
        ether_type = u16::from_be_bytes(tag.ether_type);
        offset = offset.wrapping_add(Tag::BYTES);
    }
    UNREADABLE
}
