//! Layouts of flows in the maps of this and of earlier versions.

use hep_common::{conntrack::Conn, protocol, tick::Tick};

use crate::datapath::object::names;

/// The layout where none is recorded.
pub(crate) const FIRST_LAYOUT: u32 = 1;
/// The one after it.
pub(crate) const SECOND_LAYOUT: u32 = 2;

/// The layouts of flows that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// [`FIRST_LAYOUT`]: [`FirstConn`].
    First,
    /// [`SECOND_LAYOUT`]: [`SecondConn`].
    Second,
    /// [`hep_common::conntrack::LAYOUT_VERSION`].
    Current,
}

impl Layout {
    /// The tables of flows.
    pub(crate) const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::First | Self::Second => &EARLIER_FLOWS,
            Self::Current => &names::FLOWS,
        }
    }
}

/// Tables of the first two layouts: established IPv4 flows.
pub(crate) const CONNS4: &str = "CONNS4";
/// Established IPv6 flows.
pub(crate) const CONNS6: &str = "CONNS6";
/// IPv4 flows that were not established.
pub(crate) const HALF4: &str = "HALF4";
/// IPv6 flows that were not established.
pub(crate) const HALF6: &str = "HALF6";

/// Tables of flows of the first two layouts.
const EARLIER_FLOWS: [&str; 4] = [CONNS4, CONNS6, HALF4, HALF6];

/// A flow of another version, without its approvals' generation and slots: these are numbered anew here, so
/// its next packet has it judged again, where policy wants that.
pub(crate) const fn unapproved(flow: Conn) -> Conn {
    Conn {
        generation: 0,
        slots: [0; 2],
        ..flow
    }
}

/// A flow as [`Layout::First`] had it, in words: when it was last seen and when it was reset, each in
/// nanoseconds, the latter 0 if it was not; bytes of both ends, packets of both, approvals at both
/// hooks; then bytes.
pub(crate) type FirstConn = [u64; 9];

/// Converts a flow of [`Layout::First`] to the current layout.
pub(crate) const fn from_first(words: FirstConn) -> Conn {
    let [
        last_seen_ns,
        reset_ns,
        bytes_a,
        bytes_b,
        packets,
        ingress,
        both,
        egress,
        last,
    ] = words;
    let reset = if reset_ns == 0 {
        Tick::NONE
    } else {
        Tick::some_at(reset_ns)
    };
    laid_out(
        last,
        [reset, Tick::at(last_seen_ns)],
        [ingress, both, egress],
        packets,
        [bytes_a, bytes_b],
    )
}

/// A flow as [`Layout::Second`] had it, in words: bytes; when it was reset and last seen, in ticks;
/// approvals at both hooks; packets of both ends; bytes of both.
pub(crate) type SecondConn = [u64; 8];

/// Converts a flow of [`Layout::Second`] to the current layout.
pub(crate) const fn from_second(words: SecondConn) -> Conn {
    let [
        first,
        moments,
        ingress,
        both,
        egress,
        packets,
        bytes_a,
        bytes_b,
    ] = words;
    let [reset, last_seen] = halves(moments);
    laid_out(
        first,
        [Tick(reset), Tick(last_seen)],
        [ingress, both, egress],
        packets,
        [bytes_a, bytes_b],
    )
}

/// A flow in the current layout, from a word with legs and flags; when it was reset and last seen; interface,
/// generation and slot of both approvals; packets and bytes.
#[expect(clippy::cast_possible_truncation, reason = "bytes wrap")]
const fn laid_out(
    bits: u64,
    [reset, last_seen]: [Tick; 2],
    [ingress, both, egress]: [u64; 3],
    packets: u64,
    [bytes_a, bytes_b]: [u64; 2],
) -> Conn {
    let [ingress_ifindex, _] = halves(ingress);
    let [ingress_slot, egress_ifindex] = halves(both);
    let [_, egress_slot] = halves(egress);
    let [leg_a, leg_b, flags, judged, icmp_type, number, _, _] = bits.to_ne_bytes();
    Conn {
        legs: [leg_a, leg_b],
        flags,
        judged,
        // The first packet's time is not known, but was not later.
        event: if number == protocol::TCP {
            reset
        } else {
            last_seen
        },
        generation: 0,
        classified: [0; 2],
        icmp_type,
        protocol: number,
        ifindexes: [ingress_ifindex, egress_ifindex],
        last_seen,
        next: [0; 2],
        packets: halves(packets),
        bytes_low: [bytes_a as u32, bytes_b as u32],
        bytes_high: [(bytes_a >> 32) as u16, (bytes_b >> 32) as u16],
        slots: [ingress_slot, egress_slot],
    }
}

/// Two numbers side by side in memory that was read as one word.
const fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
    ]
}
