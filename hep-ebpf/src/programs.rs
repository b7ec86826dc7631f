//! The programs themselves.

use aya_ebpf::{bindings::TC_ACT_UNSPEC, macros::classifier, programs::TcContext};
use hep_common::Direction;

use crate::maps;

/// The license that the kernel asks for before it lends its helpers.
#[expect(unsafe_code, reason = "the loader finds the license by its section")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Judges packets towards the host.
#[classifier]
pub(crate) fn hep_ingress(ctx: TcContext) -> i32 {
    maps::touch(&ctx, Direction::Ingress);
    TC_ACT_UNSPEC
}

/// Judges packets away from the host.
#[classifier]
pub(crate) fn hep_egress(ctx: TcContext) -> i32 {
    maps::touch(&ctx, Direction::Egress);
    TC_ACT_UNSPEC
}
