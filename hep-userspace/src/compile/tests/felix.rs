//! The configuration without a FelixConfiguration: defaults.

use std::time::Duration;

use super::fixture::failsafe;
use crate::model::{
    AttachType, EndpointToHostAction, FelixConfiguration, LogLevel, ReversePath, TimeoutSetting,
    Timeouts,
};

/// The default configuration, with the default failsafe ports (RS-143, RS-144).
pub(super) fn felix() -> FelixConfiguration {
    let both = [179, 2379, 2380, 5473, 6443, 6666, 6667].map(|port| failsafe("TCP", port, None));
    let inbound = [failsafe("TCP", 22, None), failsafe("UDP", 68, None)];
    let outbound = [failsafe("UDP", 53, None), failsafe("UDP", 67, None)];
    let fixed = TimeoutSetting::Fixed(Duration::from_secs(60));
    FelixConfiguration {
        failsafe_inbound: inbound.into_iter().chain(both).collect(),
        failsafe_outbound: outbound.into_iter().chain(both).collect(),
        interface_prefixes: vec!["cali".into()],
        interface_exclude: vec![regex::Regex::new("^kube-ipvs0$").expect("a pattern")],
        wildcard_patterns: Vec::new(),
        interface_refresh: None,
        endpoint_to_host: EndpointToHostAction::Drop,
        ipv6_support: true,
        bpf_log_level: LogLevel::Off,
        conntrack_size: None,
        max_set_members: 1 << 20,
        max_interfaces: 1000,
        reverse_path: ReversePath::Disabled,
        attach_type: AttachType::Tcx,
        fragment_timeout: None,
        allow_invalid: false,
        timeouts: Timeouts {
            tcp_syn_sent: fixed,
            tcp_established: fixed,
            tcp_fins_seen: fixed,
            tcp_reset_seen: fixed,
            udp: fixed,
            generic: fixed,
            icmp: fixed,
        },
        log_prefix: "calico-packet".into(),
        log_rate: None,
        log_burst: 5,
        log_severity: "info".into(),
        metrics: None,
        health: None,
    }
}
