//! Everything that differs between IPv4 and IPv6.

use aya_ebpf::programs::TcContext;

use crate::{
    classify::Judged,
    maps::{Flows, Work},
    parse::Parse,
    route::Routed,
};

/// An IP version, by the type of its addresses, for which there are parsers, tables and global functions.
pub(crate) trait Ip: Parse + Flows + Work + Judged + Routed<TcContext> {}

impl Ip for [u8; 4] {}
impl Ip for [u8; 16] {}
