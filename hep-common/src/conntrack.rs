//! The connection table: keys, entries, TCP states and timers (spec section 12).
//!
//! A key identifies a flow from either direction: the end with the lower `(address, port)` is `a`.
//! ICMP queries use their identifier as the port of both ends; protocols without ports use 0.
//! Flows of which one direction was seen live in small tables of their own, so that a flood of new
//! flows cannot evict the established ones.

use crate::{protocol, settings::Timeouts, tick::Tick};

/// Two ports as one word: see [`ConnKey4::ports`].
#[inline(always)]
const fn pair(a: u16, b: u16) -> u32 {
    (b as u32) << 16 | a as u32
}

/// The two ports of [`pair`].
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a half at a time")]
const fn parts(ports: u32) -> [u16; 2] {
    [ports as u16, (ports >> 16) as u16]
}

/// Version of the layout and meaning of [`ConnKey4`], [`ConnKey6`], [`Conn`] and what is kept about
/// [`fragment`](crate::fragment)s. Userspace notes it in the folder of the maps; another version, later
/// or earlier, takes over what it can read.
pub const LAYOUT_VERSION: u32 = 2;

/// Identifies an IPv4 flow.
///
/// Aligned so that the kernel programs may compare and copy addresses in large words. The rest are
/// words too: the map's hash reads the key in words right after it was written, and a word that was
/// written in pieces is not there before the last piece has reached the cache (measured: 9 ns).
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnKey4 {
    /// Network byte order.
    pub addr_a: [u8; 4],
    /// As `addr_a`.
    pub addr_b: [u8; 4],
    /// Ports of `a`, in the lower half, and of `b`, host byte order; 0 for protocols without ports.
    pub ports: u32,
    /// IANA protocol number.
    pub protocol: u32,
}

abi!(ConnKey4, 16, [[u8; 4], [u8; 4], u32, u32]);

impl ConnKey4 {
    /// The key of a flow, and whether its end `src` is `a`. Ports are in host byte order.
    #[must_use]
    #[inline(always)]
    pub const fn of(protocol: u8, src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> (Self, bool) {
        let (from, to) = (u32::from_be_bytes(src.0), u32::from_be_bytes(dst.0));
        let src_is_a = from < to || (from == to && src.1 <= dst.1);
        let (a, b) = if src_is_a { (src, dst) } else { (dst, src) };
        let key = Self {
            addr_a: a.0,
            addr_b: b.0,
            ports: pair(a.1, b.1),
            protocol: protocol as u32,
        };
        (key, src_is_a)
    }

    /// Address and port of both ends, `a` first.
    #[must_use]
    #[inline(always)]
    pub const fn ends(&self) -> [([u8; 4], u16); 2] {
        let [port_a, port_b] = parts(self.ports);
        [(self.addr_a, port_a), (self.addr_b, port_b)]
    }
}

/// Identifies an IPv6 flow; fields and alignment as in [`ConnKey4`].
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnKey6 {
    /// Network byte order.
    pub addr_a: [u8; 16],
    /// As `addr_a`.
    pub addr_b: [u8; 16],
    /// As in [`ConnKey4`].
    pub ports: u32,
    /// IANA protocol number.
    pub protocol: u32,
}

abi!(ConnKey6, 40, [[u8; 16], [u8; 16], u32, u32]);

impl ConnKey6 {
    /// The key of a flow, and whether its end `src` is `a`. Ports are in host byte order.
    #[must_use]
    #[inline(always)]
    pub const fn of(protocol: u8, src: ([u8; 16], u16), dst: ([u8; 16], u16)) -> (Self, bool) {
        let (from, to) = (u128::from_be_bytes(src.0), u128::from_be_bytes(dst.0));
        let src_is_a = from < to || (from == to && src.1 <= dst.1);
        let (a, b) = if src_is_a { (src, dst) } else { (dst, src) };
        let key = Self {
            addr_a: a.0,
            addr_b: b.0,
            ports: pair(a.1, b.1),
            protocol: protocol as u32,
        };
        (key, src_is_a)
    }

    /// Address and port of both ends, `a` first.
    #[must_use]
    #[inline(always)]
    pub const fn ends(&self) -> [([u8; 16], u16); 2] {
        let [port_a, port_b] = parts(self.ports);
        [(self.addr_a, port_a), (self.addr_b, port_b)]
    }
}

/// One hook's approval of a flow: ingress policy approves at the interface where the opener's
/// packets come in, egress policy where they go out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// Interface that approved; 0: not approved at this kind of hook.
    pub ifindex: u32,
    /// Generation whose rules approved.
    pub generation: u32,
    /// Counter slot of the rule that approved.
    pub slot: u32,
}

abi!(Approval, 12, [u32, u32, u32]);

/// In place of [`Approval::ifindex`]: approved wherever the flow's next packet is seen, as flows that
/// were found on the host at a cold start are.
pub const ANY_INTERFACE: u32 = u32::MAX;

/// In place of [`Approval::slot`]: no rule approved, the flow is from before the interface came under
/// policy.
pub const TAKEN_OVER: u32 = u32::MAX;

/// Set in [`Conn::flags`] if end `a` opened the flow; else `b` did.
pub const FLAG_OPENED_BY_A: u8 = 1 << 0;
/// Set if the flow is from before the interface came under policy, and was not judged.
pub const FLAG_SEEDED: u8 = 1 << 1;
/// Set if a change of policy has cut the flow.
pub const FLAG_BLOCKED: u8 = 1 << 2;

/// Set in [`Conn::judged`] for a hook whose approval came from the forward list; else it came from
/// the local list. Shifted left by the number of the direction.
pub const JUDGED_FORWARD: u8 = 1 << 0;

/// Ticks after which flows are classified again though nothing is known to have changed, as a power of
/// two: 34 s. It bounds how long a flow is judged wrongly while no daemon follows the host's addresses.
const CLASSIFIED_BITS: u32 = 11;

/// Stamp of what was last known about which flows are local and which forwarded (spec EV-259); another
/// one means that a flow is to be classified again. `changes` is
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

/// TCP flags and, for other protocols, "a packet was seen", of one end of a flow.
pub mod leg {
    /// Sent a SYN.
    pub const SYN: u8 = 1 << 0;
    /// Acknowledged.
    pub const ACK: u8 = 1 << 1;
    /// Sent a FIN.
    pub const FIN: u8 = 1 << 2;
    /// Sent a RST.
    pub const RST: u8 = 1 << 3;
    /// Sent anything.
    pub const SEEN: u8 = 1 << 4;
}

/// One flow.
///
/// An element of the kernel's table is 48 bytes of its own, the key and this: with an IPv4 key the
/// value is a cache line by itself. What the path of most packets reads comes first, then what it
/// writes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conn {
    /// [`leg`] flags of end `a` and end `b`.
    pub legs: [u8; 2],
    /// `FLAG_…` bits.
    pub flags: u8,
    /// [`JUDGED_FORWARD`] bits.
    pub judged: u8,
    /// For ICMP queries, the type of the request that opened the flow; else 0.
    pub icmp_type: u8,
    /// The IANA protocol number again: [`Conn::state`] needs no key.
    pub protocol: u8,
    /// By direction of the hook whose approval it is: [`classification`] when the flow was last found to
    /// be local or forwarded, as [`Self::judged`] has it.
    pub classified: [u8; 2],
    /// The last RST; [`Tick::NONE`]: none, or outlived. Traffic after the RST clears the ends'
    /// [`leg::RST`] at once, but this only after [`RESET_GRACE_NS`].
    pub reset: Tick,
    /// The last packet of either direction.
    pub last_seen: Tick,
    /// By direction of the hook: ingress, egress.
    pub approvals: [Approval; 2],
    /// Packets that end `a` and end `b` sent; wraps.
    pub packets: [u32; 2],
    /// Bytes that end `a` and end `b` sent.
    pub bytes: [u64; 2],
}

abi!(
    Conn,
    64,
    [
        [u8; 2],
        u8,
        u8,
        u8,
        u8,
        [u8; 2],
        Tick,
        Tick,
        [Approval; 2],
        [u32; 2],
        [u64; 2]
    ]
);

/// Where a flow is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// TCP, handshake not complete.
    SynSent,
    /// TCP, established.
    Established,
    /// TCP, one end has sent FIN.
    FinWait,
    /// TCP, both ends have sent FIN.
    Closed,
    /// TCP, and nothing but SYN or RST since a RST.
    Reset,
    /// Not TCP, one direction seen.
    New,
    /// Not TCP, both directions seen.
    Replied,
}

impl State {
    /// The stable name that commands print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynSent => "syn-sent",
            Self::Established => "established",
            Self::FinWait => "fin-wait",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::New => "new",
            Self::Replied => "replied",
        }
    }
}

/// A flow that was quiet for this long after a RST is forgotten; one that talked on for longer
/// outlives the RST (spec EV-156).
pub const RESET_GRACE_NS: u64 = 120_000_000_000;

/// Packets of the end that answers after which a flow without handshake counts as established, though
/// its opener was heard only once.
pub const MOST_UNHEARD_ANSWERS: u32 = 8;

impl Conn {
    /// Derives the state from the protocol and what both ends have sent.
    #[must_use]
    #[inline(always)]
    pub const fn state(&self) -> State {
        let [a, b] = self.legs;
        let both = a & b;
        if self.protocol != protocol::TCP {
            return if both & leg::SEEN != 0 {
                State::Replied
            } else {
                State::New
            };
        }
        if (a | b) & leg::RST != 0 {
            State::Reset
        } else if both & leg::FIN != 0 {
            State::Closed
        } else if both & (leg::SYN | leg::ACK) != leg::SYN | leg::ACK {
            State::SynSent
        } else if (a | b) & leg::FIN != 0 {
            State::FinWait
        } else {
            State::Established
        }
    }

    /// The idle time after which this flow is forgotten, nanoseconds.
    #[must_use]
    #[inline(always)]
    pub const fn idle_limit_ns(&self, timeouts: &Timeouts) -> u64 {
        match self.state() {
            State::SynSent => timeouts.tcp_syn_sent_ns,
            State::Established | State::FinWait
                if !self.reset.is_none() && RESET_GRACE_NS < timeouts.tcp_established_ns =>
            {
                RESET_GRACE_NS
            }
            State::Established | State::FinWait => timeouts.tcp_established_ns,
            State::Closed => timeouts.tcp_fins_seen_ns,
            State::Reset => timeouts.tcp_reset_seen_ns,
            State::New | State::Replied => match self.protocol {
                protocol::UDP => timeouts.udp_ns,
                protocol::ICMP | protocol::ICMPV6 => timeouts.icmp_ns,
                _ => timeouts.generic_ns,
            },
        }
    }

    /// Whether the flow, of which `sender` (0 is `a`) has just spoken, belongs among the established
    /// ones (spec EV-159): TCP when the handshake is complete, others when the opener speaks on after
    /// an answer. An answer alone is not enough, or a flood from spoofed addresses would push out
    /// established flows wherever a server answers it.
    #[must_use]
    #[inline(always)]
    pub const fn is_established(&self, sender: usize) -> bool {
        match self.state() {
            State::SynSent | State::New => false,
            State::Established | State::FinWait | State::Closed | State::Reset => true,
            State::Replied => {
                let is_from_opener = (sender == 0) == (self.flags & FLAG_OPENED_BY_A != 0);
                let [a, b] = self.packets;
                let spoken = if sender == 0 { a } else { b };
                is_from_opener || spoken > MOST_UNHEARD_ANSWERS
            }
        }
    }

    /// Whether the flow has been idle for too long: never before its time is over, and at most two
    /// ticks after.
    #[must_use]
    #[inline(always)]
    pub const fn is_expired(&self, now: Tick, timeouts: &Timeouts) -> bool {
        now.least_ns_since(self.last_seen) > self.idle_limit_ns(timeouts)
    }
}

/// Default capacity of each table of established flows.
pub const DEFAULT_FLOWS: u32 = 512_000;
/// Capacity of each table of flows of which one direction was seen.
pub const HALF_OPEN_FLOWS: u32 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::TICK_NS;

    const SECOND_NS: u64 = 1_000_000_000;
    const TIMEOUTS: Timeouts = Timeouts {
        tcp_syn_sent_ns: 20 * SECOND_NS,
        tcp_established_ns: 3600 * SECOND_NS,
        tcp_fins_seen_ns: 30 * SECOND_NS,
        tcp_reset_seen_ns: 40 * SECOND_NS,
        udp_ns: 60 * SECOND_NS,
        icmp_ns: 5 * SECOND_NS,
        generic_ns: 600 * SECOND_NS,
    };

    /// A UDP flow, or an established TCP connection.
    fn flow(number: u8, last_seen: Tick) -> Conn {
        Conn {
            legs: [leg::SEEN | leg::SYN | leg::ACK; 2],
            protocol: number,
            last_seen,
            ..Conn::default()
        }
    }

    /// EV-154: whatever part of a tick is over when the last packet comes, and when the flow is looked
    /// at; and while the ticks wrap.
    #[test]
    fn a_flow_expires_never_early_and_at_most_two_ticks_late() {
        let wrap_ns = TICK_NS << 32;
        for first_ns in [0, 5 * SECOND_NS, wrap_ns - 30 * SECOND_NS, wrap_ns] {
            for part_ns in [0, 1, TICK_NS / 2, TICK_NS - 1] {
                let seen_ns = first_ns + part_ns;
                let flow = flow(protocol::UDP, Tick::at(seen_ns));
                let is_expired = |idle_ns| flow.is_expired(Tick::at(seen_ns + idle_ns), &TIMEOUTS);
                for idle_ns in [0, TICK_NS, 59 * SECOND_NS, 60 * SECOND_NS] {
                    assert!(!is_expired(idle_ns), "{idle_ns} after {seen_ns}");
                }
                let late_ns = 60 * SECOND_NS + 2 * TICK_NS;
                assert!(is_expired(late_ns), "{late_ns} after {seen_ns}");
            }
        }
    }

    /// Another CPU may have read the clock a moment later than the one that asks.
    #[test]
    fn a_flow_that_was_seen_a_tick_later_is_not_expired() {
        for now in [Tick(0), Tick(7), Tick(u32::MAX)] {
            let flow = flow(protocol::UDP, Tick(now.0.wrapping_add(1)));
            assert!(!flow.is_expired(now, &TIMEOUTS));
        }
    }

    /// EV-259: a change shows in the stamp at once, and so does time, if nothing else changes.
    #[test]
    fn the_stamp_of_a_classification_changes_with_the_host_and_with_time() {
        let now = Tick(u32::MAX - 5);
        assert_eq!(classification(7, now), classification(7, Tick(now.0 + 1)));
        assert_ne!(classification(7, now), classification(8, now));
        let later = Tick::at(TICK_NS * u64::from(now.0) + 35 * SECOND_NS);
        assert_ne!(classification(7, now), classification(7, later));
    }

    /// EV-156: also if the RST came in the very first tick.
    #[test]
    fn a_reset_shortens_the_time_of_an_established_connection() {
        let mut flow = flow(protocol::TCP, Tick(1));
        assert_eq!(flow.idle_limit_ns(&TIMEOUTS), TIMEOUTS.tcp_established_ns);
        flow.reset = Tick::some_at(0);
        assert_eq!(flow.idle_limit_ns(&TIMEOUTS), RESET_GRACE_NS);
    }
}
