//! Metrics for Prometheus, and the state behind the health checks.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hep_common::counter::{Note, Reason};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::super::status::{Report, SharedReport};
use crate::{
    compile::Description,
    datapath::{KernelError, Maps, monotonic_ns},
};

/// A daemon whose loop has not run for this long counts as hanging.
const ALIVE: Duration = Duration::from_secs(120);

/// The source of the metrics: pinned maps and the daemon's report.
#[derive(Clone, Debug)]
pub struct Metrics {
    pins: PathBuf,
    report: SharedReport,
    /// When the daemon's loop last ran, on the coarse monotonic clock, nanoseconds.
    heartbeat_ns: Arc<AtomicU64>,
}

/// A label's name and value.
type Label = (&'static str, String);

impl Metrics {
    /// Creates the source for the instance whose maps are pinned at `pins`.
    #[must_use]
    pub fn new(pins: PathBuf, report: SharedReport) -> Self {
        Self {
            pins,
            report,
            heartbeat_ns: Arc::new(AtomicU64::new(monotonic_ns())),
        }
    }

    /// Records that the daemon's loop runs (heartbeat).
    pub fn heartbeat(&self) {
        self.heartbeat_ns.store(monotonic_ns(), Ordering::Relaxed);
    }

    /// Whether the daemon's loop runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let since_ns = monotonic_ns().saturating_sub(self.heartbeat_ns.load(Ordering::Relaxed));
        Duration::from_nanos(since_ns) < ALIVE
    }

    /// Whether policy is in force everywhere; also while degraded, if the last good policy is enforced.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report.lock().ready
    }

    /// All metrics in the text format of OpenMetrics. Before the first load there are only those of the
    /// daemon itself.
    ///
    /// # Errors
    ///
    /// [`KernelError`] if the maps cannot be read.
    pub fn text(&self) -> Result<String, KernelError> {
        let mut registry = Registry::with_prefix("hep");
        self.daemon(&mut registry);
        let maps = match Maps::open(&self.pins) {
            Ok(maps) => Some(maps),
            Err(KernelError::NotPinned(_)) => None,
            Err(error) => return Err(error),
        };
        if let Some(maps) = &maps {
            occupancy(&mut registry, maps)?;
            match maps.description() {
                Ok(description) => {
                    generation(&mut registry, &description);
                    traffic(&mut registry, &description, maps)?;
                    policies(&mut registry, &description, maps)?;
                }
                Err(KernelError::NoGeneration) => {}
                Err(error) => return Err(error),
            }
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("a String takes whatever is written");
        Ok(text)
    }

    fn daemon(&self, registry: &mut Registry) {
        let report: Report = self.report.lock().clone();
        family(
            registry,
            "build_info",
            "The daemon's version",
            [([("version", report.version.clone())], 1)],
        );
        for (name, help, value) in flags(&report) {
            gauge(registry, name, help, u64::from(value));
        }
        for (name, help, value) in [
            (
                "last_load_entries",
                "Entries of all tables of rules and addresses after the last load",
                as_u64(report.written.entries),
            ),
            (
                "last_load_entries_written",
                "Entries that the last load wrote",
                as_u64(report.written.written),
            ),
        ] {
            gauge(registry, name, help, value);
        }
        if let Some(trial) = &report.decided.trial {
            seconds(
                registry,
                "trial_end_time",
                "When the policy before the trial comes back, unless it is confirmed",
                trial.ends_unix_ms,
            );
        }
        seconds(
            registry,
            "start_time",
            "When the daemon started",
            report.started_unix_ms,
        );
        seconds(
            registry,
            "last_load_time",
            "When the policy directory was last loaded, or refused",
            report.last_load_unix_ms,
        );
        let problems = ["error", "warning", "notice"].map(|severity| {
            let count = report
                .problems
                .iter()
                .filter(|problem| problem.severity == severity)
                .count();
            ([("severity", severity.to_owned())], as_u64(count))
        });
        family(registry, "problems", "Problems of the last load", problems);
    }
}

/// Name, help and value of the gauges that are 0 or 1.
fn flags(report: &Report) -> [(&'static str, &'static str, bool); 9] {
    let decided = &report.decided;
    [
        (
            "ready",
            "Policy is in force on all interfaces as configured",
            report.ready,
        ),
        (
            "degraded",
            "What is in force is not what the policy directory says",
            report.degraded.is_some(),
        ),
        (
            "untrusted",
            "The policy directory is missing or empty, and is not followed",
            report.untrusted.is_some(),
        ),
        (
            "holding",
            "Former name of hep_untrusted",
            report.untrusted.is_some(),
        ),
        (
            "last_load_success",
            "The last load of the policy directory was taken",
            report.degraded.is_none() && report.untrusted.is_none(),
        ),
        (
            "panic",
            "Only failsafes and established flows pass",
            decided.panic.is_some(),
        ),
        (
            "frozen",
            "An earlier policy was brought back, and the policy directory is not followed",
            decided.frozen.is_some(),
        ),
        (
            "rollback_hold",
            "Former name of hep_frozen",
            decided.frozen.is_some(),
        ),
        ("trial", "A policy is on trial", decided.trial.is_some()),
    ]
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(as_i64(value));
    registry.register(name, help, gauge);
}

/// Registers a moment, in seconds since 1970.
fn seconds(registry: &mut Registry, name: &str, help: &str, unix_ms: u64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(as_i64(unix_ms / 1000));
    registry.register_with_unit(name, help, Unit::Seconds, gauge);
}

/// Registers gauges that differ in their labels.
fn family<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = ([Label; N], u64)>,
) where
    [Label; N]: EncodeLabelSet,
{
    let family: Family<[Label; N], Gauge> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(as_i64(value));
    }
    registry.register(name, help, family);
}

/// Counters of packets and of bytes with the same labels.
struct Traffic<const N: usize> {
    packets: Family<[Label; N], Counter>,
    bytes: Family<[Label; N], Counter>,
}

impl<const N: usize> Traffic<N>
where
    [Label; N]: EncodeLabelSet,
{
    fn register(registry: &mut Registry, name: &str, whose: &str) -> Self {
        let traffic = Self {
            packets: Family::default(),
            bytes: Family::default(),
        };
        for (what, family) in [("packets", &traffic.packets), ("bytes", &traffic.bytes)] {
            let help = format!("{what} {whose}");
            registry.register(format!("{name}{what}"), help, family.clone());
        }
        traffic
    }

    fn add(&self, labels: &[Label; N], counter: hep_common::counter::Counter) {
        self.packets.get_or_create(labels).inc_by(counter.packets);
        self.bytes.get_or_create(labels).inc_by(counter.bytes);
    }
}

fn occupancy(registry: &mut Registry, maps: &Maps) -> Result<(), KernelError> {
    let tables = maps.occupancy()?;
    let labels = |table: &crate::datapath::Occupancy| {
        let family = table
            .family
            .map_or_else(String::new, |family| family.to_string());
        [("table", table.table.clone()), ("family", family)]
    };
    let entries = tables
        .iter()
        .map(|table| (labels(table), as_u64(table.entries)));
    family(
        registry,
        "table_entries",
        "Entries of the tables of flows",
        entries,
    );
    let capacities = tables
        .iter()
        .map(|table| (labels(table), as_u64(table.capacity)));
    family(
        registry,
        "table_capacity",
        "Most entries that fit",
        capacities,
    );
    let bytes = tables.iter().map(|table| (labels(table), table.bytes));
    family(
        registry,
        "table_bytes",
        "Memory of the kernel that the tables of flows take now, bytes",
        bytes,
    );
    Ok(())
}

fn generation(registry: &mut Registry, description: &Description) {
    for (name, help, value) in [
        (
            "generation",
            "Number of the generation in force",
            u64::from(description.generation),
        ),
        (
            "interfaces",
            "Interfaces that are policed",
            as_u64(description.interfaces.len()),
        ),
        (
            "rules",
            "Rules of the generation in force",
            as_u64(description.rules.len()),
        ),
    ] {
        gauge(registry, name, help, value);
    }
    seconds(
        registry,
        "generation_time",
        "When the generation came into force",
        description.applied_unix_ms,
    );
}

fn traffic(
    registry: &mut Registry,
    description: &Description,
    maps: &Maps,
) -> Result<(), KernelError> {
    let packets: Traffic<4> = Traffic::register(registry, "", "by reason of their verdict");
    let notes: Family<[Label; 3], Counter> = Family::default();
    for interface in &description.interfaces {
        for (offset, direction) in [(0, "ingress"), (1, "egress")] {
            let counters = maps.counters(interface.counters + offset)?;
            let place = [
                ("interface", interface.name.clone()),
                ("direction", direction.to_owned()),
            ];
            let mut counts = counters.by_reason.into_iter();
            for (reason, count) in Reason::ALL.iter().zip(counts.by_ref()) {
                if count.packets > 0 {
                    let [interface, direction] = place.clone();
                    let verdict = if reason.allows() { "allow" } else { "deny" };
                    let verdict = ("verdict", verdict.to_owned());
                    let reason = ("reason", reason.name().to_owned());
                    packets.add(&[interface, direction, verdict, reason], count);
                }
            }
            let notes_of = &counters.by_reason[Reason::COUNT..];
            for (note, count) in Note::ALL.iter().zip(notes_of) {
                let [interface, direction] = place.clone();
                let what = ("what", note.name().to_owned());
                notes
                    .get_or_create(&[interface, direction, what])
                    .inc_by(count.packets);
            }
        }
    }
    let help = "Occasions: flows that found no room, events left out, flows cut or picked up";
    registry.register("occasions", help, notes);
    Ok(())
}

fn policies(
    registry: &mut Registry,
    description: &Description,
    maps: &Maps,
) -> Result<(), KernelError> {
    let whose = "that rules of a policy or profile matched; of staged ones, would have decided on";
    let matched: Traffic<4> = Traffic::register(registry, "policy_", whose);
    let counters = maps.rule_counters(description.rules.iter().map(|rule| rule.slot))?;
    for rule in description
        .rules
        .iter()
        .filter(|rule| !rule.policy.is_empty())
    {
        let labels = [
            ("tier", rule.tier.clone()),
            ("policy", rule.policy.clone()),
            ("action", rule.action.clone()),
            ("staged", rule.staged.to_string()),
        ];
        let count = counters.get(&rule.slot).copied().unwrap_or_default();
        matched.add(&labels, count);
    }
    Ok(())
}
