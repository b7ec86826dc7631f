//! The mirror of this host's own addresses.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use hep_common::local::{Local, LocalAddress, QuickLocal};

use super::{Kernel, KernelError, Maps, names, sys::Cursor};

const MAP: &str = names::LOCAL;
/// Entries read at a time.
const SLICE: u32 = 4096;

/// An address as the maps have it: IPv4 mapped into IPv6.
pub(super) fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// An IPv4 address as it is in a key.
pub(super) fn v4(octets: [u8; 4]) -> IpAddr {
    Ipv4Addr::from(octets).into()
}

impl Maps {
    /// The addresses in the mirror.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with what the kernel said.
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

impl Kernel {
    /// Makes the mirror hold just these addresses. New ones are written before old ones go; those
    /// beyond the map's capacity are left out, and the programs ask the routing table about them.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with what the kernel said.
    pub fn set_local(&mut self, addresses: &BTreeSet<IpAddr>) -> Result<(), KernelError> {
        let capacity = self.maps.info(MAP)?.max_entries() as usize;
        let wanted: BTreeSet<LocalAddress> = addresses
            .iter()
            .take(capacity)
            .map(|address| LocalAddress {
                address: mapped(*address),
            })
            .collect();
        let mut map = self.maps.hash_mut::<LocalAddress, Local>(MAP)?;
        let found = map
            .keys()
            .collect::<Result<BTreeSet<_>, _>>()
            .map_err(KernelError::map(MAP, "read"))?;
        let (outdated, missing) = (found.difference(&wanted), wanted.difference(&found));
        let fits = found.len() + missing.clone().count() <= capacity;
        let remove = |map: &mut aya::maps::HashMap<_, _, _>| {
            outdated
                .clone()
                .try_for_each(|address| map.remove(address))
                .map_err(KernelError::map(MAP, "remove from"))
        };
        if !fits {
            remove(&mut map)?;
        }
        for address in missing {
            map.insert(address, Local::default(), 0)
                .map_err(KernelError::map(MAP, "write"))?;
        }
        if fits {
            remove(&mut map)?;
        }
        self.maps
            .array_mut(names::QUICK_LOCAL)?
            .set(0, QuickLocal::of(wanted), 0)
            .map_err(KernelError::map(names::QUICK_LOCAL, "write"))
    }
}
