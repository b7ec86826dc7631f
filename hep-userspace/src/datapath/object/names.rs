//! Names of the maps and programs in the object, and of the pins.

/// The generation in force.
pub(crate) const CONTROL: &str = "CONTROL";
/// Behaviour, by slot.
pub(crate) const SETTINGS: &str = "SETTINGS";
/// Interface table.
pub(crate) const IFACES: &str = "IFACES";
/// Most interfaces, by place.
pub(crate) const QUICK_IFACES: &str = "QUICK_IFACES";
/// Rule lists, their rules, and rows or their numbers by class.
pub(crate) const POLICY: &str = "POLICY";
/// Rows of long lists.
pub(crate) const ROWS: &str = "ROWS";
/// IPv4 address classes: roots.
pub(crate) const ROOTS4: &str = "ROOTS4";
/// IPv4 address classes: ranges.
pub(crate) const RANGES4: &str = "RANGES4";
/// IPv6 address classes: roots.
pub(crate) const ROOTS6: &str = "ROOTS6";
/// IPv6 address classes: bits 16–31.
pub(crate) const RANGES6_TOP: &str = "RANGES6_TOP";
/// IPv6 address classes: bits 32–63.
pub(crate) const RANGES6_MID: &str = "RANGES6_MID";
/// IPv6 address classes: bits 64–127.
pub(crate) const RANGES6_LOW: &str = "RANGES6_LOW";
/// Classes of destination ports, ICMP types and protocols.
pub(crate) const DPORTS: &str = "DPORTS";
/// Classes of source ports.
pub(crate) const SPORTS: &str = "SPORTS";
/// Classes of named ports.
pub(crate) const NAMED_PORTS: &str = "NAMED_PORTS";
/// The generation in words; only userspace reads it.
pub(crate) const DESCRIPTION: &str = "DESCRIPTION";
/// Assured IPv4 TCP connections.
pub(crate) const ASSURED_TCP4: &str = "ASSURED_TCP4";
/// Assured IPv6 TCP connections.
pub(crate) const ASSURED_TCP6: &str = "ASSURED_TCP6";
/// Assured IPv4 flows of other protocols.
pub(crate) const ASSURED4: &str = "ASSURED4";
/// Assured IPv6 flows of other protocols.
pub(crate) const ASSURED6: &str = "ASSURED6";
/// Flows of both families that are not assured.
pub(crate) const UNASSURED: &str = "UNASSURED";
/// Verdicts of first fragments.
pub(crate) const FRAGMENTS: &str = "FRAGMENTS";
/// This host's own addresses.
pub(crate) const LOCAL: &str = "LOCAL";
/// Some of them, by place.
pub(crate) const QUICK_LOCAL: &str = "QUICK_LOCAL";
/// How far these two can be trusted.
pub(crate) const OWN_STATE: &str = "OWN_STATE";
/// Interfaces that came under policy a moment ago.
pub(crate) const GRACE: &str = "GRACE";
/// Counters by interface, direction and reason, of the first interfaces.
pub(crate) const COUNTERS: &str = "COUNTERS";
/// Those of the others, in pieces.
pub(crate) const MORE_COUNTERS: &str = "MORE_COUNTERS";
/// Counters by rule slot, in pieces.
pub(crate) const RULE_COUNTERS: &str = "RULE_COUNTERS";
/// Tokens of rules that report.
pub(crate) const LOG_BUDGETS: &str = "LOG_BUDGETS";
/// Ring of log and deny events.
pub(crate) const EVENTS: &str = "EVENTS";
/// The last verdict of each CPU, for tests.
pub(crate) const DECISION: &str = "DECISION";
/// Log records of the programs themselves.
pub(crate) const AYA_LOGS: &str = "AYA_LOGS";

/// Maps that have a slot for each of the two generations.
pub(crate) const OUTER: [&str; 9] = [
    IFACES,
    POLICY,
    ROWS,
    RANGES4,
    RANGES6_TOP,
    RANGES6_MID,
    RANGES6_LOW,
    NAMED_PORTS,
    DESCRIPTION,
];

/// Outer maps whose slots share one map as long as loads only add to it.
pub(crate) const IN_PLACE: [&str; 4] = [RANGES4, RANGES6_TOP, RANGES6_MID, RANGES6_LOW];

/// Arrays of which each of the two generations has a half.
pub(crate) const HALVES: [&str; 5] = [QUICK_IFACES, ROOTS4, ROOTS6, DPORTS, SPORTS];

/// The other maps that userspace uses and the object declares.
pub(crate) const PLAIN: [&str; 21] = [
    CONTROL,
    SETTINGS,
    QUICK_IFACES,
    ROOTS4,
    ROOTS6,
    DPORTS,
    SPORTS,
    ASSURED_TCP4,
    ASSURED_TCP6,
    ASSURED4,
    ASSURED6,
    UNASSURED,
    FRAGMENTS,
    LOCAL,
    QUICK_LOCAL,
    OWN_STATE,
    GRACE,
    COUNTERS,
    MORE_COUNTERS,
    RULE_COUNTERS,
    EVENTS,
];

/// Tables of flows.
pub(crate) const FLOWS: [&str; 5] = [ASSURED_TCP4, ASSURED_TCP6, ASSURED4, ASSURED6, UNASSURED];
