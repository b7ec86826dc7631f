//! State transitions: how a packet updates its flow, and which flows become assured (spec EV-156, EV-159).

use super::{
    Conn, FLAG_BLOCKED, FLAG_DATA, FLAG_HANDSHAKE, FLAG_OPENED_BY_A, RESET_GRACE_NS, State, leg,
};
use crate::{protocol, tick::Tick};

/// Bytes by which a segment may be ahead of its sender's next sequence number and still count: more than is
/// lost in front of hep at once, and little enough to be hard to guess.
const MOST_AHEAD: u32 = 1 << 20;

/// Least time between the first packet of a flow without handshake and the opener's packet that makes it
/// assured, nanoseconds (spec EV-159).
pub const ASSURED_AFTER_NS: u64 = 2_000_000_000;

/// Numbers in a TCP header, host byte order; of other protocols, and of fragments, all are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Number of the first byte, or of the SYN.
    pub sequence: u32,
    /// Number that the sender expects next; valid only with ACK.
    pub acknowledgement: u32,
    /// Bytes of data.
    pub payload: u32,
}

impl Segment {
    /// The sender's next sequence number after this segment; `says` holds its [`leg`] bits.
    #[must_use]
    #[inline(always)]
    const fn end(self, says: u8) -> u32 {
        let syn = (says & leg::SYN != 0) as u32;
        let fin = (says & leg::FIN != 0) as u32;
        self.sequence
            .wrapping_add(self.payload)
            .wrapping_add(syn)
            .wrapping_add(fin)
    }
}

/// Whether `end` plausibly advances `next`, a sender's next sequence number.
#[must_use]
#[inline(always)]
pub const fn is_ahead(next: u32, end: u32) -> bool {
    let ahead = end.wrapping_sub(next);
    ahead != 0 && ahead <= MOST_AHEAD
}

/// One of a pair.
#[inline(always)]
const fn pick<T: Copy>(pair: [T; 2], index: usize) -> T {
    let [first, second] = pair;
    if index == 0 { first } else { second }
}

/// The pair with `one` at `index` and `other` at the other index.
#[inline(always)]
const fn pair<T: Copy>(index: usize, one: T, other: T) -> [T; 2] {
    if index == 0 {
        [one, other]
    } else {
        [other, one]
    }
}

/// The other index of a pair.
#[inline(always)]
const fn opposite(index: usize) -> usize {
    (index == 0) as usize
}

/// Whether a packet of end `sender` changes only the counters and the timer of a flow that is neither TCP nor
/// assured; `word` is the first word of its [`Conn`]. True if that end has sent before, no change of policy
/// has cut the flow, and the packet does not make it assured.
#[must_use]
#[inline(always)]
pub const fn only_continues(word: u64, sender: usize, now: Tick) -> bool {
    let [a, b, flags, _, e, f, g, h] = word.to_ne_bytes();
    let opener = (flags & FLAG_OPENED_BY_A ^ 1) as usize;
    let first = Tick(u32::from_ne_bytes([e, f, g, h]));
    let may_assure = a & b & leg::SEEN != 0 && sender == opener;
    pick([a, b], sender) & leg::SEEN != 0
        && flags & FLAG_BLOCKED == 0
        && !(may_assure && now.least_ns_since(first) >= ASSURED_AFTER_NS)
}

impl Conn {
    /// The end that opened the flow.
    #[must_use]
    #[inline(always)]
    pub const fn opener(&self) -> usize {
        // As a number: which it is is random, and a branch would be mispredicted.
        const { assert!(FLAG_OPENED_BY_A == 1) };
        (self.flags & FLAG_OPENED_BY_A ^ 1) as usize
    }

    /// Updates the flow with an accepted packet of `sender` (0 is `a`); `says` holds its [`leg`] bits.
    #[inline(always)]
    pub const fn advance(&mut self, sender: usize, says: u8, segment: Segment, now: Tick) {
        if self.protocol != protocol::TCP {
            let [own, other] = self.sides(sender);
            self.legs = pair(sender, own | says, other);
        } else if says & leg::RST != 0 {
            self.reset(sender, says, segment, now);
        } else {
            self.proceed(sender, says, segment, now);
        }
    }

    /// The legs of `sender` and of the other end.
    #[inline(always)]
    const fn sides(&self, sender: usize) -> [u8; 2] {
        [pick(self.legs, sender), pick(self.legs, opposite(sender))]
    }

    /// Whether both ends have completed the handshake.
    #[inline(always)]
    const fn is_open(&self) -> bool {
        let [a, b] = self.legs;
        a & b & (leg::SYN | leg::ACK) == leg::SYN | leg::ACK
    }

    /// Whether any packet was seen.
    #[inline(always)]
    const fn is_seen(&self) -> bool {
        let [a, b] = self.legs;
        (a | b) & leg::SEEN != 0
    }

    /// Applies a RST if its sender could have sent it next (spec EV-156).
    #[inline(always)]
    const fn reset(&mut self, sender: usize, says: u8, segment: Segment, now: Tick) {
        let [own, other] = self.sides(sender);
        let is_known = (own | other) & leg::NUMBERED != 0;
        let answers_syn = !self.is_open()
            && says & leg::ACK != 0
            && other & leg::NUMBERED != 0
            && segment.acknowledgement == pick(self.next, opposite(sender));
        if answers_syn || !self.is_seen() || is_known && segment.sequence == pick(self.next, sender)
        {
            self.legs = pair(sender, own | leg::SEEN | leg::RST, other);
            // `NONE` means no RST.
            self.event = if now.is_none() { Tick(1) } else { now };
        }
    }

    /// Applies any segment but a RST.
    #[inline(always)]
    const fn proceed(&mut self, sender: usize, says: u8, segment: Segment, now: Tick) {
        let [mut own, mut other] = self.sides(sender);
        let is_open = self.is_open();
        if says & leg::SYN != 0 && is_open && self.is_seen() {
            // It opens nothing: its numbers are not those of this connection.
            return;
        }
        if says & leg::SYN == 0 {
            // Traffic continues: the RST was not genuine (spec EV-156).
            own &= !leg::RST;
            other &= !leg::RST;
            if now.least_ns_since(self.event) > RESET_GRACE_NS {
                self.event = Tick::NONE;
            }
        }
        let mut next = pick(self.next, sender);
        let mut others_next = pick(self.next, opposite(sender));
        let end = segment.end(says);
        if own & leg::NUMBERED == 0 || says & leg::SYN != 0 || is_ahead(next, end) {
            next = end;
        }
        if other & leg::NUMBERED == 0 && says & leg::ACK != 0 {
            others_next = segment.acknowledgement;
        }
        if end == next && segment.payload != 0 {
            self.flags |= FLAG_DATA << sender;
        }
        self.legs = pair(sender, own | says | leg::NUMBERED, other);
        self.next = pair(sender, next, others_next);
    }

    /// Whether the packet just applied by [`Self::advance`] proves that both ends want the flow, and that
    /// nobody else could have sent the opener's part (spec EV-159).
    #[must_use]
    #[inline(always)]
    pub const fn is_assured_by(
        &self,
        sender: usize,
        says: u8,
        segment: Segment,
        now: Tick,
    ) -> bool {
        match self.protocol {
            protocol::ICMP | protocol::ICMPV6 => false,
            protocol::TCP => {
                let [_, other] = self.sides(sender);
                let acknowledges = says & leg::ACK != 0
                    && other & leg::NUMBERED != 0
                    && segment.acknowledgement == pick(self.next, opposite(sender));
                let is_plain = says & (leg::SYN | leg::FIN | leg::RST) == 0;
                let knows = if self.flags & FLAG_HANDSHAKE != 0 {
                    sender == self.opener()
                } else {
                    self.flags & (FLAG_DATA << opposite(sender)) != 0
                };
                is_plain && acknowledges && knows && matches!(self.state(), State::Established)
            }
            _ => {
                matches!(self.state(), State::Replied)
                    && sender == self.opener()
                    && now.least_ns_since(self.event) >= ASSURED_AFTER_NS
            }
        }
    }

    /// Whether the flow has ended and no longer counts as assured.
    #[must_use]
    #[inline(always)]
    pub const fn has_ended(&self) -> bool {
        matches!(self.state(), State::Closed | State::Reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::TICK_NS;

    /// EV-159: the short answer is that of the long way.
    #[test]
    fn a_packet_only_continues_a_flow_that_it_leaves_as_it_is() {
        let first = Tick(7);
        let ages_ns = [0, TICK_NS, ASSURED_AFTER_NS, ASSURED_AFTER_NS + 2 * TICK_NS];
        let mut continues = 0;
        for legs in [[leg::SEEN, 0], [0, leg::SEEN], [leg::SEEN; 2]] {
            for flags in [0, FLAG_OPENED_BY_A, FLAG_BLOCKED] {
                for (sender, age_ns) in ages_ns.into_iter().flat_map(|age| [(0, age), (1, age)]) {
                    let before = Conn {
                        legs,
                        flags,
                        event: first,
                        protocol: protocol::UDP,
                        ..Conn::default()
                    };
                    let now = Tick::at(u64::from(first.0) * TICK_NS + age_ns);
                    let (says, segment) = (leg::SEEN, Segment::default());
                    let mut after = before;
                    after.advance(sender, says, segment, now);
                    let is_same = after == before
                        && flags & FLAG_BLOCKED == 0
                        && !after.is_assured_by(sender, says, segment, now);
                    let word = super::super::conn::head(legs, flags, 0, first);
                    assert_eq!(
                        only_continues(word, sender, now),
                        is_same,
                        "{before:?} {sender}"
                    );
                    continues += u32::from(is_same);
                }
            }
        }
        assert!((10..60).contains(&continues), "{continues}");
    }
}
