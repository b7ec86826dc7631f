//! Per-packet context and per-CPU scratch state.

use aya_ebpf::programs::TcContext;
use hep_common::{
    Direction, Family,
    conntrack::{Conn, classification},
    counter::Note,
    endpoint::{Interface, Lists},
    event::MAX_LOGGED_RULES,
    rule::DIMENSIONS,
    settings::Settings,
    tick::Tick,
};

use crate::{
    address::Address,
    frame::Frame,
    helpers,
    maps::{self, Slot},
    parse::Packet,
};

/// Context of a packet: the same in every function that judges it. The frame is that of a TC hook, unless a
/// function is for any.
pub(crate) struct PacketContext<'a, F = TcContext> {
    /// The frame.
    pub(crate) frame: &'a F,
    /// The hook's interface.
    pub(crate) interface: &'static Interface,
    /// Coarse monotonic clock, nanoseconds; 0 until it is needed.
    pub(crate) now_ns: u64,
    /// The generation in force.
    pub(crate) generation: u32,
    /// Value of [`Control::classification`](hep_common::settings::Control::classification).
    pub(crate) changes: u32,
    /// The generation's tables.
    pub(crate) slot: Slot,
    /// The hook.
    pub(crate) direction: Direction,
}

impl<'a, F: Frame> PacketContext<'a, F> {
    /// The context of a packet.
    #[inline(always)]
    pub(crate) const fn new(
        frame: &'a F,
        direction: Direction,
        (generation, changes): (u32, u32),
        now_ns: u64,
        interface: &'static Interface,
    ) -> Self {
        Self {
            frame,
            interface,
            now_ns,
            generation,
            changes,
            slot: Slot::of(generation),
            direction,
        }
    }

    /// Stamp for flows that are classified now.
    #[inline(always)]
    pub(crate) const fn classification(&self) -> u8 {
        classification(self.changes, Tick::at(self.now_ns))
    }

    /// Length of the frame.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> u32 {
        self.frame.bytes()
    }

    /// Index of this interface's counters for this direction.
    #[inline(always)]
    pub(crate) fn counters(&self) -> u32 {
        self.interface.counters.wrapping_add(self.direction as u32)
    }

    /// The lists for this packet.
    #[inline(always)]
    pub(crate) fn lists<A: Address>(&self) -> &'static Lists {
        lists_at::<A>(self.interface, self.direction)
    }

    /// Whether the generation has the behaviour `flag`.
    #[inline(always)]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.interface.behaviour & flag != 0
    }

    /// Settings of the generation in force, for what [`Interface`] does not hold. There always are some,
    /// which the verifier cannot know.
    #[inline(always)]
    pub(crate) fn settings(&self) -> Option<&'static Settings> {
        maps::settings(self.slot)
    }

    /// Counts an occasion.
    #[inline(always)]
    pub(crate) fn note(&self, note: Note) {
        maps::note(self.counters(), note, u64::from(self.bytes()));
    }
}

/// The lists for packets at `interface` in `direction`.
#[inline(always)]
pub(crate) fn lists_at<A: Address>(
    interface: &'static Interface,
    direction: Direction,
) -> &'static Lists {
    let [ingress, egress] = &interface.lists;
    let [v4, v6] = match direction {
        Direction::Ingress => ingress,
        Direction::Egress => egress,
    };
    match A::FAMILY {
        Family::V4 => v4,
        Family::V6 => v6,
    }
}

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

/// Scratch state of the packet being judged: too large for the stack, which the functions of a program share.
#[repr(C)]
pub(crate) struct Scratch<A: Address> {
    /// Coarse monotonic clock when the packet came, nanoseconds; 0 until it is needed.
    pub(crate) now_ns: u64,
    /// The generation that was in force then.
    pub(crate) generation: u32,
    /// 1 once the packet's flow has been judged by the rules in force.
    pub(crate) revalidated: u32,
    /// Number of the [`Searched`](crate::conntrack::Searched) that is known of its flow.
    pub(crate) missed: u32,
    /// Index of the interface's counters for this direction.
    pub(crate) counters: u32,
    /// Copy of [`Interface::behaviour`].
    pub(crate) flags: u32,
    /// Copy of [`PacketContext::changes`].
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

/// The other direction.
#[inline(always)]
pub(crate) const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}
