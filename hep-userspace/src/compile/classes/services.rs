//! Protocols, ports, ICMP types and codes as ranges of the port tables' indices.

use hep_common::{
    port::{
        DESTINATION_LEN, ICMP_BASE, ICMPV6_BASE, PROTOCOL_BASE, PortClasses, SCTP_BASE, SOURCE_LEN,
        TCP_BASE, UDP_BASE,
    },
    protocol,
};

use super::partition::Partition;
use crate::{
    compile::sets::ranges::RangeSet,
    model::{IcmpMatch, PortRange},
};

/// The highest port.
pub(crate) const LAST_PORT: u32 = 0xffff;
/// The highest index of the destination table.
pub(crate) const LAST_SERVICE: u32 = DESTINATION_LEN - 1;

/// Conditions of a rule on protocol, destination port, ICMP type and code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Service {
    /// `protocol`.
    pub(crate) protocol: Option<u8>,
    /// `notProtocol`.
    pub(crate) not_protocol: Option<u8>,
    /// `icmp`.
    pub(crate) icmp: Option<IcmpMatch>,
    /// `notICMP`.
    pub(crate) not_icmp: Option<IcmpMatch>,
    /// Destination ports that match.
    pub(crate) ports: Ports,
    /// The rule matches no packet without ports (EV-123).
    pub(crate) needs_ports: bool,
}

/// Numeric ports of one side of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ports {
    /// One of these, if given.
    pub(crate) any_of: Option<Vec<PortRange>>,
    /// None of these.
    pub(crate) none_of: Vec<PortRange>,
}

impl Ports {
    /// The ports that match, 0 to 65535.
    pub(crate) fn ranges(&self) -> RangeSet<u32> {
        let every = RangeSet::new(vec![(0, LAST_PORT)]);
        let any_of = self.any_of.as_deref().map_or(every, port_ranges);
        any_of.minus(&port_ranges(&self.none_of), |port| port - 1)
    }
}

fn port_ranges(ports: &[PortRange]) -> RangeSet<u32> {
    let bounds = |range: &PortRange| (range.first().into(), range.last().into());
    RangeSet::new(ports.iter().map(bounds).collect())
}

impl Service {
    /// The indices of the destination table that match.
    pub(crate) fn indices(&self) -> RangeSet<u32> {
        let ports = self.ports.ranges();
        let mut indices = Vec::new();
        for number in (0..=u8::MAX).filter(|number| self.accepts_protocol(*number)) {
            let port_base = match number {
                protocol::TCP => Some(TCP_BASE),
                protocol::UDP => Some(UDP_BASE),
                protocol::SCTP => Some(SCTP_BASE),
                _ => None,
            };
            if let (Some(base), None) = (port_base, self.icmp) {
                let at = |(first, last): &(u32, u32)| (base + first, base + last);
                indices.extend(ports.as_slice().iter().map(at));
            }
            if self.needs_ports {
                continue;
            }
            let icmp_base = match number {
                protocol::ICMP => Some(ICMP_BASE),
                protocol::ICMPV6 => Some(ICMPV6_BASE),
                _ => None,
            };
            if let Some(base) = icmp_base {
                let every = RangeSet::new(vec![(base, base + 0xffff)]);
                let any_of = self.icmp.map_or(every, |icmp| icmp_indices(base, icmp));
                let none_of = self
                    .not_icmp
                    .filter(|icmp| icmp.icmp_type.is_some())
                    .map_or_else(RangeSet::default, |icmp| icmp_indices(base, icmp));
                let left = any_of.minus(&none_of, |index| index - 1);
                indices.extend(left.as_slice());
            }
            if self.icmp.is_none() {
                let index = PROTOCOL_BASE + u32::from(number);
                indices.push((index, index));
            }
        }
        RangeSet::new(indices)
    }

    fn accepts_protocol(&self, number: u8) -> bool {
        self.protocol.is_none_or(|protocol| protocol == number)
            && self.not_protocol.is_none_or(|protocol| protocol != number)
    }
}

/// The indices of the ICMP types and codes that `icmp` names, in the table that starts at `base`.
fn icmp_indices(base: u32, icmp: IcmpMatch) -> RangeSet<u32> {
    let range = match (icmp.icmp_type, icmp.code) {
        (None, _) => (base, base + 0xffff),
        (Some(icmp_type), None) => {
            let first = base + (u32::from(icmp_type) << 8);
            (first, first + 0xff)
        }
        (Some(icmp_type), Some(code)) => {
            let index = base + (u32::from(icmp_type) << 8) + u32::from(code);
            (index, index)
        }
    };
    RangeSet::new(vec![range])
}

/// The destination table of a partition of its indices.
pub(crate) fn destination_table(partition: &Partition<u32>) -> Vec<PortClasses> {
    table(partition, DESTINATION_LEN, |index| index)
}

/// The source table of a partition of the ports: the same classes for TCP, UDP and SCTP.
pub(crate) fn source_table(partition: &Partition<u32>) -> Vec<PortClasses> {
    table(partition, SOURCE_LEN, |index| index & LAST_PORT)
}

fn table(
    partition: &Partition<u32>,
    length: u32,
    position: impl Fn(u32) -> u32,
) -> Vec<PortClasses> {
    let ranges = &partition.ranges;
    let mut flat = Vec::with_capacity(length as usize);
    let mut at = 0;
    for index in 0..length {
        let position = position(index);
        if position == 0 {
            at = 0;
        }
        while ranges.get(at + 1).is_some_and(|next| next.0 <= position) {
            at += 1;
        }
        flat.push(ranges[at].1);
    }
    flat.as_chunks()
        .0
        .iter()
        .map(|classes| PortClasses { classes: *classes })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> PortRange {
        PortRange::new(first, last).expect("a range")
    }

    /// Whether the service matches at an index.
    fn at(service: &Service, index: u32) -> bool {
        service.indices().covers(index, index)
    }

    #[test]
    fn no_condition_matches_every_index() {
        assert!(Service::default().indices().covers(0, LAST_SERVICE));
    }

    /// EV-108, EV-123: ports and notPorts of one protocol; never where ports cannot be read.
    #[test]
    fn ports_match_their_protocol_only_where_ports_are_known() {
        let service = Service {
            protocol: Some(protocol::TCP),
            ports: Ports {
                any_of: Some(vec![range(80, 90), range(443, 443)]),
                none_of: vec![range(85, 85)],
            },
            needs_ports: true,
            ..Service::default()
        };
        for (index, expected) in [
            (TCP_BASE + 79, false),
            (TCP_BASE + 80, true),
            (TCP_BASE + 85, false),
            (TCP_BASE + 90, true),
            (TCP_BASE + 443, true),
            (UDP_BASE + 80, false),
            (SCTP_BASE + 80, false),
            (PROTOCOL_BASE + 6, false),
            (ICMP_BASE, false),
        ] {
            assert_eq!(at(&service, index), expected, "{index}");
        }
    }

    /// EV-110: protocol and notProtocol; a protocol without ports is at its number.
    #[test]
    fn protocols_match_by_number() {
        let vrrp = Service {
            protocol: Some(112),
            ..Service::default()
        };
        assert!(at(&vrrp, PROTOCOL_BASE + 112));
        assert!(!at(&vrrp, PROTOCOL_BASE + 113));
        assert!(!at(&vrrp, TCP_BASE + 112));
        let not_udp = Service {
            not_protocol: Some(protocol::UDP),
            ..Service::default()
        };
        for (index, expected) in [
            (TCP_BASE, true),
            (UDP_BASE, false),
            (UDP_BASE + 65_535, false),
            (SCTP_BASE, true),
            (PROTOCOL_BASE + 17, false),
            (ICMPV6_BASE + 7, true),
        ] {
            assert_eq!(at(&not_udp, index), expected, "{index}");
        }
    }

    /// EV-111, EV-122: ICMP type and code exist for protocol 1 on IPv4 and 58 on IPv6 alone.
    #[test]
    fn icmp_matches_type_and_code_of_its_own_protocol() {
        let icmp = |icmp_type, code| Some(IcmpMatch { icmp_type, code });
        let service = |number, icmp, not_icmp| Service {
            protocol: Some(number),
            icmp,
            not_icmp,
            ..Service::default()
        };
        let echo = service(1, icmp(Some(8), None), None);
        let code = service(58, icmp(Some(1), Some(4)), None);
        let any = service(1, icmp(None, None), None);
        let not_echo = service(1, None, icmp(Some(8), None));
        let not_nothing = service(1, None, icmp(None, None));
        for (name, service, index, expected) in [
            ("echo", &echo, ICMP_BASE + (8 << 8), true),
            ("echo", &echo, ICMP_BASE + (8 << 8) + 255, true),
            ("echo", &echo, ICMP_BASE + (9 << 8), false),
            ("echo", &echo, ICMPV6_BASE + (8 << 8), false),
            ("echo", &echo, PROTOCOL_BASE + 1, false),
            ("code", &code, ICMPV6_BASE + (1 << 8) + 4, true),
            ("code", &code, ICMPV6_BASE + (1 << 8) + 3, false),
            ("any", &any, ICMP_BASE + 0xffff, true),
            ("any", &any, PROTOCOL_BASE + 1, false),
            ("not echo", &not_echo, ICMP_BASE + (8 << 8), false),
            ("not echo", &not_echo, ICMP_BASE, true),
            ("not nothing", &not_nothing, ICMP_BASE + (8 << 8), true),
        ] {
            assert_eq!(at(service, index), expected, "{name} {index}");
        }
    }

    #[test]
    fn source_ports_have_the_same_classes_in_every_protocol() {
        let partition =
            crate::compile::classes::partition::partition(vec![RangeSet::new(vec![(53, 53)])])
                .expect("2");
        let table = source_table(&partition);
        let class = |index: u32| table[index as usize / 32].classes[index as usize % 32];
        for base in [TCP_BASE, UDP_BASE, SCTP_BASE] {
            assert_eq!(
                [class(base + 52), class(base + 53), class(base + 54)],
                [0, 1, 0]
            );
        }
        assert_eq!(table.len() * 32, SOURCE_LEN as usize);
        assert_eq!(
            destination_table(&partition).len() * 32,
            DESTINATION_LEN as usize
        );
    }
}
