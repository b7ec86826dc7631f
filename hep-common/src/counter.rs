//! Reasons of verdicts, and counters of packets and bytes.

/// Packets and bytes of one rule or reason on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets; an aggregated (GSO) packet counts once.
    pub packets: u64,
    /// Bytes, link layer included.
    pub bytes: u64,
}

abi!(Counter, 16, [u64, u64]);

/// Most slots of rules, shared by all lists of a generation.
pub const MAX_RULE_SLOTS: u32 = 1 << 17;
/// Slots of one piece of the `RULE_COUNTERS` map: pieces are made as policies need them.
pub const RULE_SLOTS_PER_PIECE: u32 = 1 << 12;
/// Entries of the `COUNTERS` map, and of one piece of the `MORE_COUNTERS` map, which holds those behind.
pub const COUNTERS_PER_PIECE: u32 = 1 << 7;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $allow:literal;)+) => {
        /// Why a packet was accepted or dropped; also the index of its counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable name that commands print.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Whether packets with this reason pass.
            #[must_use]
            pub const fn allows(self) -> bool {
                match self {
                    $(Self::$name => $allow,)+
                }
            }
        }
    };
}

reasons! {
    /// Not an IP packet: ARP, LLDP, spanning tree, …
    NonIp = "non_ip", true;
    /// Tagged for a VLAN: judged at the VLAN's own interface.
    Vlan = "vlan", true;
    /// No endpoint owns the interface.
    Unpoliced = "unpoliced", true;
    /// IPv6 neighbour discovery or multicast listener traffic that passed its checks.
    Essential = "essential", true;
    /// A failsafe port.
    Failsafe = "failsafe", true;
    /// An `Allow` of an untracked policy.
    Untracked = "untracked", true;
    /// Forwarded, and accepted by an untracked policy where it came in.
    Bypass = "bypass", true;
    /// A known flow.
    Established = "established", true;
    /// An ICMP error about a known flow.
    Related = "related", true;
    /// A policy rule with `Allow`.
    PolicyAllow = "policy_allow", true;
    /// A profile rule with `Allow`.
    ProfileAllow = "profile_allow", true;
    /// Forwarded, and no policy that applies to forwarded traffic decided.
    ForwardDefault = "forward_default", true;
    /// From this host to one of its workloads, or forwarded to one.
    ToWorkload = "to_workload", true;
    /// From a workload, accepted by `defaultEndpointToHostAction` or for forwarding.
    FromWorkload = "from_workload", true;
    /// A later fragment of an accepted packet.
    FragmentAllow = "fragment_allow", true;
    /// A policy rule with `Deny`.
    PolicyDeny = "policy_deny", false;
    /// A `Deny` of an untracked policy.
    UntrackedDeny = "untracked_deny", false;
    /// A profile rule with `Deny`.
    ProfileDeny = "profile_deny", false;
    /// The end of a tier that applied and did not decide.
    TierDefault = "tier_default", false;
    /// No policy and no profile decided.
    NoProfile = "no_profile", false;
    /// From a workload to this host, dropped by `defaultEndpointToHostAction`.
    WorkloadDrop = "workload_drop", false;
    /// A flow that a change of policy has cut.
    Blocked = "blocked", false;
    /// A TCP packet that fits no connection and opens none.
    InvalidTcp = "invalid_tcp", false;
    /// An ICMP message that belongs to no known flow and opens none.
    InvalidIcmp = "invalid_icmp", false;
    /// An SCTP packet that belongs to no known flow and opens none.
    InvalidSctp = "invalid_sctp", false;
    /// The reverse-path check failed.
    ReversePath = "reverse_path", false;
    /// More VLAN tags than are read, one that is cut off, or a link layer that hides an IP header.
    LinkHeader = "link_header", false;
    /// A martian: from or to an address that the kernel accepts from nobody.
    Martian = "martian", false;
    /// The packet ends before a header that it must have.
    Truncated = "truncated", false;
    /// An IP header that contradicts itself or the frame.
    BadHeader = "bad_header", false;
    /// More IPv6 extension headers than are read.
    ExtensionHeaders = "extension_headers", false;
    /// An IPv6 routing header of type 0.
    RoutingHeader = "routing_header", false;
    /// A fragment that hides its transport header, or overlaps it.
    BadFragment = "bad_fragment", false;
    /// A later fragment whose first one was not seen.
    FragmentNoFirst = "frag_no_first", false;
    /// A later fragment of a dropped packet.
    FragmentDeny = "fragment_deny", false;
    /// The tables contradict each other; a defect of ours.
    Internal = "internal", false;
}

impl Reason {
    /// Number of reasons.
    pub const COUNT: usize = Self::ALL.len();
}

impl TryFrom<u8> for Reason {
    type Error = u8;

    fn try_from(number: u8) -> Result<Self, u8> {
        match Self::ALL.get(number as usize) {
            Some(reason) => Ok(*reason),
            None => Err(number),
        }
    }
}

/// Occasions that are counted but are no verdict; they follow the reasons in [`Counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Note {
    /// A flow was accepted but could not be remembered.
    FlowNotStored = 0,
    /// A record was not put on the event ring: rate limit, or ring full.
    EventLost = 1,
    /// A flow was cut by a change of policy.
    FlowBlocked = 2,
    /// A TCP connection was picked up in mid-stream.
    PickedUp = 3,
    /// A packet shows its flow to be assured, but the table of these is full.
    NotAssured = 4,
    /// A packet that was judged again behind the kernel's translation: it reaches this host itself.
    Translated = 5,
}

impl Note {
    /// All notes, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::FlowNotStored,
        Self::EventLost,
        Self::FlowBlocked,
        Self::PickedUp,
        Self::NotAssured,
        Self::Translated,
    ];

    /// The stable name that commands print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlowNotStored => "ct_create_failed",
            Self::EventLost => "event_lost",
            Self::FlowBlocked => "flow_blocked",
            Self::PickedUp => "picked_up",
            Self::NotAssured => "ct_not_assured",
            Self::Translated => "translated",
        }
    }
}

/// Length of the arrays in [`Counters`]; a power of two, so that an index can be masked.
pub const COUNTERS_LEN: usize = 64;

const _: () = assert!(Reason::COUNT + Note::ALL.len() <= COUNTERS_LEN);

/// One interface's counters in one direction, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// By number of [`Reason`], then, from [`Reason::COUNT`] on, by number of [`Note`].
    pub by_reason: [Counter; COUNTERS_LEN],
}

abi!(Counters, 1024, [[Counter; 64]]);
