//! Networks of both families.

use ipnetwork::IpNetwork;

use super::{
    address_bits::AddressBits,
    members::{Bounds, Members},
};

/// Networks of both families, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nets {
    /// IPv4 networks.
    pub v4: Members<u32>,
    /// IPv6 networks.
    pub v6: Members<u128>,
}

impl Nets {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpNetwork> {
        let v4 = self.v4.iter().map(AddressBits::network);
        v4.chain(self.v6.iter().map(AddressBits::network))
    }

    /// A copy without `gone` and with `come`.
    #[must_use]
    pub fn changed(&self, gone: &NetList, come: &NetList) -> Self {
        Self {
            v4: self.v4.changed(&gone.v4, &come.v4),
            v6: self.v6.changed(&gone.v6, &come.v6),
        }
    }
}

impl FromIterator<IpNetwork> for Nets {
    fn from_iter<I: IntoIterator<Item = IpNetwork>>(networks: I) -> Self {
        NetList::from_iter(networks).into()
    }
}

impl From<NetList> for Nets {
    fn from(list: NetList) -> Self {
        Self {
            v4: Members::new(list.v4),
            v6: Members::new(list.v6),
        }
    }
}

/// Networks as they were added, repeats included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetList {
    /// IPv4 networks.
    pub v4: Vec<Bounds<u32>>,
    /// IPv6 networks.
    pub v6: Vec<Bounds<u128>>,
}

impl NetList {
    /// Adds a network; bits beyond its prefix are masked off.
    pub fn push(&mut self, network: IpNetwork) {
        match network {
            IpNetwork::V4(network) => self
                .v4
                .push(network.ip().to_bits().around(network.prefix())),
            IpNetwork::V6(network) => self
                .v6
                .push(network.ip().to_bits().around(network.prefix())),
        }
    }

    /// How many there are, repeats included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of entries that repeat an earlier one, and one of them.
    #[must_use]
    pub fn repeats(&mut self) -> (usize, Option<IpNetwork>) {
        let (v4, first4) = repeats(&mut self.v4);
        let (v6, first6) = repeats(&mut self.v6);
        (v4 + v6, first4.or(first6))
    }
}

impl FromIterator<IpNetwork> for NetList {
    fn from_iter<I: IntoIterator<Item = IpNetwork>>(networks: I) -> Self {
        let mut list = Self::default();
        list.extend(networks);
        list
    }
}

impl Extend<IpNetwork> for NetList {
    fn extend<I: IntoIterator<Item = IpNetwork>>(&mut self, networks: I) {
        for network in networks {
            self.push(network);
        }
    }
}

/// Sorts, and counts what is not the first of its kind.
fn repeats<T: AddressBits>(networks: &mut [Bounds<T>]) -> (usize, Option<IpNetwork>) {
    if !networks.is_sorted() {
        networks.sort_unstable();
    }
    let mut repeated = networks.windows(2).filter(|pair| pair[0] == pair[1]);
    let first = repeated.next().map(|pair| T::network(pair[0]));
    (usize::from(first.is_some()) + repeated.count(), first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_come_back_from_their_bounds() {
        for text in [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "192.0.2.1/32",
            "::/0",
            "2001:db8::/33",
            "::1/128",
        ] {
            let network: IpNetwork = text.parse().expect("a network");
            assert_eq!(
                Nets::from_iter([network]).iter().collect::<Vec<_>>(),
                [network]
            );
        }
    }
}
