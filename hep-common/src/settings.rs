//! The words that every packet reads: which generation is in force, and how it behaves.

/// The single value of the `CONTROL` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The generation in force; tables and [`Settings`] are read from slot `generation & 1`. 0: none
    /// was ever loaded, and every packet passes unpoliced.
    pub generation: u32,
    /// Number of changes to this host's own addresses or to what it forwards; wraps. Flows that were
    /// classified before the last change are classified again (spec EV-259).
    pub classification: u32,
}

abi!(Control, 8, [u32, u32]);

/// Accept IPv6 neighbour discovery and multicast listener traffic that passes its checks.
pub const FLAG_ND_EXEMPT: u32 = 1 << 0;
/// Judge established flows again when the generation changed; else keep them.
pub const FLAG_REVALIDATE: u32 = 1 << 1;
/// Judge packets that belong to no flow and open none by policy instead of dropping them.
pub const FLAG_ALLOW_INVALID: u32 = 1 << 2;
/// Do not police IPv6 at all.
pub const FLAG_NO_IPV6: u32 = 1 << 3;
/// Reverse-path check of new ingress flows: any route back will do.
pub const FLAG_RPF_LOOSE: u32 = 1 << 4;
/// Reverse-path check of new ingress flows: the route back must use the same interface.
pub const FLAG_RPF_STRICT: u32 = 1 << 5;
/// At least one rule uses named ports.
pub const FLAG_NAMED_PORTS: u32 = 1 << 6;
/// Put denied packets on the event ring, rate limited.
pub const FLAG_DENY_EVENTS: u32 = 1 << 7;
/// With [`FLAG_ND_EXEMPT`]: accept router advertisements that pass their checks.
pub const FLAG_RA_EXEMPT: u32 = 1 << 8;
/// Judge ICMP messages of any type but errors and redirects by policy even without a flow, where a packet is
/// judged only to find its rule.
pub const FLAG_ANY_ICMP: u32 = 1 << 9;

/// Behaviour of one generation; the `SETTINGS` map has two, chosen by `generation & 1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `FLAG_…` bits.
    pub flags: u32,
    /// Size of the interface table minus 1; the size is a power of two.
    pub interface_mask: u32,
    /// The skb mark bit that exempts a forwarded packet accepted untracked; 0: none.
    pub bypass_mark: u32,
    /// The first of the generations up to this one whose rules are the same: flows that any of them approved
    /// are not judged again.
    pub same_since: u32,
    /// Records per [`Self::log_period_s`] and rule for `Log` rules and denials, on each CPU.
    pub log_rate: u32,
    /// Records a `Log` rule may emit at once.
    pub log_burst: u32,
    /// Period of [`Self::log_rate`], seconds; 0 counts as 1.
    pub log_period_s: u32,
    /// Always zero.
    pub reserved: u32,
    /// Idle time of a fragmented packet's stored verdict, nanoseconds.
    pub fragment_timeout_ns: u64,
    /// Idle times of flows.
    pub timeouts: Timeouts,
}

impl Settings {
    /// Whether what `approved`, a generation, has judged is still as `current`, the one in force, would.
    #[must_use]
    pub const fn is_same(&self, current: u32, approved: u32) -> bool {
        current.wrapping_sub(approved) <= current.wrapping_sub(self.same_since)
    }
}

abi!(
    Settings,
    96,
    [u32, u32, u32, u32, u32, u32, u32, u32, u64, Timeouts]
);

/// Idle times after which a flow is forgotten, nanoseconds (spec RS-186 to RS-192).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP, handshake not complete.
    pub tcp_syn_sent_ns: u64,
    /// TCP, established.
    pub tcp_established_ns: u64,
    /// TCP, FIN seen in both directions.
    pub tcp_fins_seen_ns: u64,
    /// TCP, RST seen.
    pub tcp_reset_seen_ns: u64,
    /// UDP.
    pub udp_ns: u64,
    /// ICMP and ICMPv6.
    pub icmp_ns: u64,
    /// Every other protocol.
    pub generic_ns: u64,
}

abi!(Timeouts, 56, [u64, u64, u64, u64, u64, u64, u64]);
