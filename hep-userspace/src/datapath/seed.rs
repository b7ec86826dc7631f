//! Flows from before an interface comes under policy (spec EV-158).

use std::net::IpAddr;

use hep_common::{
    conntrack::{
        ANY_INTERFACE, Approval, Conn, ConnKey4, ConnKey6, FLAG_OPENED_BY_A, FLAG_SEEDED,
        TAKEN_OVER, leg,
    },
    protocol,
    tick::Tick,
};

use super::{Kernel, KernelError, flows::monotonic_ns, names};

/// A flow to put into the table of established ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeedFlow {
    /// IANA protocol number.
    pub protocol: u8,
    /// Address and port of the end that opened it.
    pub opener: (IpAddr, u16),
    /// Address and port of the other end, of the same family.
    pub responder: (IpAddr, u16),
}

impl Kernel {
    /// Puts flows into the tables as approved at both hooks of every interface by the generation in
    /// force; those that are there already stay as they are. To be called after the load that polices the
    /// interfaces.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with what the kernel said; some flows may be in the tables.
    pub fn seed(&mut self, flows: &[SeedFlow]) -> Result<(), KernelError> {
        let generation = self.maps().control()?.generation;
        let maps = self.maps();
        let flows4 = maps.hash::<ConnKey4, Conn>(names::CONNS4)?;
        let flows6 = maps.hash::<ConnKey6, Conn>(names::CONNS6)?;
        let now = Tick::at(monotonic_ns());
        for flow in flows {
            let SeedFlow {
                protocol,
                opener,
                responder,
            } = *flow;
            match (opener.0, responder.0) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    let (key, by_a) = ConnKey4::of(
                        protocol,
                        (from.octets(), opener.1),
                        (to.octets(), responder.1),
                    );
                    flows4
                        .insert_missing(&key, &conn(protocol, by_a, generation, now))
                        .map_err(KernelError::io(names::CONNS4, "seed"))?;
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    let (key, by_a) = ConnKey6::of(
                        protocol,
                        (from.octets(), opener.1),
                        (to.octets(), responder.1),
                    );
                    flows6
                        .insert_missing(&key, &conn(protocol, by_a, generation, now))
                        .map_err(KernelError::io(names::CONNS6, "seed"))?;
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        Ok(())
    }
}

/// An established flow that no rule has judged.
const fn conn(number: u8, by_a: bool, generation: u32, now: Tick) -> Conn {
    let seen = if number == protocol::TCP {
        leg::SEEN | leg::SYN | leg::ACK
    } else {
        leg::SEEN
    };
    let approval = Approval {
        ifindex: ANY_INTERFACE,
        generation,
        slot: TAKEN_OVER,
    };
    Conn {
        legs: [seen; 2],
        flags: if by_a {
            FLAG_SEEDED | FLAG_OPENED_BY_A
        } else {
            FLAG_SEEDED
        },
        judged: 0,
        icmp_type: 0,
        protocol: number,
        classified: [0; 2],
        reset: Tick::NONE,
        last_seen: now,
        approvals: [approval; 2],
        packets: [0; 2],
        bytes: [0; 2],
    }
}
