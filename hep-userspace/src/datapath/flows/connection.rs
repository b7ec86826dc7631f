//! Connections of the host, as flows to put into the tables.

use std::net::IpAddr;

use hep_common::conntrack::{ConnKey4, ConnKey6};

/// A flow to put into the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeedFlow {
    /// IANA protocol number.
    pub protocol: u8,
    /// Address and port of the end that opened it.
    pub opener: (IpAddr, u16),
    /// Address and port of the other end, of the same family.
    pub responder: (IpAddr, u16),
    /// It has a socket of the kernel, or an entry of its connection tracking that is assured there (spec
    /// EV-159).
    pub assured: bool,
}

/// The key of a flow of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Either {
    /// IPv4.
    V4(ConnKey4),
    /// IPv6.
    V6(ConnKey6),
}

impl SeedFlow {
    /// The flow's key, and whether end `a` opened it; `None` if its ends are of two families.
    pub(crate) fn key(&self) -> Option<(Either, bool)> {
        let Self {
            protocol,
            opener,
            responder,
            ..
        } = *self;
        match (opener.0, responder.0) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let (key, by_a) = ConnKey4::of(
                    protocol,
                    (from.octets(), opener.1),
                    (to.octets(), responder.1),
                );
                Some((Either::V4(key), by_a))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let (key, by_a) = ConnKey6::of(
                    protocol,
                    (from.octets(), opener.1),
                    (to.octets(), responder.1),
                );
                Some((Either::V6(key), by_a))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }
}
