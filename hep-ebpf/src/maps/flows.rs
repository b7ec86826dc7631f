//! What the programs remember: flows and fragmented packets.

use aya_ebpf::{btf_maps::LruHashMap, macros::btf_map};
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6, DEFAULT_FLOWS, HALF_OPEN_FLOWS},
    fragment::{FragmentKey, FragmentVerdict, MAX_FRAGMENTED},
};

/// Declares the tables of flows.
macro_rules! flow_maps {
    ($($name:ident: $key:ty, $len:expr;)+) => {
        $(
            #[btf_map]
            pub(super) static $name: LruHashMap<$key, Conn, { $len as usize }> = LruHashMap::new();
        )+
    };
}

flow_maps! {
    CONNS4: ConnKey4, DEFAULT_FLOWS;
    CONNS6: ConnKey6, DEFAULT_FLOWS;
    HALF4: ConnKey4, HALF_OPEN_FLOWS;
    HALF6: ConnKey6, HALF_OPEN_FLOWS;
}

#[btf_map]
pub(super) static FRAGMENTS: LruHashMap<FragmentKey, FragmentVerdict, { MAX_FRAGMENTED as usize }> =
    LruHashMap::new();
