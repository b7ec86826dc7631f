//! The mirror of this host's own addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use hep_common::{
    local::{Local, LocalAddress, QuickLocal, VOUCHED_NS},
    tick::Tick,
};

use crate::datapath::{
    Kernel, KernelError, Maps,
    object::names,
    sys::{bpf::Cursor, clock::monotonic_ns},
};

const MAP: &str = names::LOCAL;
/// Entries read at a time.
const SLICE: u32 = 4096;

/// An address in the form of the maps: IPv4 mapped into IPv6.
pub(crate) fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

impl Maps {
    /// The addresses in the mirror.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with the kernel's error.
    pub fn local(&self) -> Result<BTreeSet<IpAddr>, KernelError> {
        let map = self.hash::<LocalAddress, Local>(MAP)?;
        let mut addresses = BTreeSet::new();
        let mut cursor = Cursor::default();
        loop {
            let batch = map
                .lookup(&mut cursor, SLICE)
                .map_err(KernelError::io(MAP, "read"))?;
            let found = batch.keys.iter();
            addresses.extend(found.map(|key| Ipv6Addr::from(key.address).to_canonical()));
            if batch.end {
                return Ok(addresses);
            }
        }
    }
}

/// This host's own addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    /// Those that its packets come from.
    pub own: BTreeSet<IpAddr>,
    /// Broadcast and anycast addresses.
    pub shared: BTreeSet<IpAddr>,
    /// The host also owns whole networks, which the maps do not hold.
    pub has_networks: bool,
}

impl From<BTreeSet<IpAddr>> for OwnAddresses {
    /// Own addresses, none of them shared.
    fn from(own: BTreeSet<IpAddr>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }
}

impl OwnAddresses {
    /// The map's entries of all addresses.
    fn entries(&self) -> BTreeMap<LocalAddress, Local> {
        let of = |addresses: &BTreeSet<IpAddr>, shared| {
            let entry = move |address: &IpAddr| {
                let address = mapped(*address);
                (LocalAddress { address }, Local { shared })
            };
            addresses.iter().map(entry).collect::<BTreeMap<_, _>>()
        };
        let mut entries = of(&self.shared, 1);
        entries.extend(of(&self.own, 0));
        entries
    }
}

impl Kernel {
    /// Makes the mirror hold exactly these addresses. New ones are written before old ones go; those beyond
    /// the map's capacity are left out, and the programs look them up in the routing table.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn set_local(&mut self, addresses: &OwnAddresses) -> Result<(), KernelError> {
        let capacity = self.maps.info(MAP)?.max_entries() as usize;
        let entries = addresses.entries();
        self.mirror.is_complete = entries.len() <= capacity && !addresses.has_networks;
        let wanted: BTreeMap<LocalAddress, Local> = entries.into_iter().take(capacity).collect();
        let mut map = self.maps.hash_mut::<LocalAddress, Local>(MAP)?;
        let found = map
            .iter()
            .collect::<Result<BTreeMap<_, _>, _>>()
            .map_err(KernelError::map(MAP, "read"))?;
        let outdated = || found.keys().filter(|address| !wanted.contains_key(address));
        let missing = || {
            let is_missing = |(address, local): &(_, &Local)| found.get(*address) != Some(local);
            wanted.iter().filter(is_missing)
        };
        let fits = found.len() + missing().count() <= capacity;
        let remove = |map: &mut aya::maps::HashMap<_, _, _>| {
            outdated()
                .try_for_each(|address| map.remove(address))
                .map_err(KernelError::map(MAP, "remove from"))
        };
        if !fits {
            remove(&mut map)?;
        }
        for (address, local) in missing() {
            map.insert(address, local, 0)
                .map_err(KernelError::map(MAP, "write"))?;
        }
        if fits {
            remove(&mut map)?;
        }
        let own = || {
            let entries = wanted.iter();
            entries.filter_map(|(address, local)| (local.shared == 0).then_some(*address))
        };
        let quick = QuickLocal::of(own());
        let is_crowded = own().any(|address| quick.addresses[address.place()] != address);
        // Until both are written, no address is missed.
        self.mirror.state.crowded = 1;
        self.write_own_state()?;
        self.maps
            .array_mut(names::QUICK_LOCAL)?
            .set(0, quick, 0)
            .map_err(KernelError::map(names::QUICK_LOCAL, "write"))?;
        self.mirror.state.crowded = u32::from(is_crowded);
        self.write_own_state()
    }

    /// Guarantees for a while that the mirror has every address of this host, if it has: a daemon that tracks
    /// the kernel's tables renews this regularly (spec EV-095).
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn vouch(&mut self) -> Result<(), KernelError> {
        self.mirror.state.vouched_until = if self.mirror.is_complete {
            Tick::some_at(monotonic_ns() + VOUCHED_NS)
        } else {
            Tick::NONE
        };
        self.write_own_state()
    }

    fn write_own_state(&mut self) -> Result<(), KernelError> {
        let state = self.mirror.state;
        self.maps
            .array_mut(names::OWN_STATE)?
            .set(0, state, 0)
            .map_err(KernelError::map(names::OWN_STATE, "write"))
    }
}
