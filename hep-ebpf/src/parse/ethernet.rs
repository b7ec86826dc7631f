//! The link layer: Ethernet with VLAN tags, or none.

use core::hint::cold_path;

use aya_ebpf::programs::TcContext;
use hep_common::{counter::Reason, endpoint::FLAG_NO_ETHERNET};

use super::cursor::{Direct, Loader, Metadata, Wire as _, wire};

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
/// Tags that are followed: a priority tag inside a priority tag.
const MAX_TAGS: u32 = 2;

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

/// What a frame carries.
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
}

/// Finds the network header (spec EV-017, EV-163, EV-184).
#[inline(always)]
pub(crate) fn network(ctx: &TcContext, interface_flags: u32) -> Network {
    if ctx.vlan_control() & VLAN_ID != 0 {
        cold_path();
        return Network::Vlan;
    }
    if interface_flags & FLAG_NO_ETHERNET != 0 {
        cold_path();
        return bare(ctx);
    }
    let offset = Ethernet::BYTES;
    if let Some(header) = Direct::new(ctx).read::<Ethernet>(0) {
        let network = of(u16::from_be_bytes(header.ether_type), offset);
        if !matches!(network, Network::Other) {
            return network;
        }
    }
    cold_path();
    match tagged(ctx) {
        0 => Network::Other,
        packed => {
            let offset = packed >> 16;
            if offset == 0 {
                Network::Vlan
            } else if packed & 0xffff == u32::from(IPV4) {
                Network::V4(offset)
            } else {
                Network::V6(offset)
            }
        }
    }
}

/// What a frame without a link layer carries: the IP header says so itself.
#[inline(always)]
fn bare(ctx: &TcContext) -> Network {
    if MPLS.contains(&ctx.ether_type()) {
        return Network::Other;
    }
    let direct = Direct::new(ctx).read(0);
    let Some(First { version_and_more }) = direct.or_else(|| Loader::new(ctx).read(0).ok()) else {
        return Network::Other;
    };
    match u32::from_be_bytes(version_and_more) >> 28 {
        4 => Network::V4(0),
        6 => Network::V6(0),
        _ => Network::Other,
    }
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

/// Follows VLAN tags in the frame. 0: no IP header; 1: for a VLAN; else the offset of the IP header
/// in the upper half, its EtherType in the lower one.
#[inline(never)]
fn tagged(ctx: &TcContext) -> u32 {
    let loader = Loader::new(ctx);
    let Ok(header) = loader.read::<Ethernet>(0) else {
        return 0;
    };
    let mut ether_type = u16::from_be_bytes(header.ether_type);
    let mut offset = Ethernet::BYTES;
    for _ in 0..=MAX_TAGS {
        if ether_type == IPV4 || ether_type == IPV6 {
            return offset << 16 | u32::from(ether_type);
        }
        if !VLAN.contains(&ether_type) {
            return 0;
        }
        let Ok(tag): Result<Tag, Reason> = loader.read(offset) else {
            return 0;
        };
        if u32::from(u16::from_be_bytes(tag.control)) & VLAN_ID != 0 {
            return 1;
        }
        ether_type = u16::from_be_bytes(tag.ether_type);
        offset = offset.wrapping_add(Tag::BYTES);
    }
    0
}
