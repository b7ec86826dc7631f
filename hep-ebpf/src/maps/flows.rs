//! What the programs remember: flows and fragmented packets.

use core::ptr::NonNull;

use aya_ebpf::{bindings::BPF_ANY, btf_maps::LruHashMap, macros::btf_map};
use hep_common::{
    conntrack::{Approval, Conn, ConnKey4, ConnKey6, DEFAULT_FLOWS, HALF_OPEN_FLOWS},
    fragment::{FragmentKey, FragmentVerdict, MAX_FRAGMENTED},
    tick::Tick,
};

use super::Aligned;
use crate::helpers::opaque;

/// A flow in its table.
///
/// Another CPU may write the entry meanwhile, or the table may reuse it for another flow: counters
/// may then lose a packet, or a flag may be set once more. Nothing here trusts two fields to agree.
#[derive(Clone, Copy)]
pub(crate) struct Flow(NonNull<Conn>);

#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
impl Flow {
    /// A copy of the entry.
    #[inline(always)]
    pub(crate) fn copied(self) -> Conn {
        // SAFETY: the kernel returned the pointer in this run of the program, so it is aligned and
        // live; every bit pattern is a `Conn`, so a write meanwhile yields a value all the same.
        unsafe { self.0.read() }
    }

    /// Counts a packet of end `sender` and restarts the idle timer.
    #[inline(always)]
    pub(crate) fn touch(mut self, sender: usize, now: Tick, bytes: u64) {
        // SAFETY: as in `copied`; a lost update of a counter is accepted.
        let conn = unsafe { self.0.as_mut() };
        if conn.last_seen != now {
            conn.last_seen = now;
        }
        let sender = opaque(sender) & 1;
        if let Some(sent) = conn.bytes.get_mut(sender) {
            *sent = sent.wrapping_add(bytes);
        }
        if let Some(sent) = conn.packets.get_mut(sender) {
            *sent = sent.wrapping_add(1);
        }
    }

    /// The approval of one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn approval(self, hook: usize) -> Approval {
        // SAFETY: as in `copied`.
        let conn = unsafe { self.0.as_ref() };
        conn.approvals
            .get(opaque(hook) & 1)
            .copied()
            .unwrap_or_default()
    }

    /// Restarts the idle timer.
    #[inline(always)]
    pub(crate) fn refresh(mut self, now: Tick) {
        // SAFETY: as in `touch`.
        unsafe { self.0.as_mut() }.last_seen = now;
    }

    /// Stores what both ends have sent, and when the last RST came.
    #[inline(always)]
    pub(crate) fn set_progress(mut self, legs: [u8; 2], reset: Tick) {
        // SAFETY: as in `touch`.
        let conn = unsafe { self.0.as_mut() };
        conn.legs = legs;
        conn.reset = reset;
    }

    /// Stores the approval of one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn set_approval(mut self, hook: usize, approval: Approval) {
        // SAFETY: as in `touch`.
        let [ingress, egress] = &mut unsafe { self.0.as_mut() }.approvals;
        if hook == 0 {
            *ingress = approval;
        } else {
            *egress = approval;
        }
    }

    /// Stores which lists the approvals came from.
    #[inline(always)]
    pub(crate) fn set_judged(mut self, judged: u8) {
        // SAFETY: as in `touch`.
        unsafe { self.0.as_mut() }.judged = judged;
    }

    /// Stores when the flow was last classified, for one hook: 0 for ingress, 1 for egress.
    #[inline(always)]
    pub(crate) fn set_classified(mut self, hook: usize, stamp: u8) {
        // SAFETY: as in `touch`.
        let [ingress, egress] = &mut unsafe { self.0.as_mut() }.classified;
        if hook == 0 {
            *ingress = stamp;
        } else {
            *egress = stamp;
        }
    }

    /// Stores the entry's flags.
    #[inline(always)]
    pub(crate) fn set_flags(mut self, flags: u8) {
        // SAFETY: as in `touch`.
        unsafe { self.0.as_mut() }.flags = flags;
    }
}

/// Declares the tables of flows, and for each a module of what can be done with it.
macro_rules! flow_maps {
    ($($(#[doc = $doc:literal])+ $name:ident, $module:ident: $key:ty, $len:expr;)+) => {
        $(
            #[btf_map]
            static $name: LruHashMap<$key, Conn, { $len as usize }> = LruHashMap::new();

            $(#[doc = $doc])+
            pub(crate) mod $module {
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
    /// Established IPv4 flows.
    CONNS4, conns4: ConnKey4, DEFAULT_FLOWS;
    /// Established IPv6 flows.
    CONNS6, conns6: ConnKey6, DEFAULT_FLOWS;
    /// IPv4 flows that are not established.
    HALF4, half4: ConnKey4, HALF_OPEN_FLOWS;
    /// IPv6 flows that are not established.
    HALF6, half6: ConnKey6, HALF_OPEN_FLOWS;
}

#[btf_map]
static FRAGMENTS: LruHashMap<FragmentKey, FragmentVerdict, { MAX_FRAGMENTED as usize }> =
    LruHashMap::new();

/// What the first fragment of a packet got.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn fragment(key: FragmentKey) -> Option<FragmentVerdict> {
    let key = Aligned(key);
    // SAFETY: copied out at once; every bit pattern is a value.
    unsafe { FRAGMENTS.get(key.0) }.copied()
}

/// Stores what the first fragment of a packet got; whether that succeeded.
#[inline(always)]
pub(crate) fn remember_fragment(key: FragmentKey, verdict: &FragmentVerdict) -> bool {
    let key = Aligned(key);
    FRAGMENTS.insert(key.0, verdict, u64::from(BPF_ANY)).is_ok()
}
