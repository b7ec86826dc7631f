//! The tables of flows.

use core::ptr::NonNull;

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_F_NO_PREALLOC},
    btf_maps::{Array, HashMap, LruHashMap},
    macros::btf_map,
};
use hep_common::{
    conntrack::{
        Approval, Conn, ConnKey4, ConnKey6, DEFAULT_FLOWS, PLACES, UNASSURED_FLOWS, is_ahead,
    },
    protocol,
    tick::Tick,
};

use crate::{address::Address, helpers::opaque};

/// A flow in its table.
///
/// Another CPU may write the entry meanwhile, or the table may reuse it for another flow: counters
/// may then lose a packet, or a flag may be set once more. So every access is a volatile one of a word,
/// and nothing here trusts two words to agree.
#[derive(Clone, Copy)]
pub(crate) struct Flow(NonNull<Conn>);

/// Pointer to the first member of a pair.
#[inline(always)]
const fn first<T>(pair: *mut [T; 2]) -> *mut T {
    pair.cast()
}

/// Pointer to a field of the entry; in a pair, to the member that a number's lowest bit selects.
macro_rules! place {
    ($flow:expr, $field:ident) => {
        &raw mut (*$flow.0.as_ptr()).$field
    };
    ($flow:expr, $field:ident[$index:expr]) => {
        first(&raw mut (*$flow.0.as_ptr()).$field).add(opaque($index) & 1)
    };
}

/// Reads a field of the entry once.
macro_rules! read {
    ($flow:expr, $($field:tt)+) => {
        // SAFETY: the kernel returned the pointer in this run of the program, so the field is in bounds,
        // aligned and live, and a pair has members 0 and 1. Every bit pattern is a value of the field, so
        // that a write meanwhile yields a value all the same.
        unsafe { place!($flow, $($field)+).read_volatile() }
    };
}

/// Writes a field of the entry once.
macro_rules! write {
    ($flow:expr, $value:expr, $($field:tt)+) => {
        // SAFETY: as in `read`; whoever writes meanwhile writes a value, too.
        unsafe { place!($flow, $($field)+).write_volatile($value) }
    };
}

#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
impl Flow {
    /// A copy of the entry, word by word.
    #[inline(always)]
    pub(crate) fn copied(self) -> Conn {
        let words = self.0.as_ptr().cast_const().cast::<Words>();
        // SAFETY: as in `read`; a `Conn` is aligned like these words and as long as they are, without
        // padding, and every bit pattern is one.
        unsafe { core::mem::transmute(words.read_volatile()) }
    }

    /// The first word: see [`SETTLED_BITS`](hep_common::conntrack::SETTLED_BITS).
    #[inline(always)]
    pub(crate) fn head(self) -> u64 {
        // SAFETY: as in `copied`.
        unsafe { self.0.as_ptr().cast_const().cast::<u64>().read_volatile() }
    }

    /// The generation that has judged the flow.
    #[inline(always)]
    pub(crate) fn generation(self) -> u32 {
        read!(self, generation)
    }

    /// When the last packet was seen.
    #[inline(always)]
    pub(crate) fn last_seen(self) -> Tick {
        read!(self, last_seen)
    }

    /// The interface that approved at one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn ifindex(self, hook: usize) -> u32 {
        read!(self, ifindexes[hook])
    }

    /// Counts a packet of end `sender` and restarts the idle timer.
    #[inline(always)]
    pub(crate) fn touch(self, sender: usize, now: Tick, bytes: u32) {
        if self.last_seen() != now {
            self.refresh(now);
        }
        let before = read!(self, bytes_low[sender]);
        let sum = before.wrapping_add(bytes);
        write!(self, sum, bytes_low[sender]);
        if sum < before {
            let carried = read!(self, bytes_high[sender]).wrapping_add(1);
            write!(self, carried, bytes_high[sender]);
        }
        let packets = read!(self, packets[sender]).wrapping_add(1);
        write!(self, packets, packets[sender]);
    }

    /// Advances the next sequence number of end `sender` to `end`, if that is ahead.
    #[inline(always)]
    pub(crate) fn number(self, sender: usize, end: u32) {
        if is_ahead(read!(self, next[sender]), end) {
            write!(self, end, next[sender]);
        }
    }

    /// Restarts the idle timer.
    #[inline(always)]
    pub(crate) fn refresh(self, now: Tick) {
        write!(self, now, last_seen);
    }

    /// Stores what a packet has changed about both ends.
    #[inline(always)]
    pub(crate) fn set_progress(self, conn: &Conn) {
        write!(self, conn.legs, legs);
        write!(self, conn.flags, flags);
        write!(self, conn.event, event);
        write!(self, conn.next, next);
    }

    /// Stores the approval of one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn set_approval(self, hook: usize, approval: Approval) {
        write!(self, approval.ifindex, ifindexes[hook]);
        write!(self, approval.slot, slots[hook]);
    }

    /// Stores which generation has judged the flow wherever it is approved.
    #[inline(always)]
    pub(crate) fn set_generation(self, generation: u32) {
        write!(self, generation, generation);
    }

    /// Stores which lists the approvals came from.
    #[inline(always)]
    pub(crate) fn set_judged(self, judged: u8) {
        write!(self, judged, judged);
    }

    /// When the flow was last classified, for one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn classified(self, hook: usize) -> u8 {
        read!(self, classified[hook])
    }

    /// Stores when the flow was last classified, for one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn set_classified(self, hook: usize, stamp: u8) {
        write!(self, stamp, classified[hook]);
    }

    /// Stores the entry's flags.
    #[inline(always)]
    pub(crate) fn set_flags(self, flags: u8) {
        write!(self, flags, flags);
    }
}

/// A [`Conn`] in words.
type Words = [u64; size_of::<Conn>() / size_of::<u64>()];

/// A table of assured flows: elements are allocated on demand, and none is ever evicted. While it is full no
/// more flows become assured.
type Assured<K> = HashMap<K, Conn, { DEFAULT_FLOWS as usize }, { BPF_F_NO_PREALLOC as usize }>;
/// The table of the other flows, of both families: the least recently used are evicted.
type Unassured = LruHashMap<ConnKey6, Conn, { UNASSURED_FLOWS as usize }>;

/// Declares the tables of flows, and for each a module with its operations.
macro_rules! flow_maps {
    ($($(#[doc = $doc:literal])+ $name:ident, $module:ident: $table:ty, $key:ty;)+) => {
        $(
            #[btf_map]
            static $name: $table = <$table>::new();

            $(#[doc = $doc])+
            mod $module {
                use super::*;

                /// The flow with this key.
                #[inline(always)]
                pub(crate) fn find(key: &$key) -> Option<Flow> {
                    $name.get_ptr_mut(key).and_then(NonNull::new).map(Flow)
                }

                /// Stores a flow; whether that succeeded.
                #[inline(always)]
                pub(crate) fn insert(key: &$key, conn: &Conn) -> bool {
                    $name.insert(key, conn, u64::from(BPF_ANY)).is_ok()
                }

                /// Forgets a flow.
                #[inline(always)]
                pub(crate) fn remove(key: &$key) {
                    // That it is gone already is as good.
                    let _gone: Result<(), i32> = $name.remove(key);
                }
            }
        )+
    };
}

flow_maps! {
    /// Assured IPv4 TCP connections.
    ASSURED_TCP4, assured_tcp4: Assured<ConnKey4>, ConnKey4;
    /// Assured IPv6 TCP connections.
    ASSURED_TCP6, assured_tcp6: Assured<ConnKey6>, ConnKey6;
    /// Assured IPv4 flows of other protocols.
    ASSURED4, assured4: Assured<ConnKey4>, ConnKey4;
    /// Assured IPv6 flows of other protocols.
    ASSURED6, assured6: Assured<ConnKey6>, ConnKey6;
    /// Flows of both families that are not assured.
    UNASSURED, unassured: Unassured, ConnKey6;
}

/// By place: 1 if the last flow found there was an assured one. A hint where to look first, and nothing else.
#[btf_map]
static FOUND: Array<[u8; PLACES], 1> = Array::new();

/// A place in [`FOUND`].
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
fn found(place: usize) -> Option<NonNull<u8>> {
    let found = NonNull::new(FOUND.get_ptr_mut(0)?)?.cast::<u8>();
    // SAFETY: the mask keeps the place within the value, which lives as long as the program.
    Some(unsafe { found.add(opaque(place) & PLACES.wrapping_sub(1)) })
}

/// Whether the last flow of a place was an assured one.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn was_assured(place: usize) -> bool {
    // SAFETY: see `found`; whatever another CPU writes meanwhile is a byte.
    found(place).is_some_and(|found| unsafe { found.read_volatile() } != 0)
}

/// Notes whether a flow of a place is an assured one.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn set_assured(place: usize, assured: bool) {
    if let Some(found) = found(place) {
        // SAFETY: as in `was_assured`.
        unsafe { found.write_volatile(u8::from(assured)) };
    }
}

/// Addresses whose family has tables of flows.
pub(crate) trait Flows: Address {
    /// The assured flow with this key.
    fn assured(key: &Self::Key) -> Option<Flow>;
    /// The flow with this key that is not assured.
    fn unassured(key: &Self::Key) -> Option<Flow>;
    /// Stores an assured flow.
    fn insert_assured(key: &Self::Key, conn: &Conn) -> bool;
    /// Stores a flow that is not assured.
    fn insert_unassured(key: &Self::Key, conn: &Conn) -> bool;
    /// Forgets an assured flow.
    fn remove_assured(key: &Self::Key);
    /// Forgets a flow that is not assured.
    fn remove_unassured(key: &Self::Key);
}

impl Flows for [u8; 4] {
    #[inline(always)]
    fn assured(key: &ConnKey4) -> Option<Flow> {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp4::find(key)
        } else {
            assured4::find(key)
        }
    }

    #[inline(always)]
    fn unassured(key: &ConnKey4) -> Option<Flow> {
        unassured::find(&key.widened())
    }

    #[inline(always)]
    fn insert_assured(key: &ConnKey4, conn: &Conn) -> bool {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp4::insert(key, conn)
        } else {
            assured4::insert(key, conn)
        }
    }

    #[inline(always)]
    fn insert_unassured(key: &ConnKey4, conn: &Conn) -> bool {
        unassured::insert(&key.widened(), conn)
    }

    #[inline(always)]
    fn remove_assured(key: &ConnKey4) {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp4::remove(key);
        } else {
            assured4::remove(key);
        }
    }

    #[inline(always)]
    fn remove_unassured(key: &ConnKey4) {
        unassured::remove(&key.widened());
    }
}

impl Flows for [u8; 16] {
    #[inline(always)]
    fn assured(key: &ConnKey6) -> Option<Flow> {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp6::find(key)
        } else {
            assured6::find(key)
        }
    }

    #[inline(always)]
    fn unassured(key: &ConnKey6) -> Option<Flow> {
        unassured::find(key)
    }

    #[inline(always)]
    fn insert_assured(key: &ConnKey6, conn: &Conn) -> bool {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp6::insert(key, conn)
        } else {
            assured6::insert(key, conn)
        }
    }

    #[inline(always)]
    fn insert_unassured(key: &ConnKey6, conn: &Conn) -> bool {
        unassured::insert(key, conn)
    }

    #[inline(always)]
    fn remove_assured(key: &ConnKey6) {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp6::remove(key);
        } else {
            assured6::remove(key);
        }
    }

    #[inline(always)]
    fn remove_unassured(key: &ConnKey6) {
        unassured::remove(key);
    }
}
