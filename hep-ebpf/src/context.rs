//! Per-packet context.

use aya_ebpf::programs::TcContext;
use hep_common::{
    Direction, Family,
    conntrack::classification,
    counter::Note,
    endpoint::{Interface, Lists},
    settings::Settings,
    tick::Tick,
};

use crate::{
    address::Address,
    frame::Frame,
    maps::{self, Slot},
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

/// The other direction.
#[inline(always)]
pub(crate) const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}
