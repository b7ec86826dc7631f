//! Scratch state of the packet being judged, in memory of the CPU.

use hep_common::{conntrack::Conn, event::MAX_LOGGED_RULES, rule::DIMENSIONS};

use crate::{address::Address, helpers, parse::Packet};

/// Route of a packet, once it is known.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Route {
    /// Not looked up yet.
    Unknown = 0,
    /// To or from this host.
    Local = 1,
    /// Through it.
    Forwarded = 2,
}

/// Trace of how a packet was judged, for its record.
#[repr(C)]
pub(crate) struct Trace {
    /// The list whose rule decided; 0: none.
    pub(crate) list: u32,
    /// That rule's number in the list.
    pub(crate) rule: u32,
    /// That rule's counter slot.
    pub(crate) slot: u32,
    /// `Log` rules that matched.
    pub(crate) logged_count: u32,
    /// Slots of the first of them; further elements are meaningless.
    pub(crate) logged: [u32; MAX_LOGGED_RULES],
    /// To this host, or through it.
    pub(crate) route: Route,
    /// Positions of the packet's classes in the index of `list`, by number of the dimension; valid for those
    /// that the list distinguishes.
    pub(crate) rows: [u32; DIMENSIONS],
}

impl Trace {
    /// Resets it for a packet that nothing has judged yet.
    #[inline(always)]
    pub(crate) fn reset(&mut self) {
        let zero = helpers::zero();
        self.list = zero;
        self.rule = zero;
        self.slot = zero;
        self.logged_count = zero;
        self.route = Route::Unknown;
    }
}

/// Tables that are known not to hold a packet's flow.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Searched {
    /// None: it may be anywhere.
    Nowhere = 0,
    /// That of assured flows.
    Assured = 1,
    /// All: there is no flow.
    Everywhere = 2,
}

/// Scratch state of the packet being judged: too large for the stack, which the functions of a program share.
#[repr(C)]
pub(crate) struct Scratch<A: Address> {
    /// Coarse monotonic clock when the packet came, nanoseconds; 0 until it is needed.
    pub(crate) now_ns: u64,
    /// The generation that was in force then.
    pub(crate) generation: u32,
    /// 1 once the packet's flow has been judged by the rules in force.
    pub(crate) revalidated: u32,
    /// Tables that do not hold its flow.
    pub(crate) missed: Searched,
    /// Index of the interface's counters for this direction.
    pub(crate) counters: u32,
    /// Copy of [`Interface::behaviour`].
    pub(crate) flags: u32,
    /// Value of [`Control::classification`](hep_common::settings::Control::classification) then.
    pub(crate) changes: u32,
    /// The packet.
    pub(crate) packet: Packet<A>,
    /// Another one that is judged in its place: the one an ICMP error quotes, the one it answers, the
    /// one that opened its flow.
    pub(crate) other: Packet<A>,
    /// The key of its flow.
    pub(crate) key: A::Key,
    /// The flow, on its way into a table.
    pub(crate) conn: Conn,
    /// Trace of judging the packet.
    pub(crate) trace: Trace,
    /// Trace of judging another one in its place.
    pub(crate) other_trace: Trace,
}
