//! Names of the maps in the object, which are those of the pins, and what userspace does with each.

/// Use of a map by userspace.
#[derive(Clone, Copy)]
enum Kind {
    /// An outer map with a slot for each of the two generations.
    Slots,
    /// An outer map whose slots share one map as long as loads only add to it.
    Ranges,
    /// An array of which each of the two generations has a half.
    Halves,
    /// A table of flows.
    Flows,
    /// Another map that userspace reads or writes.
    Plain,
    /// A map that only programs, logs or tests use.
    Aside,
}

/// Declares a constant for each map, and the table of all of them.
macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = stringify!($name);)*
        const ALL: &[(&str, Kind)] = &[$(($name, Kind::$kind)),*];
    };
}

maps! {
    /// The generation in force.
    CONTROL: Plain,
    /// Behaviour, by slot.
    SETTINGS: Plain,
    /// Interface table.
    IFACES: Slots,
    /// Most interfaces, by place.
    QUICK_IFACES: Halves,
    /// Rule lists, their rules, and rows or their numbers by class.
    POLICY: Slots,
    /// Rows of long lists.
    ROWS: Ranges,
    /// IPv4 address classes: roots.
    ROOTS4: Halves,
    /// IPv4 address classes: ranges.
    RANGES4: Ranges,
    /// IPv6 address classes: roots.
    ROOTS6: Halves,
    /// IPv6 address classes: bits 16–31.
    RANGES6_TOP: Ranges,
    /// IPv6 address classes: bits 32–63.
    RANGES6_MID: Ranges,
    /// IPv6 address classes: bits 64–127.
    RANGES6_LOW: Ranges,
    /// Classes of destination ports, ICMP types and protocols.
    DPORTS: Halves,
    /// Classes of source ports.
    SPORTS: Halves,
    /// Classes of named ports.
    NAMED_PORTS: Slots,
    /// The generation in words; only userspace reads it.
    DESCRIPTION: Slots,
    /// Assured IPv4 TCP connections.
    ASSURED_TCP4: Flows,
    /// Assured IPv6 TCP connections.
    ASSURED_TCP6: Flows,
    /// Assured IPv4 flows of other protocols.
    ASSURED4: Flows,
    /// Assured IPv6 flows of other protocols.
    ASSURED6: Flows,
    /// Flows of both families that are not assured.
    UNASSURED: Flows,
    /// Verdicts of first fragments.
    FRAGMENTS: Plain,
    /// This host's own addresses.
    LOCAL: Plain,
    /// Some of them, by place.
    QUICK_LOCAL: Plain,
    /// How far these two can be trusted.
    OWN_STATE: Plain,
    /// Interfaces that came under policy a moment ago.
    GRACE: Plain,
    /// Counters by interface, direction and reason, of the first interfaces.
    COUNTERS: Plain,
    /// Those of the others, in pieces.
    MORE_COUNTERS: Plain,
    /// Counters by rule slot, in pieces.
    RULE_COUNTERS: Plain,
    /// Tokens of rules that report.
    LOG_BUDGETS: Aside,
    /// Ring of log and deny events.
    EVENTS: Plain,
    /// The last verdict of each CPU, for tests.
    DECISION: Aside,
    /// Log records of the programs themselves.
    AYA_LOGS: Aside,
}

/// Maps that have a slot for each of the two generations.
pub(crate) const OUTER: [&str; count(&[Kind::Slots, Kind::Ranges])] =
    select(&[Kind::Slots, Kind::Ranges]);

/// Outer maps whose slots share one map as long as loads only add to it.
pub(crate) const IN_PLACE: [&str; count(&[Kind::Ranges])] = select(&[Kind::Ranges]);

/// Arrays of which each of the two generations has a half.
pub(crate) const HALVES: [&str; count(&[Kind::Halves])] = select(&[Kind::Halves]);

/// The other maps that userspace uses and the object declares.
pub(crate) const PLAIN: [&str; count(&[Kind::Plain, Kind::Halves, Kind::Flows])] =
    select(&[Kind::Plain, Kind::Halves, Kind::Flows]);

/// Tables of flows.
pub(crate) const FLOWS: [&str; count(&[Kind::Flows])] = select(&[Kind::Flows]);

/// Whether `kind` is among `kinds`.
const fn is_of(kind: Kind, kinds: &[Kind]) -> bool {
    let mut at = 0;
    while at < kinds.len() {
        if kinds[at] as u8 == kind as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// Number of maps of these kinds.
const fn count(kinds: &[Kind]) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < ALL.len() {
        found += is_of(ALL[at].1, kinds) as usize;
        at += 1;
    }
    found
}

/// The maps of these kinds, `N` of them, in the order of the table.
const fn select<const N: usize>(kinds: &[Kind]) -> [&'static str; N] {
    let mut names = [""; N];
    let (mut at, mut found) = (0, 0);
    while at < ALL.len() {
        if is_of(ALL[at].1, kinds) {
            names[found] = ALL[at].0;
            found += 1;
        }
        at += 1;
    }
    names
}
