//! Rule lists as bit vectors over classes.
//!
//! A *list* is everything that one kind of packet meets at one interface, in one direction and
//! family, flattened in order: failsafes, pre-DNAT tiers, tiers, profiles, defaults. Bit *i* of a
//! class's row is set if rule *i* accepts that class in that dimension; a rule matches a packet if
//! its bit is set in the rows of all the packet's classes. The last rule of every list matches
//! everything and decides.
//!
//! Rows are cut into chunks of [`RULES_PER_CHUNK`] rules. For each list, dimension and class, the
//! `INDEX` table holds one row number per chunk, at
//! `list.rows[dimension] + class * list.chunks + chunk`; equal rows are stored once. Row 0 is empty.

/// Rules that one [`Row`] covers.
pub const RULES_PER_CHUNK: u32 = 4096;
/// Most rules in one list, defaults and ends of tiers included.
pub const MAX_RULES_PER_LIST: u32 = 16_384;
/// Most chunks in one list.
pub const MAX_CHUNKS: u32 = MAX_RULES_PER_LIST / RULES_PER_CHUNK;
/// Words in a row.
pub const WORDS_PER_ROW: u32 = RULES_PER_CHUNK / 64;
/// Row numbers per 64-byte value of the `INDEX` table.
pub const ROWS_PER_BLOCK: u32 = 16;
/// Number of dimensions.
pub const DIMENSIONS: usize = 6;

/// What a dimension classifies.
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
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Number of rules, at least 1.
    pub rules: u32,
    /// Number of chunks: `rules` divided by [`RULES_PER_CHUNK`], rounded up.
    pub chunks: u32,
    /// Index of its first rule in the `RULES` table.
    pub first_rule: u32,
    /// Bit set of [`Dimension`]s in which at least one rule distinguishes classes. The others need
    /// no look-up: every rule accepts every class there.
    pub dimensions: u32,
    /// For each used dimension, the index in the `INDEX` table where class 0, chunk 0 stands.
    pub rows: [u32; DIMENSIONS],
}

abi!(List, 40, [u32, u32, u32, u32, [u32; 6]]);

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// Accept the packet.
    Allow = 0,
    /// Drop the packet.
    Deny = 1,
    /// Go on at [`Rule::target`].
    Pass = 2,
    /// Report the packet and go on with the next rule.
    Log = 3,
    /// A rule of a staged policy: count it and go on at [`Rule::target`].
    Staged = 4,
    /// No verdict from this list: the packet goes on to the next stage. Last rule of the untracked
    /// lists.
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

/// What to do at one bit of a list.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// An [`Action`].
    pub action: u8,
    /// The [`Reason`](crate::counter::Reason) of the verdict, for `Allow` and `Deny`.
    pub reason: u8,
    /// Always zero.
    pub reserved: [u8; 2],
    /// For `Pass` and `Staged`, the number within the list of the rule to go on at; always larger
    /// than the rule's own.
    pub target: u32,
    /// The rule's slot in the `RULE_COUNTERS` map: its identity as long as its text and place in
    /// its policy stay the same, across generations.
    pub slot: u32,
}

abi!(Rule, 12, [u8, u8, [u8; 2], u32, u32]);

/// One map value: the row numbers of 16 consecutive (class, chunk) pairs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexBlock {
    /// Entries `16 * index` to `16 * index + 15`.
    pub rows: [u32; ROWS_PER_BLOCK as usize],
}

abi!(IndexBlock, 64, [[u32; 16]]);

/// The bits of one chunk of rules for one class.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Bit *w* is set if `words[w]` is not zero.
    pub summary: u64,
    /// Bit *b* of word *w* stands for rule `64 * w + b` of the chunk.
    pub words: [u64; WORDS_PER_ROW as usize],
}

abi!(Row, 520, [u64, [u64; 64]]);
