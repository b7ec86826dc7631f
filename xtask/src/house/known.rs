//! Places from before a rule. Lists only shrink: an entry that is no longer needed is an error.

/// Functions of more than 60 lines, until they are divided.
pub(super) const LONG_FUNCTIONS: &[&str] = &[
    "hep-userspace/src/daemon/metrics/figures.rs: daemon",
    "hep-userspace/src/daemon/reconcile.rs: attach",
    "hep-userspace/src/daemon/service/mod.rs: start",
    "hep-userspace/src/daemon/service/mod.rs: turn",
    "hep-userspace/src/daemon/service/trial.rs: begin_trial",
    "hep-userspace/src/reference/pipeline.rs: decide",
    "hep-userspace/src/validate/endpoint.rs: decode",
    "hep-userspace/src/validate/rule.rs: rule",
    "tests/bench/live/policy.rs: nftables",
    "tests/bench/live/program.rs: plans",
    "tests/bench/plot.rs: plot",
    "tests/harness/oracle/datagrams.rs: ipv6",
    "tests/harness/oracle/text.rs: describe",
    "tests/harness/packet/transport.rs: bytes",
    "tests/soak/support/policies.rs: variant",
    "tests/soak/trial.rs: round",
];

/// Files that are in a circle of modules, until it is undone.
pub(super) const CIRCLES: &[&str] = &[
    "hep-userspace/src/cases/case.rs",
    "hep-userspace/src/cases/packet.rs",
    "hep-userspace/src/daemon/control.rs",
    "hep-userspace/src/daemon/feed.rs",
    "hep-userspace/src/daemon/metrics/cache.rs",
    "hep-userspace/src/daemon/metrics/listeners.rs",
    "hep-userspace/src/daemon/metrics/server.rs",
    "hep-userspace/src/daemon/netlink.rs",
    "hep-userspace/src/daemon/newcomers/follow.rs",
    "hep-userspace/src/daemon/newcomers/mod.rs",
    "hep-userspace/src/daemon/notifications.rs",
    "hep-userspace/src/daemon/options.rs",
    "hep-userspace/src/daemon/purpose.rs",
    "hep-userspace/src/daemon/reconcile.rs",
    "hep-userspace/src/daemon/state/clock.rs",
    "hep-userspace/src/daemon/state/files.rs",
    "hep-userspace/src/daemon/state/journal.rs",
    "hep-userspace/src/daemon/state/mod.rs",
    "hep-userspace/src/daemon/status.rs",
    "hep-userspace/src/daemon/summary.rs",
    "hep-userspace/src/selector/error.rs",
    "hep-userspace/src/selector/mod.rs",
    "hep-userspace/src/selector/parser.rs",
    "hep-userspace/src/selector/token.rs",
];
