//! Entries of the connection table: the state kept for each flow.

use crate::{protocol, settings::Timeouts, tick::Tick};

/// One hook's approval of a flow: ingress policy approves at the interface where the opener's
/// packets come in, egress policy where they go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// Interface that approved; 0: not approved at this kind of hook.
    pub ifindex: u32,
    /// Counter slot of the rule that approved.
    pub slot: u32,
}

/// Value of [`Approval::ifindex`] for flows found on the host at a cold start: approved at whichever
/// interface sees the flow's next packet.
pub const ANY_INTERFACE: u32 = u32::MAX;

/// Value of [`Approval::slot`] for a flow that no rule approved because it predates policy on its interface.
pub const TAKEN_OVER: u32 = u32::MAX;

/// Set in [`Conn::flags`] if end `a` opened the flow; else `b` did.
pub const FLAG_OPENED_BY_A: u8 = 1 << 0;
/// Set if the flow is from before the interface came under policy, and was not judged.
pub const FLAG_SEEDED: u8 = 1 << 1;
/// Set if a change of policy has cut the flow.
pub const FLAG_BLOCKED: u8 = 1 << 2;
/// Set if the flow was opened by a SYN that was seen; other TCP flows were picked up on their way.
pub const FLAG_HANDSHAKE: u8 = 1 << 3;
/// Set if end `a` has sent data by TCP; shifted left by one: end `b`.
pub const FLAG_DATA: u8 = 1 << 4;

/// Set in [`Conn::judged`] for a hook whose approval came from the forward list; else it came from
/// the local list. Shifted left by the number of the direction.
pub const JUDGED_FORWARD: u8 = 1 << 0;

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
    /// Sent a segment that determines its next sequence number; TCP.
    pub const NUMBERED: u8 = 1 << 5;
}

/// One flow.
///
/// An element of a kernel table takes 48 bytes (8 more where elements are allocated one by one) plus the key
/// and this value. The fields that the fast path reads and writes come first: with an IPv4 key they share one
/// cache line in either kind of table; the slots may be in the next.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conn {
    /// [`leg`] flags of end `a` and end `b`.
    pub legs: [u8; 2],
    /// `FLAG_…` bits.
    pub flags: u8,
    /// [`JUDGED_FORWARD`] bits.
    pub judged: u8,
    /// TCP: the last RST that counts; [`Tick::NONE`]: none, or outlived. Traffic after the RST clears
    /// the ends' [`leg::RST`] at once, but this only after
    /// [`RESET_GRACE_NS`](super::RESET_GRACE_NS). Other protocols: the first packet, until the flow is
    /// assured.
    pub event: Tick,
    /// The generation whose rules have judged it wherever it is approved.
    pub generation: u32,
    /// Per direction of the hook: the [`classification`](super::classification) stamp of the last time the
    /// flow was classified as local or forwarded; [`Self::judged`] holds the result.
    pub classified: [u8; 2],
    /// For ICMP queries, the type of the request that opened the flow; else 0.
    pub icmp_type: u8,
    /// The IANA protocol number again: [`Conn::state`] needs no key.
    pub protocol: u8,
    /// Per direction of the hook, ingress and egress: [`Approval::ifindex`].
    pub ifindexes: [u32; 2],
    /// The last packet of either direction.
    pub last_seen: Tick,
    /// The sequence numbers that end `a` and end `b` send next; TCP. For an end that is not
    /// [`leg::NUMBERED`], the other end's last acknowledgement number.
    pub next: [u32; 2],
    /// Packets that end `a` and end `b` sent; wraps.
    pub packets: [u32; 2],
    /// Bytes that end `a` and end `b` sent: the lower 32 bits of 48.
    pub bytes_low: [u32; 2],
    /// The other bits of `bytes_low`; wraps.
    pub bytes_high: [u16; 2],
    /// Per direction of the hook, ingress and egress: [`Approval::slot`].
    pub slots: [u32; 2],
}

abi!(
    Conn,
    64,
    [
        [u8; 2], u8, u8, Tick, u32, [u8; 2], u8, u8, [u32; 2], Tick, [u32; 2], [u32; 2], [u32; 2],
        [u16; 2], [u32; 2]
    ]
);

/// The first eight bytes of a [`Conn`], in memory order: a word to read at once.
#[inline(always)]
pub(super) const fn head(legs: [u8; 2], flags: u8, judged: u8, event: Tick) -> u64 {
    let [a, b] = legs;
    let [e, f, g, h] = event.0.to_ne_bytes();
    u64::from_ne_bytes([a, b, flags, judged, e, f, g, h])
}

/// Mask for a [`Conn`]'s first word: these bits equal [`settled`] if nothing about the flow is out of the
/// ordinary.
pub const SETTLED_BITS: u64 = head([u8::MAX; 2], FLAG_BLOCKED, 0, Tick(u32::MAX));

/// The [`SETTLED_BITS`] of an ordinary assured flow: both ends have sent everything that further packets
/// could add to its state, neither has ended it, and no change of policy has cut it.
#[must_use]
#[inline(always)]
pub const fn settled(number: u8) -> u64 {
    let said = if number == protocol::TCP {
        leg::SEEN | leg::SYN | leg::ACK | leg::NUMBERED
    } else {
        leg::SEEN
    };
    head([said; 2], 0, 0, Tick::NONE)
}

/// The flags in a [`Conn`]'s first word.
#[must_use]
#[inline(always)]
pub const fn flags_in(word: u64) -> u8 {
    let [_, _, flags, ..] = word.to_ne_bytes();
    flags
}

/// Lifecycle state of a flow.
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

/// A flow idle for this long after a RST is forgotten; one that stays active for longer outlives the RST
/// (spec EV-156).
pub const RESET_GRACE_NS: u64 = 120_000_000_000;

impl Conn {
    /// The approvals of both hooks: ingress, egress.
    #[must_use]
    pub const fn approvals(&self) -> [Approval; 2] {
        let ([in_ifindex, out_ifindex], [in_slot, out_slot]) = (self.ifindexes, self.slots);
        [
            Approval {
                ifindex: in_ifindex,
                slot: in_slot,
            },
            Approval {
                ifindex: out_ifindex,
                slot: out_slot,
            },
        ]
    }

    /// Bytes that end `a` and end `b` sent; wraps after 2^48.
    #[must_use]
    pub const fn bytes(&self) -> [u64; 2] {
        let ([low_a, low_b], [high_a, high_b]) = (self.bytes_low, self.bytes_high);
        [
            (high_a as u64) << 32 | low_a as u64,
            (high_b as u64) << 32 | low_b as u64,
        ]
    }

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
                if !self.event.is_none() && RESET_GRACE_NS < timeouts.tcp_established_ns =>
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

    /// Whether the flow has exceeded its idle limit: never early, and at most two ticks late.
    #[must_use]
    #[inline(always)]
    pub const fn is_expired(&self, now: Tick, timeouts: &Timeouts) -> bool {
        now.least_ns_since(self.last_seen) > self.idle_limit_ns(timeouts)
    }
}

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

    /// EV-156: also if the RST came in the very first tick.
    #[test]
    fn a_reset_shortens_the_time_of_an_established_connection() {
        let mut flow = flow(protocol::TCP, Tick(1));
        assert_eq!(flow.idle_limit_ns(&TIMEOUTS), TIMEOUTS.tcp_established_ns);
        flow.event = Tick::some_at(0);
        assert_eq!(flow.idle_limit_ns(&TIMEOUTS), RESET_GRACE_NS);
    }

    #[test]
    fn bytes_are_counted_beyond_32_bits() {
        let flow = Conn {
            bytes_low: [7, 0],
            bytes_high: [1, u16::MAX],
            ..Conn::default()
        };
        assert_eq!(flow.bytes(), [(1 << 32) + 7, 0xffff << 32]);
    }
}
