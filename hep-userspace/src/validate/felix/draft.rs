//! A configuration while it is merged: Calico's defaults, and what fields change of them.

use std::{sync::Arc, time::Duration};

use hep_common::protocol::{TCP, UDP};
use regex::Regex;

use super::values;
use crate::model::{
    AttachType, EndpointToHostAction, FailsafePort, FelixConfiguration, LogLevel, Protocol,
    ReversePath, TimeoutSetting, Timeouts,
};

/// The change that one field of an object makes to the configuration.
pub(super) type Setting = Arc<dyn Fn(&mut Draft) + Send + Sync>;

/// A configuration that is still being merged.
pub(super) struct Draft {
    pub(super) merged: FelixConfiguration,
    pub(super) per_cpu_conntrack: u32,
    pub(super) metrics_enabled: bool,
    /// No TLS is configured; it is not supported.
    pub(super) metrics_in_clear: bool,
    pub(super) metrics_host: String,
    pub(super) metrics_port: u16,
    pub(super) health_enabled: bool,
    pub(super) health_host: String,
    pub(super) health_port: u16,
    /// `bpfDataIfacePattern` and `bpfL3IfacePattern`.
    pub(super) patterns: [Option<Regex>; 2],
}

impl Draft {
    /// The configuration, on a host with so many CPUs.
    pub(super) fn finish(mut self, cpus: u32) -> FelixConfiguration {
        if self.per_cpu_conntrack > 0 {
            self.merged.conntrack_size = Some(self.per_cpu_conntrack.saturating_mul(cpus.max(1)));
        }
        self.merged.metrics = (self.metrics_enabled && self.metrics_in_clear)
            .then_some((self.metrics_host, self.metrics_port));
        self.merged.health = self
            .health_enabled
            .then_some((self.health_host, self.health_port));
        self.merged.wildcard_patterns = self.patterns.into_iter().flatten().collect();
        self.merged
    }
}

/// The failsafe ports of RS-143 and RS-144.
fn default_failsafes(first: [(u8, u16); 2]) -> Vec<FailsafePort> {
    let common = [179, 2379, 2380, 5473, 6443, 6666, 6667].map(|port| (TCP, port));
    first
        .into_iter()
        .chain(common)
        .map(|(number, port)| FailsafePort {
            protocol: Protocol {
                number,
                by_name: true,
            },
            port,
            net: None,
        })
        .collect()
}

/// Defaults of RS-186 to RS-192.
pub(super) const DEFAULT_TIMEOUTS: Timeouts = Timeouts {
    tcp_syn_sent: TimeoutSetting::Fixed(Duration::from_secs(20)),
    tcp_established: TimeoutSetting::Fixed(Duration::from_secs(3600)),
    tcp_fins_seen: TimeoutSetting::Kernel,
    tcp_reset_seen: TimeoutSetting::Fixed(Duration::from_secs(40)),
    udp: TimeoutSetting::Fixed(Duration::from_secs(60)),
    generic: TimeoutSetting::Fixed(Duration::from_secs(600)),
    icmp: TimeoutSetting::Fixed(Duration::from_secs(5)),
};

impl Default for Draft {
    /// Calico's defaults, or the daemon's where the specification decides so.
    fn default() -> Self {
        Self {
            merged: FelixConfiguration {
                failsafe_inbound: default_failsafes([(TCP, 22), (UDP, 68)]),
                failsafe_outbound: default_failsafes([(UDP, 53), (UDP, 67)]),
                interface_prefixes: vec!["cali".to_owned()],
                interface_exclude: values::excluded("kube-ipvs0").unwrap_or_default(),
                wildcard_patterns: Vec::new(),
                interface_refresh: Some(Duration::from_secs(90)),
                endpoint_to_host: EndpointToHostAction::Drop,
                ipv6_support: true,
                bpf_log_level: LogLevel::Off,
                conntrack_size: None,
                max_set_members: 1_048_576,
                max_interfaces: 1000,
                reverse_path: ReversePath::Disabled,
                attach_type: AttachType::Tcx,
                fragment_timeout: None,
                allow_invalid: false,
                timeouts: DEFAULT_TIMEOUTS,
                log_prefix: "calico-packet".to_owned(),
                log_rate: None,
                log_burst: 5,
                log_severity: "info".to_owned(),
                metrics: None,
                health: None,
            },
            per_cpu_conntrack: 0,
            metrics_enabled: false,
            metrics_in_clear: true,
            metrics_host: String::new(),
            metrics_port: 9091,
            health_enabled: false,
            health_host: "localhost".to_owned(),
            health_port: 9099,
            patterns: [None, None],
        }
    }
}
