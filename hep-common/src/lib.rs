//! The map ABI: every type, constant and pure function that the kernel programs and userspace share.
//!
//! One module per map family. Nothing here deals with YAML, tiers or labels, and nothing here does I/O.
//! Numbers are in host byte order and addresses are byte arrays in network order, unless a field says
//! otherwise.
#![no_std]

#[macro_use]
mod abi;

pub mod address;
pub mod conntrack;
pub mod counter;
pub mod decision;
pub mod endpoint;
pub mod event;
pub mod fact;
pub mod fragment;
pub mod grace;
pub mod local;
pub mod named_port;
pub mod port;
pub mod rule;
pub mod sender;
pub mod settings;
pub mod tick;

/// Version of the layout of everything in this crate; maps are pinned in a folder named after it,
/// so that an old layout is never opened as a new one. Bump it in the commit that changes a layout;
/// if that is the layout of flows, bump [`conntrack::LAYOUT_VERSION`] as well.
pub const ABI_VERSION: u32 = if cfg!(feature = "other-abi") { 7 } else { 6 };

/// A packet's direction relative to this host, whichever hook it is seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Towards the host: the TC ingress hook.
    Ingress = 0,
    /// Away from the host: the TC egress hook.
    Egress = 1,
}

impl Direction {
    /// The word in YAML and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Ingress => Self::Egress,
            Self::Egress => Self::Ingress,
        }
    }
}

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 0,
    /// IPv6.
    V6 = 1,
}

/// IANA protocol numbers that the data path treats by name.
pub mod protocol {
    /// Internet Control Message Protocol for IPv4.
    pub const ICMP: u8 = 1;
    /// Transmission Control Protocol.
    pub const TCP: u8 = 6;
    /// User Datagram Protocol.
    pub const UDP: u8 = 17;
    /// Datagram Congestion Control Protocol; its ports distinguish flows, and no rule matches them.
    pub const DCCP: u8 = 33;
    /// Internet Control Message Protocol for IPv6.
    pub const ICMPV6: u8 = 58;
    /// Stream Control Transmission Protocol.
    pub const SCTP: u8 = 132;
    /// Lightweight UDP; its ports distinguish flows, and no rule matches them.
    pub const UDPLITE: u8 = 136;

    /// Whether ports, the first four bytes of the header, distinguish flows of a protocol (spec EV-150).
    #[must_use]
    pub const fn is_keyed_by_ports(protocol: u8) -> bool {
        matches!(protocol, TCP | UDP | DCCP | SCTP | UDPLITE)
    }
}
