//! Flows from before an interface comes under policy (spec EV-158).

use std::net::IpAddr;

use hep_common::{
    conntrack::{
        ANY_INTERFACE, Conn, ConnKey4, ConnKey6, FLAG_OPENED_BY_A, FLAG_SEEDED, TAKEN_OVER, leg,
    },
    protocol,
    tick::Tick,
};

use super::{entries::monotonic_ns, homes::Homes};
use crate::datapath::{Kernel, KernelError, object::names};

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

impl Kernel {
    /// Puts flows into the tables as approved at both hooks of every interface by the generation in
    /// force; those that are there already stay as they are. To be called after the load that polices the
    /// interfaces.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with the kernel's error; some flows may be in the tables.
    pub fn seed(&mut self, flows: &[SeedFlow]) -> Result<(), KernelError> {
        let generation = self.maps().control()?.generation;
        let now = Tick::at(monotonic_ns());
        let homes = Homes::of(&self.maps)?;
        for flow in flows {
            let of = |by_a| conn(flow.protocol, by_a, generation, now, flow.assured);
            let settled = match flow.key() {
                Some((Either::V4(key), by_a)) => homes.settle(&key, &of(by_a), flow.assured),
                Some((Either::V6(key), by_a)) => homes.settle(&key, &of(by_a), flow.assured),
                None => Ok(()),
            };
            settled.map_err(KernelError::io(names::UNASSURED, "seed"))?;
        }
        Ok(())
    }
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

/// An established flow that no rule has judged.
const fn conn(number: u8, by_a: bool, generation: u32, now: Tick, assured: bool) -> Conn {
    let seen = if number == protocol::TCP {
        leg::SEEN | leg::SYN | leg::ACK
    } else {
        leg::SEEN
    };
    Conn {
        legs: [seen; 2],
        flags: if by_a {
            FLAG_SEEDED | FLAG_OPENED_BY_A
        } else {
            FLAG_SEEDED
        },
        judged: 0,
        event: if number == protocol::TCP || assured {
            Tick::NONE
        } else {
            now
        },
        generation,
        classified: [0; 2],
        icmp_type: 0,
        protocol: number,
        ifindexes: [ANY_INTERFACE; 2],
        last_seen: now,
        next: [0; 2],
        packets: [0; 2],
        bytes_low: [0; 2],
        bytes_high: [0; 2],
        slots: [TAKEN_OVER; 2],
    }
}
