//! Resources of a test as a snapshot.

use std::{collections::BTreeMap, path::Path};

use hep_common::settings;
use hep_userspace::{
    model::{Snapshot, TimeoutSetting, Timeouts},
    source::Unit,
    validate::{self, Node, Scope},
};

use crate::policy::{NODE, documents};

/// The snapshot of these resources.
///
/// # Panics
///
/// If they are not valid.
#[track_caller]
#[must_use]
pub fn load(resources: &[String]) -> Snapshot {
    let file = Unit::file(Path::new("all.yaml"), documents(resources));
    let node = Node {
        name: NODE.into(),
        labels: BTreeMap::new(),
        cpus: 1,
    };
    let loaded = validate::load(&[file], &node, Scope::Directory);
    loaded
        .snapshot
        .unwrap_or_else(|| panic!("not valid: {:#?}", loaded.problems))
}

/// Timeouts as compiled; an hour where they are the usual ones, since the machine may be too slow for
/// those, and the kernel's.
pub(crate) fn resolve(timeouts: &Timeouts) -> settings::Timeouts {
    const LONG_NS: u64 = 3_600_000_000_000;
    let usual = load(&[]).felix.timeouts;
    let ns = |setting: TimeoutSetting, usual: TimeoutSetting| match setting {
        TimeoutSetting::Fixed(time) if setting != usual => {
            u64::try_from(time.as_nanos()).expect("timeouts fit")
        }
        TimeoutSetting::Fixed(_) | TimeoutSetting::Kernel => LONG_NS,
    };
    settings::Timeouts {
        tcp_syn_sent_ns: ns(timeouts.tcp_syn_sent, usual.tcp_syn_sent),
        tcp_established_ns: ns(timeouts.tcp_established, usual.tcp_established),
        tcp_fins_seen_ns: ns(timeouts.tcp_fins_seen, usual.tcp_fins_seen),
        tcp_reset_seen_ns: ns(timeouts.tcp_reset_seen, usual.tcp_reset_seen),
        udp_ns: ns(timeouts.udp, usual.udp),
        icmp_ns: ns(timeouts.icmp, usual.icmp),
        generic_ns: ns(timeouts.generic, usual.generic),
    }
}
