//! What the programs know about an interface.

/// Slots of the interface table that a look-up may visit, from `ifindex & mask` on. Userspace
/// chooses a table size at which this suffices.
pub const MAX_PROBES: u32 = 4;

/// The interface is a workload's: a `*` endpoint guards the host from it.
pub const FLAG_WORKLOAD: u32 = 1 << 0;
/// Frames have no Ethernet header (tun, WireGuard, ipip, gre, sit).
pub const FLAG_NO_ETHERNET: u32 = 1 << 1;
/// The interface is a member port of a bridge, bond or team: its traffic counts as forwarded.
pub const FLAG_MEMBER: u32 = 1 << 2;

/// The lists that packets of one direction and family meet; 0 stands for none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Untracked rules, before the connection table; often 0.
    pub untracked: u32,
    /// For packets of this host's own: failsafe, pre-DNAT (ingress), normal, profiles. Never 0.
    pub local: u32,
    /// For forwarded packets: pre-DNAT (ingress), forward. Never 0.
    pub forward: u32,
    /// Untracked exemption: the failsafes of this direction and the reverse form of the other
    /// direction's; 0 if `untracked` is 0, or nothing is exempt.
    pub exempt: u32,
}

abi!(Lists, 16, [u32, u32, u32, u32]);

/// One slot of the interface table: open addressing by `ifindex`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Interface index, or 0 if the slot is free.
    pub ifindex: u32,
    /// Number of the owning endpoint in the generation's description.
    pub endpoint: u32,
    /// `FLAG_…` bits.
    pub flags: u32,
    /// Index in the `COUNTERS` map of this interface's ingress counters; egress is the next one.
    pub counters: u32,
    /// Lists by direction, then family: `lists[direction][family]`.
    pub lists: [[Lists; 2]; 2],
}

abi!(Interface, 80, [u32, u32, u32, u32, [[Lists; 2]; 2]]);
