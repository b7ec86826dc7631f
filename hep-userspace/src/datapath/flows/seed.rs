//! Flows from before an interface comes under policy (spec EV-158).

use hep_common::{
    conntrack::{ANY_INTERFACE, Conn, FLAG_OPENED_BY_A, FLAG_SEEDED, TAKEN_OVER, leg},
    protocol,
    tick::Tick,
};

use super::{
    connection::{Either, SeedFlow},
    homes::Homes,
};
use crate::datapath::{Kernel, KernelError, object::names, sys::clock::monotonic_ns};

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
