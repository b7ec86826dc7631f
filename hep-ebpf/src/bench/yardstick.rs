//! Baseline programs: empty, drop, and parse with one look-up.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    btf_maps::LruHashMap,
    macros::{btf_map, classifier},
    programs::TcContext,
};
use hep_common::conntrack::{Conn, ConnKey4, ConnKey6};

/// The license that the kernel requires for some helpers.
#[expect(unsafe_code, reason = "the loader finds the license by its section")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[btf_map]
static BASE4: LruHashMap<ConnKey4, Conn, 512_000> = LruHashMap::new();
#[btf_map]
static BASE6: LruHashMap<ConnKey6, Conn, 512_000> = LruHashMap::new();

/// Does nothing: the unit of every figure.
#[classifier]
pub(crate) fn base_empty(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// Drops every packet: the least that a denial can cost.
#[classifier]
pub(crate) fn base_drop(_ctx: TcContext) -> i32 {
    TC_ACT_SHOT
}

/// The least that a connection table can cost: reads addresses and ports of a TCP or UDP packet
/// without options, and looks the flow up.
#[classifier]
pub(crate) fn base_lookup(ctx: TcContext) -> i32 {
    if look_up(&ctx).is_some() {
        TC_ACT_UNSPEC
    } else {
        TC_ACT_SHOT
    }
}

/// Finds the packet's flow.
#[inline(always)]
fn look_up(ctx: &TcContext) -> Option<()> {
    const ETHERNET: usize = 14;
    match u16::from_be_bytes(bytes(ctx, 12)?) {
        0x0800 => {
            let key = ConnKey4 {
                addr_a: bytes(ctx, ETHERNET + 12)?,
                addr_b: bytes(ctx, ETHERNET + 16)?,
                ports: u32::from_be_bytes(bytes(ctx, ETHERNET + 20)?),
                protocol: u32::from(bytes::<1>(ctx, ETHERNET + 9)?[0]),
            };
            BASE4.get_ptr(key).map(|_conn| ())
        }
        0x86dd => {
            let key = ConnKey6 {
                addr_a: bytes(ctx, ETHERNET + 8)?,
                addr_b: bytes(ctx, ETHERNET + 24)?,
                ports: u32::from_be_bytes(bytes(ctx, ETHERNET + 40)?),
                protocol: u32::from(bytes::<1>(ctx, ETHERNET + 6)?[0]),
            };
            BASE6.get_ptr(key).map(|_conn| ())
        }
        _ => None,
    }
}

/// Reads `N` bytes of the frame from `offset` on.
#[expect(unsafe_code, reason = "direct packet access")]
#[inline(always)]
fn bytes<const N: usize>(ctx: &TcContext, offset: usize) -> Option<[u8; N]> {
    let start = ctx.data() + offset;
    if start + N > ctx.data_end() {
        return None;
    }
    // SAFETY: `start..start + N` was just checked to lie in the packet, which lives as long as the
    // program runs; a byte array has no alignment, and no one else writes the packet meanwhile.
    Some(unsafe { *(start as *const [u8; N]) })
}
