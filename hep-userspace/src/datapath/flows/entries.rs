//! The tables of flows, decoded.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use hep_common::{
    Direction, Family,
    conntrack::{
        Approval, Conn, ConnKey4, ConnKey6, FLAG_BLOCKED, FLAG_OPENED_BY_A, FLAG_SEEDED,
        JUDGED_FORWARD, State,
    },
    settings::Timeouts,
    tick::Tick,
};

use crate::datapath::{
    Kernel, KernelError, Maps,
    object::names,
    sys::{
        bpf::{Cursor, Hash},
        clock::monotonic_ns,
    },
};

/// Entries read at a time.
const SLICE: u32 = 4096;

/// Which table a flow is in (spec EV-159).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Home {
    /// One of assured flows.
    Assured,
    /// That of the others.
    Unassured,
}

/// One end of a flow, and what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Address.
    pub address: IpAddr,
    /// Port; the identifier of ICMP queries; 0 for other protocols.
    pub port: u16,
    /// Bytes sent.
    pub bytes: u64,
    /// Packets sent; wraps.
    pub packets: u32,
}

/// A flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// IP version.
    pub family: Family,
    /// Which table it is in.
    pub home: Home,
    /// IANA protocol number.
    pub protocol: u8,
    /// Type of the request that opened it, for ICMP queries; else 0.
    pub icmp_type: u8,
    /// The end that sent the first packet.
    pub opener: End,
    /// The other end.
    pub responder: End,
    /// Its lifecycle state.
    pub state: State,
    /// Time since its last packet, at least.
    pub idle: Duration,
    /// Idle time after which it is forgotten.
    pub idle_limit: Duration,
    /// The generation that has judged it wherever it is approved.
    pub generation: u32,
    /// Approval by ingress policy and by egress policy.
    pub approvals: [Option<Approval>; 2],
    /// Whether each approval came from the rules for forwarded traffic.
    pub judged_forward: [bool; 2],
    /// Found on the host at a cold start, not judged.
    pub is_seeded: bool,
    /// Cut by a change of policy.
    pub is_blocked: bool,
}

/// Operations of both families' keys.
pub(crate) trait FlowKey: aya::Pod {
    const FAMILY: Family;

    /// Ends `a` and `b`.
    fn ends(&self) -> [(IpAddr, u16); 2];

    /// The IPv4 flow's key, if this is its widened form in the table of both families.
    fn narrowed(&self) -> Option<ConnKey4>;
}

impl FlowKey for ConnKey4 {
    const FAMILY: Family = Family::V4;

    fn ends(&self) -> [(IpAddr, u16); 2] {
        ConnKey4::ends(self).map(|(address, port)| (Ipv4Addr::from(address).into(), port))
    }

    fn narrowed(&self) -> Option<ConnKey4> {
        None
    }
}

impl FlowKey for ConnKey6 {
    const FAMILY: Family = Family::V6;

    fn ends(&self) -> [(IpAddr, u16); 2] {
        ConnKey6::ends(self).map(|(address, port)| (address.into(), port))
    }

    fn narrowed(&self) -> Option<ConnKey4> {
        ConnKey6::narrowed(self)
    }
}

impl Flow {
    fn new<K: FlowKey>(key: &K, conn: &Conn, home: Home, now: Tick, timeouts: &Timeouts) -> Self {
        let [a, b] = key.ends();
        let end = |(address, port), side: usize| End {
            address,
            port,
            bytes: conn.bytes()[side],
            packets: conn.packets[side],
        };
        let ends = [end(a, 0), end(b, 1)];
        let [opener, responder] = if conn.flags & FLAG_OPENED_BY_A != 0 {
            ends
        } else {
            [ends[1], ends[0]]
        };
        let is_forward = |direction| conn.judged & (JUDGED_FORWARD << direction as u8) != 0;
        Self {
            family: K::FAMILY,
            home,
            protocol: conn.protocol,
            icmp_type: conn.icmp_type,
            opener,
            responder,
            state: conn.state(),
            idle: Duration::from_nanos(now.least_ns_since(conn.last_seen)),
            idle_limit: Duration::from_nanos(conn.idle_limit_ns(timeouts)),
            generation: conn.generation,
            approvals: conn
                .approvals()
                .map(|approval| (approval.ifindex != 0).then_some(approval)),
            judged_forward: [
                is_forward(Direction::Ingress),
                is_forward(Direction::Egress),
            ],
            is_seeded: conn.flags & FLAG_SEEDED != 0,
            is_blocked: conn.flags & FLAG_BLOCKED != 0,
        }
    }
}

impl Maps {
    /// All flows of both families, without expired ones that are not swept yet. Flows that come or go
    /// meanwhile may be missed or seen twice.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoGeneration`] if no policy was ever loaded, so that there are no timeouts;
    /// [`KernelError::Io`] with the kernel's error.
    pub fn flows(&self) -> Result<Vec<Flow>, KernelError> {
        let timeouts = self.settings()?.timeouts;
        let mut flows = Vec::new();
        for name in [names::ASSURED_TCP4, names::ASSURED4] {
            self.decode::<ConnKey4>(name, Home::Assured, &timeouts, &mut flows)?;
        }
        for name in [names::ASSURED_TCP6, names::ASSURED6] {
            self.decode::<ConnKey6>(name, Home::Assured, &timeouts, &mut flows)?;
        }
        self.decode::<ConnKey6>(names::UNASSURED, Home::Unassured, &timeouts, &mut flows)?;
        Ok(flows)
    }

    fn decode<K: FlowKey>(
        &self,
        map: &'static str,
        home: Home,
        timeouts: &Timeouts,
        flows: &mut Vec<Flow>,
    ) -> Result<(), KernelError> {
        let now = Tick::at(monotonic_ns());
        let table: Hash<'_, K, Conn> = self.hash(map)?;
        let mut cursor = Cursor::default();
        loop {
            let batch = table
                .lookup(&mut cursor, SLICE)
                .map_err(KernelError::io(map, "read"))?;
            let live = batch
                .keys
                .iter()
                .zip(&batch.values)
                .filter(|(_, conn)| !conn.is_expired(now, timeouts));
            flows.extend(live.map(|(key, conn)| match key.narrowed() {
                Some(key) => Flow::new(&key, conn, home, now, timeouts),
                None => Flow::new(key, conn, home, now, timeouts),
            }));
            if batch.end {
                return Ok(());
            }
        }
    }
}

impl Kernel {
    /// Forgets every flow.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with the kernel's error.
    pub fn clear_flows(&mut self) -> Result<(), KernelError> {
        for map in [names::ASSURED_TCP4, names::ASSURED4] {
            clear(map, &self.maps.hash::<ConnKey4, Conn>(map)?)?;
        }
        for map in [names::ASSURED_TCP6, names::ASSURED6, names::UNASSURED] {
            clear(map, &self.maps.hash::<ConnKey6, Conn>(map)?)?;
        }
        Ok(())
    }

    /// Forgets every fragmented packet.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with the kernel's error.
    pub fn clear_fragments(&mut self) -> Result<(), KernelError> {
        use hep_common::fragment::{FragmentKey, FragmentVerdict};

        let map = names::FRAGMENTS;
        clear(map, &self.maps.hash::<FragmentKey, FragmentVerdict>(map)?)
    }
}

fn clear<K: aya::Pod, V: aya::Pod>(
    map: &'static str,
    table: &Hash<'_, K, V>,
) -> Result<(), KernelError> {
    let mut cursor = Cursor::default();
    loop {
        let batch = table
            .take(&mut cursor, SLICE)
            .map_err(KernelError::io(map, "clear"))?;
        if batch.end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use hep_common::{conntrack::leg, protocol, tick::TICK_NS};

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        tcp_syn_sent_ns: 20,
        tcp_established_ns: 3600,
        tcp_fins_seen_ns: 30,
        tcp_reset_seen_ns: 40,
        udp_ns: 60,
        icmp_ns: 5,
        generic_ns: 600,
    };

    fn conn(flags: u8) -> Conn {
        Conn {
            last_seen: Tick(100),
            bytes_low: [11, 22],
            packets: [1, 2],
            generation: 2,
            ifindexes: [0, 4],
            slots: [0, 9],
            legs: [leg::SEEN, leg::SEEN],
            flags,
            judged: JUDGED_FORWARD << Direction::Egress as u8,
            protocol: protocol::UDP,
            ..Conn::default()
        }
    }

    #[test]
    fn the_opener_comes_first_in_both_families() {
        let (key4, _) = ConnKey4::of(
            protocol::UDP,
            ([192, 0, 2, 1], 53),
            ([192, 0, 2, 2], 40_000),
        );
        let (key6, _) = ConnKey6::of(
            protocol::UDP,
            (mapped("2001:db8::1"), 53),
            (mapped("2001:db8::2"), 40_000),
        );
        let flow = |flags| {
            let conn = conn(flags);
            [
                Flow::new(&key4, &conn, Home::Assured, Tick(130), &TIMEOUTS),
                Flow::new(&key6, &conn, Home::Unassured, Tick(130), &TIMEOUTS),
            ]
        };
        for by_a in flow(FLAG_OPENED_BY_A) {
            assert_eq!((by_a.opener.port, by_a.opener.bytes), (53, 11));
            assert_eq!((by_a.responder.port, by_a.responder.packets), (40_000, 2));
        }
        for by_b in flow(FLAG_BLOCKED) {
            assert_eq!((by_b.opener.port, by_b.opener.bytes), (40_000, 22));
            assert!(by_b.is_blocked && !by_b.is_seeded);
        }
    }

    #[test]
    fn ages_and_approvals_are_decoded() {
        let flow = Flow::new(
            &ConnKey4::default(),
            &conn(0),
            Home::Assured,
            Tick(130),
            &TIMEOUTS,
        );
        assert_eq!(flow.idle, Duration::from_nanos(29 * TICK_NS));
        assert_eq!(flow.idle_limit, Duration::from_nanos(60));
        assert_eq!(flow.state, State::Replied);
        assert_eq!(flow.approvals[0], None);
        assert_eq!(flow.approvals[1].map(|approval| approval.slot), Some(9));
        assert_eq!(flow.judged_forward, [false, true]);
    }

    fn mapped(address: &str) -> [u8; 16] {
        crate::datapath::apply::own_addresses::mapped(address.parse().expect("is an address"))
    }
}
