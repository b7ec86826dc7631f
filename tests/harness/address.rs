//! The addresses of the worked cases (spec section 18), in both families.

use std::net::IpAddr;

use hep_common::Family;

/// Both families, for tables that run over them.
pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// The addresses of one family.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    /// 4 or 6.
    pub family: Family,
    /// This host, on `eth0`: 192.0.2.10, 2001:db8::10.
    pub host: IpAddr,
    /// This host, on `eth1`: 10.0.0.1, 2001:db8:10::1.
    pub host_inside: IpAddr,
    /// The next host on the link of `eth0`: 192.0.2.1, 2001:db8::1.
    pub peer: IpAddr,
    /// C of the worked cases, behind `eth0`: 198.51.100.7, 2001:db8:c::7.
    pub client: IpAddr,
    /// An address that tests put into network sets, behind `eth0`: 203.0.113.1, 2001:db8:e::1.
    pub member: IpAddr,
    /// D of the worked cases, behind `eth1`: 10.0.0.5, 2001:db8:10::5.
    pub inner: IpAddr,
}

impl Net {
    /// The addresses of `family`.
    ///
    /// # Panics
    ///
    /// Never: the addresses are constants.
    #[must_use]
    pub fn of(family: Family) -> Self {
        let texts = match family {
            Family::V4 => [
                "192.0.2.10",
                "10.0.0.1",
                "192.0.2.1",
                "198.51.100.7",
                "203.0.113.1",
                "10.0.0.5",
            ],
            Family::V6 => [
                "2001:db8::10",
                "2001:db8:10::1",
                "2001:db8::1",
                "2001:db8:c::7",
                "2001:db8:e::1",
                "2001:db8:10::5",
            ],
        };
        let [host, host_inside, peer, client, member, inner] =
            texts.map(|text| text.parse().expect("a literal address"));
        Self {
            family,
            host,
            host_inside,
            peer,
            client,
            member,
            inner,
        }
    }

    /// Both families' addresses.
    #[must_use]
    pub fn both() -> [Self; 2] {
        FAMILIES.map(Self::of)
    }

    /// The rows of both families, in one list.
    #[must_use]
    pub fn each<Rows: IntoIterator>(rows: impl FnMut(&Self) -> Rows) -> Vec<Rows::Item> {
        Self::both().iter().flat_map(rows).collect()
    }

    /// `protocol:` of this family's ICMP, as policies name it.
    #[must_use]
    pub fn icmp(&self) -> &'static str {
        match self.family {
            Family::V4 => "ICMP",
            Family::V6 => "ICMPv6",
        }
    }

    /// Type of this family's echo request.
    #[must_use]
    pub fn echo_request(&self) -> u8 {
        match self.family {
            Family::V4 => 8,
            Family::V6 => 128,
        }
    }

    /// A single address as a prefix of full length.
    #[must_use]
    pub fn prefix(&self, address: IpAddr) -> String {
        match self.family {
            Family::V4 => format!("{address}/32"),
            Family::V6 => format!("{address}/128"),
        }
    }
}
