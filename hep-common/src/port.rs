//! (protocol, port) → class, ICMP type and code → class, protocol number → class.
//!
//! Two flat tables of 16-bit classes, one for the destination side and one for the source side. The
//! destination table also carries the protocol itself, so that `protocol`, `notProtocol`, `icmp`
//! and `notICMP` of a rule are folded into its class.

/// A class number of a port table.
pub type PortClass = u16;

/// Classes per 64-byte map value.
pub const PORTS_PER_BLOCK: u32 = 32;

/// Where TCP's 65 536 destination or source ports start.
pub const TCP_BASE: u32 = 0;
/// Where UDP's ports start.
pub const UDP_BASE: u32 = 1 << 16;
/// Where SCTP's ports start.
pub const SCTP_BASE: u32 = 2 << 16;
/// Where the classes of ICMP (IPv4) start, indexed by `type << 8 | code`; destination table only.
pub const ICMP_BASE: u32 = 3 << 16;
/// Where the classes of ICMPv6 (IPv6) start, indexed by `type << 8 | code`; destination table only.
pub const ICMPV6_BASE: u32 = 4 << 16;
/// Where the classes of packets without ports start, indexed by protocol number; destination table
/// only. TCP, UDP and SCTP have an entry here for packets whose ports cannot be read, and ICMP and
/// ICMPv6 for the family that does not speak them.
pub const PROTOCOL_BASE: u32 = 5 << 16;

/// Entries of the destination table.
pub const DESTINATION_LEN: u32 = PROTOCOL_BASE + 256;
/// Entries of the source table. A packet without ports has source class 0.
pub const SOURCE_LEN: u32 = 3 << 16;

/// [`PortClasses`] per page: each generation's part of a map starts and ends at a page boundary, so that
/// userspace can map it into memory.
const BLOCKS_PER_PAGE: u32 = 4096 / (2 * PORTS_PER_BLOCK);
/// [`PortClasses`] of the destination table, padded to whole pages.
pub const DESTINATION_BLOCKS: u32 =
    (DESTINATION_LEN / PORTS_PER_BLOCK).next_multiple_of(BLOCKS_PER_PAGE);
/// [`PortClasses`] of the source table, padded to whole pages.
pub const SOURCE_BLOCKS: u32 = (SOURCE_LEN / PORTS_PER_BLOCK).next_multiple_of(BLOCKS_PER_PAGE);

/// One map value: the classes of 32 consecutive entries.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortClasses {
    /// Entries `32 * index` to `32 * index + 31`.
    pub classes: [PortClass; PORTS_PER_BLOCK as usize],
}

abi!(PortClasses, 64, [[u16; 32]]);
