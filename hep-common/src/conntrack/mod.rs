//! The connection table: keys, entries, TCP states and timers (spec section 12).
//!
//! A key identifies a flow from either direction: the end with the lower `(address, port)` is `a`.
//! ICMP queries use their identifier as the port of both ends; protocols without ports use 0.
//!
//! *Assured* flows, whose opener has answered what it was sent, have tables of their own, TCP apart from the
//! rest. Flows of both families that are not assured share one table, where they evict only each other.

mod conn;
mod key;
mod progress;

use crate::tick::Tick;

pub use conn::{
    ANY_INTERFACE, Approval, Conn, FLAG_BLOCKED, FLAG_DATA, FLAG_HANDSHAKE, FLAG_OPENED_BY_A,
    FLAG_SEEDED, JUDGED_FORWARD, RESET_GRACE_NS, SETTLED_BITS, State, TAKEN_OVER, flags_in, leg,
    settled,
};
pub use key::{ConnKey4, ConnKey6, PLACES};
pub use progress::{ASSURED_AFTER_NS, Segment, is_ahead, only_continues};

/// Version of the layout and meaning of [`ConnKey4`], [`ConnKey6`], [`Conn`] and the entries about
/// [`fragment`](crate::fragment)s. Userspace records it in the directory of the maps; another version, later
/// or earlier, takes over what it can read.
pub const LAYOUT_VERSION: u32 = 3;

/// Ticks, as a power of two (34 s), after which flows are classified again even without a known change.
/// Bounds how long a flow may be misjudged while no daemon tracks the host's addresses.
const CLASSIFIED_BITS: u32 = 11;

/// Stamp of the current knowledge about which flows are local and which forwarded (spec EV-259): a flow with
/// a different stamp must be classified again. `changes` is
/// [`Control::classification`](crate::settings::Control::classification).
#[must_use]
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "stamps wrap after 2.4 hours"
)]
pub const fn classification(changes: u32, now: Tick) -> u8 {
    changes.wrapping_add(now.0 >> CLASSIFIED_BITS) as u8
}

/// Capacity of each table of assured flows, unless the loader sets another.
pub const DEFAULT_FLOWS: u32 = 262_144;
/// Capacity of the table of the others, unless the loader sets another.
pub const UNASSURED_FLOWS: u32 = 262_144;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::TICK_NS;

    /// EV-259: a change shows in the stamp at once, and so does time, if nothing else changes.
    #[test]
    fn the_stamp_of_a_classification_changes_with_the_host_and_with_time() {
        let now = Tick(u32::MAX - 5);
        assert_eq!(classification(7, now), classification(7, Tick(now.0 + 1)));
        assert_ne!(classification(7, now), classification(8, now));
        let later = Tick::at(TICK_NS * u64::from(now.0) + 35_000_000_000);
        assert_ne!(classification(7, now), classification(7, later));
    }
}
