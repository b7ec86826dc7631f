//! Packets judged from a generation's tables, step by step as the programs do it: a packet costs much
//! the same however many rules there are.

use std::net::IpAddr;

use hep_common::{
    Direction, Family,
    address::{TARGET_INDEX, TARGET_IS_RUN},
    counter::Reason,
    endpoint::{ListNumber, Lists, MAX_PROBES},
    named_port::NamedPortKey,
    port::{ICMP_BASE, ICMPV6_BASE, PROTOCOL_BASE, SCTP_BASE, TCP_BASE, UDP_BASE},
    protocol,
    rule::{Action, DIMENSIONS, Dimension, RULES_PER_CHUNK, Row, WORDS_PER_ROW},
    settings::FLAG_NO_IPV6,
};

use super::{Generation, RuleTables, address::target_of, sets::ranges::mapped};

/// Header fields that the tables depend on, of a packet that belongs to no existing flow.
#[derive(Clone, Debug)]
pub struct Headers {
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// IANA number.
    pub protocol: u8,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// Type and code.
    pub icmp: Option<(u8, u8)>,
}

/// Verdict of the tables on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why; [`Reason::Unpoliced`] at an interface without rules.
    pub reason: Reason,
    /// Slot of the rule that decided.
    pub slot: u32,
    /// It was decided before connection tracking.
    pub is_untracked: bool,
    /// Slots of the `Log` rules that matched.
    pub logged: Vec<u32>,
    /// Slots of the rules of staged policies that matched.
    pub staged: Vec<u32>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            reason: Reason::Unpoliced,
            slot: 0,
            is_untracked: false,
            logged: Vec::new(),
            staged: Vec::new(),
        }
    }
}

/// Judges the first packet of a flow at the interface `ifindex`, by rules and failsafes alone.
#[must_use]
pub fn judge(
    generation: &Generation,
    ifindex: u32,
    direction: Direction,
    forwarded: bool,
    packet: &Headers,
) -> Outcome {
    let tables = &generation.tables;
    let mask = tables.settings.interface_mask;
    let mut outcome = Outcome::default();
    let Some(interface) = (0..MAX_PROBES)
        .map(|probe| &tables.interfaces[((ifindex + probe) & mask) as usize])
        .find(|interface| interface.ifindex == ifindex)
    else {
        return outcome;
    };
    let family = match packet.source {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    if family == Family::V6 && tables.settings.flags & FLAG_NO_IPV6 != 0 {
        return outcome;
    }
    let lists: Lists = interface.lists[direction as usize][family as usize];
    let classes = classes(tables, packet);
    // EV-068, EV-069, EV-079.
    let untracked = lists.untracked != 0 && !(forwarded && direction == Direction::Egress);
    let exempt = || {
        !forwarded
            && lists.exempt != 0
            && walk(tables, lists.exempt, &classes, &mut Outcome::default()).is_some()
    };
    if untracked
        && !exempt()
        && let Some((reason, slot)) = walk(tables, lists.untracked, &classes, &mut outcome)
    {
        return Outcome {
            reason,
            slot,
            is_untracked: true,
            ..outcome
        };
    }
    let list = if forwarded {
        lists.forward
    } else {
        lists.local
    };
    let (reason, slot) =
        walk(tables, list, &classes, &mut outcome).expect("local and forward lists decide");
    Outcome {
        reason,
        slot,
        ..outcome
    }
}

/// The class of a packet in every dimension.
fn classes(tables: &RuleTables, packet: &Headers) -> [u32; DIMENSIONS] {
    let port_base = match packet.protocol {
        protocol::TCP => Some(TCP_BASE),
        protocol::UDP => Some(UDP_BASE),
        protocol::SCTP => Some(SCTP_BASE),
        _ => None,
    };
    let icmp_base = match (packet.protocol, packet.source) {
        (protocol::ICMP, IpAddr::V4(_)) => Some(ICMP_BASE),
        (protocol::ICMPV6, IpAddr::V6(_)) => Some(ICMPV6_BASE),
        _ => None,
    };
    let service = match (port_base, packet.ports, icmp_base, packet.icmp) {
        (Some(base), Some((_, port)), _, _) => base + u32::from(port),
        (_, _, Some(base), Some((icmp_type, code))) => {
            base + (u32::from(icmp_type) << 8) + u32::from(code)
        }
        _ => PROTOCOL_BASE + u32::from(packet.protocol),
    };
    let destination = &tables.destination_ports[service as usize / 32];
    let source_port = match (port_base, packet.ports) {
        (Some(base), Some((port, _))) => {
            let index = (base + u32::from(port)) as usize;
            tables.source_ports[index / 32].classes[index % 32]
        }
        _ => 0,
    };
    let named = |address, port: Option<u16>| {
        let key = NamedPortKey {
            address: mapped(address),
            port: port?,
            protocol: packet.protocol,
            reserved: 0,
        };
        let at = tables
            .named_ports
            .binary_search_by_key(&key, |entry| entry.0);
        Some(tables.named_ports[at.ok()?].1)
    };
    let ports = packet.ports.filter(|_| port_base.is_some());
    [
        address_class(tables, packet.source),
        address_class(tables, packet.destination),
        destination.classes[service as usize % 32].into(),
        source_port.into(),
        named(packet.source, ports.map(|ports| ports.0)).unwrap_or(0),
        named(packet.destination, ports.map(|ports| ports.1)).unwrap_or(0),
    ]
}

/// The class of an address.
pub(super) fn address_class(tables: &RuleTables, address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            let run = tables.addresses.roots4[(bits >> 16) as usize];
            if run.len == 0 {
                return run.first;
            }
            let range = |at: u32| tables.addresses.ranges4[at as usize];
            let at = last_at_or_before(run.first, run.len, bits & 0xffff, |at| {
                range(at).start.into()
            });
            range(at).class.into()
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let part = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
            let run = tables.addresses.roots6[part(112, 16) as usize];
            let mut target = run.first;
            if run.len != 0 {
                let range = |at: u32| tables.addresses.ranges6_top[at as usize];
                let at = last_at_or_before(run.first, run.len, part(96, 16), |at| {
                    range(at).start.into()
                });
                target = range(at).target;
            }
            if target & TARGET_IS_RUN != 0 {
                let value = u32::try_from(part(64, 32)).expect("32 bits");
                let low = u64::try_from(part(0, 64)).expect("64 bits");
                target = target_of(
                    |at| tables.addresses.ranges6_top[at as usize],
                    |at| tables.addresses.ranges6_mid[at as usize],
                    target & TARGET_INDEX,
                    (value, low),
                );
            }
            if target & TARGET_IS_RUN != 0 {
                let range = |at: u32| tables.addresses.ranges6_low[at as usize];
                let header = target & TARGET_INDEX;
                let length = u32::try_from(range(header).start).expect("a length");
                let at =
                    last_at_or_before(header + 1, length, part(0, 64), |at| range(at).start.into());
                target = range(at).target;
            }
            target
        }
    }
}

/// The last of the `length` ranges from `first` on that starts at or before `value`: the first does, at
/// 0 or where its part begins.
fn last_at_or_before(
    first: u32,
    length: u32,
    value: impl Into<u128>,
    start: impl Fn(u32) -> u128,
) -> u32 {
    let value = value.into();
    let (mut low, mut high) = (first, first + length);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if start(middle) <= value {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Walks a list; `None` if it gives no verdict.
fn walk(
    tables: &RuleTables,
    list: ListNumber,
    classes: &[u32; DIMENSIONS],
    outcome: &mut Outcome,
) -> Option<(Reason, u32)> {
    let entry = tables.lists[list as usize];
    let mut from = 0;
    loop {
        let at =
            first_match(tables, list, classes, from).expect("the last rule matches everything");
        let rule = tables.rules[(entry.first_rule + at) as usize];
        match Action::try_from(rule.action).expect("an action") {
            Action::Allow | Action::Deny => {
                let reason = Reason::try_from(rule.reason).expect("a reason");
                debug_assert_eq!(reason.allows(), rule.action == Action::Allow as u8);
                return Some((reason, rule.slot));
            }
            Action::Pass => from = rule.target.into(),
            Action::Log => {
                outcome.logged.push(rule.slot);
                from = at + 1;
            }
            Action::Staged => {
                outcome.staged.push(rule.slot);
                from = rule.target.into();
            }
            Action::Continue => return None,
        }
        debug_assert!(from > at && from < entry.rules, "targets lie ahead");
    }
}

fn first_match(
    tables: &RuleTables,
    list: ListNumber,
    classes: &[u32; DIMENSIONS],
    from: u32,
) -> Option<u32> {
    let list = tables.lists[list as usize];
    for chunk in from / RULES_PER_CHUNK..list.chunks {
        let rows: Vec<_> = Dimension::ALL
            .into_iter()
            .filter(|dimension| list.dimensions & dimension.bit() != 0)
            .map(|dimension| {
                let class = classes[dimension as usize];
                let at = (list.rows[dimension as usize] + class * list.chunks + chunk) as usize;
                let entry = tables.index[at];
                if list.is_short() {
                    let mut words = [0; WORDS_PER_ROW as usize];
                    words[0] = entry;
                    return Row {
                        summary: u64::from(entry != 0),
                        words,
                    };
                }
                tables.rows[usize::try_from(entry).expect("a row's number")]
            })
            .collect();
        debug_assert!(rows.iter().all(has_its_summary), "summary");
        let from = from.saturating_sub(chunk * RULES_PER_CHUNK);
        let end = RULES_PER_CHUNK.min(list.rules - chunk * RULES_PER_CHUNK);
        let mut words = from / 64..end.div_ceil(64);
        let found = words.find_map(|word| {
            let start = 64 * word;
            let behind = u64::MAX << from.saturating_sub(start);
            let bits = rows.iter().map(|row| row.words[word as usize]);
            let bits = bits.fold(behind, |all, bits| all & bits);
            (bits != 0).then(|| start + bits.trailing_zeros())
        });
        if let Some(rule) = found.filter(|rule| *rule < end) {
            return Some(chunk * RULES_PER_CHUNK + rule);
        }
    }
    None
}

/// Whether the summary of a row is of its words.
fn has_its_summary(row: &Row) -> bool {
    let mut words = row.words.iter().enumerate();
    words.all(|(word, bits)| (row.summary >> word & 1 == 1) == (*bits != 0))
}
