//! The interface table: flags, lists and behaviour of each policed interface.

/// Places of one generation in the `QUICK_IFACES` map, which is read without probing: see [`quick_place`].
pub const QUICK_INTERFACES: u32 = 1024;

/// The place of an interface in the `QUICK_IFACES` map, relative to its generation's half. If several
/// interfaces share a place, one of them has it.
#[must_use]
#[inline(always)]
pub const fn quick_place(ifindex: u32) -> u32 {
    ifindex & (QUICK_INTERFACES - 1)
}

/// Slots of the interface table that a look-up may visit, from `ifindex & mask` on. Userspace
/// chooses a table size at which this suffices.
pub const MAX_PROBES: u32 = 4;

/// The interface is a workload's: a `*` endpoint guards the host from it.
pub const FLAG_WORKLOAD: u32 = 1 << 0;
/// Frames have no Ethernet header (tun, WireGuard, ipip, gre, sit); see [`link_header_bytes`].
pub const FLAG_NO_ETHERNET: u32 = 1 << 1;
/// The interface is a member port of a bridge, bond or team: its traffic counts as forwarded.
pub const FLAG_MEMBER: u32 = 1 << 2;

/// Frames have a link-layer header of unknown layout; set with [`FLAG_NO_ETHERNET`].
pub const FLAG_UNKNOWN_LINK: u32 = 1 << 3;

/// Bit position of [`link_header_bytes`] in an interface's flags.
pub const LINK_HEADER_SHIFT: u32 = 8;
/// Bit position of [`own_vlan`] in an interface's flags.
pub const OWN_VLAN_SHIFT: u32 = 16;

/// Bytes in front of the IP header, of an interface with [`FLAG_NO_ETHERNET`].
#[must_use]
#[inline(always)]
pub const fn link_header_bytes(flags: u32) -> u32 {
    flags >> LINK_HEADER_SHIFT & 0xff
}

/// The VLAN id that counts as no tag at an interface: its own, or that of untagged frames of a port
/// that filters VLANs; 0 if there is none.
#[must_use]
#[inline(always)]
pub const fn own_vlan(flags: u32) -> u32 {
    flags >> OWN_VLAN_SHIFT & 0xfff
}

/// The kernel accepts IPv4 packets from this host's own addresses (`accept_local`), or cannot be trusted to
/// discard them (a VRF's port).
pub const FLAG_ACCEPTS_LOCAL: u32 = 1 << 4;
/// The kernel accepts IPv4 packets from and to loopback addresses (`route_localnet`).
pub const FLAG_ROUTES_LOCALNET: u32 = 1 << 5;
/// The kernel forwards IPv6 packets from here though forwarding is off (`force_forwarding`).
pub const FLAG_FORCED_V6: u32 = 1 << 6;

/// Number of a list; 0: none.
pub type ListNumber = u16;

/// The lists for packets of one direction and family.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Untracked rules, before the connection table; often 0.
    pub untracked: ListNumber,
    /// For packets from or to this host: failsafe, pre-DNAT (ingress), normal, profiles. Never 0.
    pub local: ListNumber,
    /// For forwarded packets: pre-DNAT (ingress), forward. Never 0.
    pub forward: ListNumber,
    /// Untracked exemption: the failsafes of this direction and the reverse form of the other
    /// direction's; 0 if `untracked` is 0, or nothing is exempt.
    pub exempt: ListNumber,
}

abi!(Lists, 8, [u16, u16, u16, u16]);

/// One slot of the interface table (open addressing by `ifindex`): a cache line with everything that most
/// packets need.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Interface index, or 0 if the slot is free.
    pub ifindex: u32,
    /// Number of the owning endpoint in the generation's description.
    pub endpoint: u32,
    /// `FLAG_…` bits, [`link_header_bytes`] and [`own_vlan`].
    pub flags: u32,
    /// Index in the `COUNTERS` map of this interface's ingress counters; egress is the next one.
    pub counters: u32,
    /// Lists by direction, then family: `lists[direction][family]`.
    pub lists: [[Lists; 2]; 2],
    /// Copy of [`Settings::flags`](crate::settings::Settings::flags).
    pub behaviour: u32,
    /// Copy of [`Settings::bypass_mark`](crate::settings::Settings::bypass_mark).
    pub bypass_mark: u32,
    /// Idle ticks up to which an established flow needs no check whether it has expired: of UDP, of TCP.
    pub surely_alive: [u32; 2],
}

abi!(
    Interface,
    64,
    [u32, u32, u32, u32, [[Lists; 2]; 2], u32, u32, [u32; 2]]
);
