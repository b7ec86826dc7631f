//! Rule lists as bit vectors over classes.
//!
//! A *list* holds all rules for one kind of packet at one interface, in one direction and family, flattened
//! in order: failsafes, pre-DNAT tiers, tiers, profiles, defaults. Bit *i* of a class's row is set if rule
//! *i* accepts that class in that dimension; a rule matches a packet if its bit is set in the rows of all the
//! packet's classes. The last rule of every list matches everything and decides.
//!
//! Everything but long rows is in one table of 64-bit words, the `POLICY` table, divided into pages, so that
//! most packets find all they need in one page: the lists from word 0 on, [`WORDS_PER_LIST`] apart; then
//! their [`Rule`]s; then the *index*, for each list, dimension and class. For a list of at most [`MAX_SHORT`]
//! rules the word at `list.rows[dimension] + class` is the class's row itself.
//!
//! Rows of longer lists are cut into chunks of [`RULES_PER_CHUNK`] rules. The index then holds their
//! numbers in the `ROWS` table, one per chunk, at
//! `list.rows[dimension] + class * list.chunks + chunk`; equal rows are stored once. Row 0 is empty.

/// Rules that one [`Row`] covers.
pub const RULES_PER_CHUNK: u32 = 4096;
/// Most rules in one list, defaults and ends of tiers included.
pub const MAX_RULES_PER_LIST: u32 = 16_384;
/// Most chunks in one list.
pub const MAX_CHUNKS: u32 = MAX_RULES_PER_LIST / RULES_PER_CHUNK;
/// Words in a row.
pub const WORDS_PER_ROW: u32 = RULES_PER_CHUNK / 64;
/// Most rules of a list whose rows are single words of the index.
pub const MAX_SHORT: u32 = u64::BITS;
/// Words per page of the `POLICY` table.
pub const WORDS_PER_PAGE: u32 = 512;
/// Words from one list to the next: a cache line.
pub const WORDS_PER_LIST: u32 = 8;
/// Number of dimensions.
pub const DIMENSIONS: usize = 6;

/// A property of packets by which they are classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Dimension {
    /// Source address.
    Source = 0,
    /// Destination address.
    Destination = 1,
    /// Protocol with destination port, ICMP type and code, or nothing.
    Service = 2,
    /// Source port.
    SourcePort = 3,
    /// Named ports at the source: (address, protocol, source port).
    SourceNamedPort = 4,
    /// Named ports at the destination: (address, protocol, destination port).
    DestinationNamedPort = 5,
}

impl Dimension {
    /// All dimensions, in the order of their numbers.
    pub const ALL: [Self; DIMENSIONS] = [
        Self::Source,
        Self::Destination,
        Self::Service,
        Self::SourcePort,
        Self::SourceNamedPort,
        Self::DestinationNamedPort,
    ];

    /// This dimension's bit in [`List::dimensions`].
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// One rule list. List 0 is reserved for "no list".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Number of rules, at least 1.
    pub rules: u32,
    /// Number of chunks: `rules` divided by [`RULES_PER_CHUNK`], rounded up.
    pub chunks: u32,
    /// Position of its first rule; in the `POLICY` table, the number of a word.
    pub first_rule: u32,
    /// Bit set of [`Dimension`]s in which at least one rule distinguishes classes. The others need
    /// no look-up: every rule accepts every class there.
    pub dimensions: u32,
    /// For each used dimension, the position of class 0, chunk 0 in the index; in the `POLICY` table, the
    /// number of a word.
    pub rows: [u32; DIMENSIONS],
    /// The number of the first rule after the pre-DNAT tiers; 0 if it has none.
    pub normal_from: u32,
}

/// Two numbers in one word.
const fn pair(low: u32, high: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// The two numbers in a word, the lower half first.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a half at a time")]
const fn parts(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

impl List {
    /// Its words in the `POLICY` table.
    #[must_use]
    pub const fn words(&self) -> [u64; WORDS_PER_LIST as usize] {
        let [a, b, c, d, e, f] = self.rows;
        [
            pair(self.rules, self.chunks),
            pair(self.first_rule, self.dimensions),
            pair(a, b),
            pair(c, d),
            pair(e, f),
            pair(self.normal_from, 0),
            0,
            0,
        ]
    }

    /// Decodes a list from its words.
    #[must_use]
    #[inline(always)]
    pub const fn of(words: &[u64; WORDS_PER_LIST as usize]) -> Self {
        let [counts, places, first, second, third, stages, ..] = *words;
        let [rules, chunks] = parts(counts);
        let [first_rule, dimensions] = parts(places);
        let [[a, b], [c, d], [e, f]] = [parts(first), parts(second), parts(third)];
        let [normal_from, _] = parts(stages);
        Self {
            rules,
            chunks,
            first_rule,
            dimensions,
            rows: [a, b, c, d, e, f],
            normal_from,
        }
    }

    /// Whether its rows are in the index itself.
    #[must_use]
    #[inline(always)]
    pub const fn is_short(&self) -> bool {
        self.rules <= MAX_SHORT
    }
}

/// Effect of a rule that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// Accept the packet.
    Allow = 0,
    /// Drop the packet.
    Deny = 1,
    /// Continue at [`Rule::target`].
    Pass = 2,
    /// Report the packet and continue with the next rule.
    Log = 3,
    /// A rule of a staged policy: count it and continue at [`Rule::target`].
    Staged = 4,
    /// No verdict from this list: the next stage judges the packet. Last rule of the untracked lists.
    Continue = 5,
}

impl TryFrom<u8> for Action {
    type Error = u8;

    fn try_from(number: u8) -> Result<Self, u8> {
        Ok(match number {
            0 => Self::Allow,
            1 => Self::Deny,
            2 => Self::Pass,
            3 => Self::Log,
            4 => Self::Staged,
            5 => Self::Continue,
            other => return Err(other),
        })
    }
}

/// One rule of a list: action, reason, jump target and counter slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// An [`Action`].
    pub action: u8,
    /// The [`Reason`](crate::counter::Reason) of the verdict, for `Allow` and `Deny`.
    pub reason: u8,
    /// For `Pass` and `Staged`, the number within the list of the rule to continue at; always larger than the
    /// rule's own.
    pub target: u16,
    /// The rule's slot in the `RULE_COUNTERS` map: its identity as long as its text and place in
    /// its policy stay the same, across generations.
    pub slot: u32,
}

impl Rule {
    /// Its word in the `POLICY` table.
    #[must_use]
    pub const fn word(&self) -> u64 {
        pair(
            self.slot,
            (self.target as u32) << 16 | (self.reason as u32) << 8 | self.action as u32,
        )
    }

    /// Decodes a rule from its word.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a part at a time")]
    pub const fn of(word: u64) -> Self {
        let [slot, rest] = parts(word);
        Self {
            action: rest as u8,
            reason: (rest >> 8) as u8,
            target: (rest >> 16) as u16,
            slot,
        }
    }
}

const _: () = assert!(MAX_RULES_PER_LIST <= 1 << 16, "a rule's target has 16 bits");

/// One value of the `POLICY` table.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Words `512 * index` to `512 * index + 511`.
    pub words: [u64; WORDS_PER_PAGE as usize],
}

abi!(Page, 4096, [[u64; 512]]);

/// The bits of one chunk of rules for one class.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Bit *w* is set if `words[w]` is not zero.
    pub summary: u64,
    /// Bit *b* of word *w* belongs to rule `64 * w + b` of the chunk.
    pub words: [u64; WORDS_PER_ROW as usize],
}

abi!(Row, 520, [u64, [u64; 64]]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_rules_come_back_from_their_words() {
        let list = List {
            rules: 1,
            chunks: 2,
            first_rule: 3,
            dimensions: 4,
            rows: [5, 6, 7, 8, 9, u32::MAX],
            normal_from: 10,
        };
        assert_eq!(List::of(&list.words()), list);
        let rule = Rule {
            action: 1,
            reason: 2,
            target: 0xfedc,
            slot: 0xfedc_ba98,
        };
        assert_eq!(Rule::of(rule.word()), rule);
    }
}
