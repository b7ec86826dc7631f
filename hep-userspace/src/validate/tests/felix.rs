//! FelixConfiguration.

use std::time::Duration;

use super::*;
use crate::model::{
    AttachType, EndpointToHostAction, FelixConfiguration, LogLevel, ReversePath, TimeoutSetting,
};

fn felix(spec: &str) -> String {
    document("FelixConfiguration", "default", spec)
}

fn merged(text: &str) -> FelixConfiguration {
    accept(text).felix
}

fn ports(list: &[crate::model::FailsafePort]) -> Vec<String> {
    let text = |port: &crate::model::FailsafePort| {
        let net = port.net.map_or(String::new(), |net| format!(" {net}"));
        format!("{} {}{net}", port.protocol, port.port)
    };
    list.iter().map(text).collect()
}

/// RS-143, RS-144, RS-151, RS-155, RS-156, RS-157, RS-160, RS-166, RS-170, RS-172, RS-174, RS-177,
/// RS-183, RS-186 to RS-192, RS-196, RS-198, RS-199, RS-200, RS-206.
#[test]
fn defaults_are_those_of_the_specification() {
    let felix = merged("");
    let common = [
        "TCP 179", "TCP 2379", "TCP 2380", "TCP 5473", "TCP 6443", "TCP 6666", "TCP 6667",
    ];
    assert_eq!(
        ports(&felix.failsafe_inbound),
        [&["TCP 22", "UDP 68"][..], &common].concat()
    );
    assert_eq!(
        ports(&felix.failsafe_outbound),
        [&["UDP 53", "UDP 67"][..], &common].concat()
    );
    assert_eq!(felix.interface_prefixes, ["cali"]);
    assert_eq!(felix.interface_exclude[0].as_str(), "^kube-ipvs0$");
    assert!(felix.wildcard_patterns.is_empty());
    assert_eq!(felix.interface_refresh, Some(Duration::from_secs(90)));
    assert_eq!(felix.endpoint_to_host, EndpointToHostAction::Drop);
    assert!(felix.ipv6_support && !felix.allow_invalid);
    assert_eq!(felix.bpf_log_level, LogLevel::Off);
    assert_eq!(
        (
            felix.conntrack_size,
            felix.max_set_members,
            felix.max_interfaces
        ),
        (None, 1_048_576, 1000)
    );
    assert_eq!(
        (felix.reverse_path, felix.attach_type),
        (ReversePath::Disabled, AttachType::Tcx)
    );
    let fixed = |seconds| TimeoutSetting::Fixed(Duration::from_secs(seconds));
    let timeouts = felix.timeouts;
    assert_eq!(
        (
            timeouts.tcp_syn_sent,
            timeouts.tcp_established,
            timeouts.tcp_fins_seen
        ),
        (fixed(20), fixed(3600), TimeoutSetting::Kernel)
    );
    assert_eq!(
        (
            timeouts.tcp_reset_seen,
            timeouts.udp,
            timeouts.generic,
            timeouts.icmp
        ),
        (fixed(40), fixed(60), fixed(600), fixed(5))
    );
    assert_eq!(
        (
            felix.log_prefix.as_str(),
            felix.log_burst,
            felix.log_severity.as_str()
        ),
        ("calico-packet", 5, "info")
    );
    assert_eq!((felix.metrics, felix.health), (None, None));
}

/// RS-138, RS-139, RS-140.
#[test]
fn the_nodes_own_object_wins_field_by_field() {
    let own = document(
        "FelixConfiguration",
        "node.node1",
        "logPrefix: own, prometheusMetricsPort: 1",
    );
    let other = document("FelixConfiguration", "node.node2", "logPrefix: other");
    let default = felix(
        "logPrefix: general, ipv6Support: true, bpfLogLevel: debug, prometheusMetricsEnabled: true",
    );
    let felix_ = merged(&(own.clone() + &other + &default));
    assert_eq!(
        (felix_.log_prefix.as_str(), felix_.bpf_log_level),
        ("own", LogLevel::Debug)
    );
    assert_eq!(felix_.metrics, Some((String::new(), 1)));
    assert_eq!(merged(&other).log_prefix, "calico-packet");
    refuse(
        &document("FelixConfiguration", "node.node2", "logPrefix: 'ä'"),
        "E-SYNTAX",
        "spec.logPrefix",
    );
    refuse(
        &felix("nodeSelector: has(x)"),
        "E-UNSUPPORTED",
        "spec.nodeSelector",
    );
    warn(
        &document("FelixConfiguration", "other", ""),
        "W-IGNORED",
        "metadata",
    );
}

/// RS-145, RS-146, RS-147, RS-148, RS-149, RS-150.
#[test]
fn failsafe_lists_replace_the_defaults() {
    let felix_ = merged(&felix(
        "failsafeInboundHostPorts: [{port: 22}, {protocol: sctp, port: 1, net: 10.1.2.3/8}, {protocol: UDP, port: 2, net: '2001:db8::1'}]",
    ));
    assert_eq!(
        ports(&felix_.failsafe_inbound),
        ["TCP 22", "SCTP 1 10.0.0.0/8", "UDP 2 2001:db8::1/128"]
    );
    assert_eq!(felix_.failsafe_outbound.len(), 9);
    let none = felix("failsafeOutboundHostPorts: []");
    assert!(merged(&none).failsafe_outbound.is_empty());
    let told = warn(&none, "W-FAILSAFE", "spec.failsafeOutboundHostPorts");
    assert!(
        told.message.contains("DNS") && !told.message.contains("SSH"),
        "{told}"
    );
    let none = felix("failsafeInboundHostPorts: []");
    let told = warn(&none, "W-FAILSAFE", "spec.failsafeInboundHostPorts");
    assert!(told.message.contains("SSH"), "{told}");
    let zero = felix("failsafeInboundHostPorts: [{port: 22}, {protocol: UDP, port: 0}]");
    warn(&zero, "W-FAILSAFE", "spec.failsafeInboundHostPorts[1].port");
    assert_eq!(ports(&merged(&zero).failsafe_inbound), ["TCP 22"]);
    for (item, code, field) in [
        ("protocol: ICMP, port: 1", "E-ENUM", ".protocol"),
        ("port: 65536", "E-RANGE", ".port"),
        ("protocol: TCP", "E-REQUIRED", ".port"),
        ("port: 1, net: x", "E-CIDR", ".net"),
        ("port: 1, nets: x", "E-SYNTAX", ".nets"),
    ] {
        refuse(
            &felix(&format!("failsafeInboundHostPorts: [{{{item}}}]")),
            code,
            &format!("spec.failsafeInboundHostPorts[0]{field}"),
        );
    }
}

/// RS-152, RS-153, RS-154, RS-167, RS-178, RS-193, RS-194, RS-197, RS-201, RS-202.
#[test]
fn fields_that_are_used_set_what_they_say() {
    let felix_ = merged(&felix(
        "interfacePrefix: 'cali,tap', interfaceExclude: 'veth1,/^kube/', bpfDataIfacePattern: '^eth', \
         bpfL3IfacePattern: '^wg', interfaceRefreshInterval: 0s, defaultEndpointToHostAction: RETURN, \
         bpfMapSizeConntrack: 7, bpfMapSizePerCpuConntrack: 1000, bpfIPFragTimeout: 10ms, bpfAttachType: TC, \
         bpfEnforceRPF: strict, disableConntrackInvalidCheck: true, bpfConntrackTimeouts: {udpTimeout: 90s, tcpEstablished: Auto}, \
         logActionRateLimit: 30/minute, logActionRateLimitBurst: 9, logSeverityScreen: WARNING, healthEnabled: true, healthPort: 1, \
         prometheusMetricsEnabled: true, prometheusMetricsHost: '::1'",
    ));
    assert_eq!(felix_.interface_prefixes, ["cali", "tap"]);
    assert_eq!(
        (
            felix_.interface_exclude.len(),
            felix_.wildcard_patterns.len()
        ),
        (2, 2)
    );
    assert_eq!(felix_.interface_refresh, None);
    assert_eq!(felix_.endpoint_to_host, EndpointToHostAction::Return);
    assert_eq!(felix_.conntrack_size, Some(4000));
    assert_eq!(felix_.fragment_timeout, Some(Duration::from_secs(1)));
    assert_eq!(
        (
            felix_.attach_type,
            felix_.reverse_path,
            felix_.allow_invalid
        ),
        (AttachType::Tc, ReversePath::Strict, true)
    );
    assert_eq!(
        felix_.timeouts.udp,
        TimeoutSetting::Fixed(Duration::from_secs(90))
    );
    assert_eq!(
        (
            felix_.timeouts.tcp_established,
            felix_.timeouts.tcp_fins_seen
        ),
        (TimeoutSetting::Kernel, TimeoutSetting::Kernel)
    );
    assert_eq!(
        (
            felix_.log_rate.map(|rate| (rate.records, rate.period_s)),
            felix_.log_burst,
            felix_.log_severity.as_str()
        ),
        (Some((30, 60)), 9, "warning")
    );
    assert_eq!(felix_.health, Some(("localhost".to_owned(), 1)));
    assert_eq!(felix_.metrics, Some(("::1".to_owned(), 9091)));
}

/// RS-141, RS-142, RS-193, RS-203, RS-301, RS-307.
#[test]
fn values_out_of_range_are_errors() {
    for (field, value, code) in [
        ("interfacePrefix", "'a b'", "E-SYNTAX"),
        ("interfaceExclude", "eth0.1", "E-NAME"),
        ("bpfDataIfacePattern", "'('", "E-SYNTAX"),
        ("interfaceRefreshInterval", "90", "E-SYNTAX"),
        ("interfaceRefreshInterval", "-1s", "E-RANGE"),
        ("defaultEndpointToHostAction", "Deny", "E-ENUM"),
        ("ipv6Support", "maybe", "E-SYNTAX"),
        ("bpfMapSizeConntrack", "0", "E-RANGE"),
        ("bpfMapSizeIPSets", "-1", "E-RANGE"),
        ("bpfEnforceRPF", "Tight", "E-ENUM"),
        ("logPrefix", "'a\"b'", "E-SYNTAX"),
        ("logActionRateLimit", "10/week", "E-SYNTAX"),
        ("logActionRateLimitBurst", "10000", "E-RANGE"),
        ("prometheusMetricsHost", "'a b'", "E-SYNTAX"),
        ("prometheusMetricsPort", "65536", "E-RANGE"),
        ("bpfExtToServiceConnmark", "4294967296", "E-RANGE"),
        ("wireguardEnabled", "1", "E-SYNTAX"),
        ("routeRefreshInterval", "x", "E-SYNTAX"),
        ("chainInsertMode", "prepend", "E-ENUM"),
        ("bpfMapSizeRoute", "0", "E-RANGE"),
        ("bpfNotAField", "1", "E-SYNTAX"),
        // Empty where no text is wanted.
        ("ipv6Support", "''", "E-SYNTAX"),
        ("bpfMapSizeConntrack", "''", "E-SYNTAX"),
        ("interfaceRefreshInterval", "''", "E-SYNTAX"),
        ("failsafeInboundHostPorts", "''", "E-SYNTAX"),
        ("wireguardEnabled", "''", "E-SYNTAX"),
        ("vxlanPort", "''", "E-SYNTAX"),
        ("routeRefreshInterval", "''", "E-SYNTAX"),
        ("externalNodesList", "''", "E-SYNTAX"),
        // Case counts where Calico's schema has no other.
        ("bpfAttachType", "tcx", "E-ENUM"),
        ("nftablesMode", "auto", "E-ENUM"),
        ("floatingIPs", "enabled", "E-ENUM"),
        // A truth value to Calico.
        ("bpfLogLevel", "Off", "E-SYNTAX"),
    ] {
        refuse(
            &felix(&format!("{field}: {value}")),
            code,
            &format!("spec.{field}"),
        );
    }
    refuse(
        &felix("bpfConntrackTimeouts: {udpTimeout: soon}"),
        "E-SYNTAX",
        "spec.bpfConntrackTimeouts.udpTimeout",
    );
    refuse(
        &felix("bpfConntrackTimeouts: {udp: 1s}"),
        "E-SYNTAX",
        "spec.bpfConntrackTimeouts.udp",
    );
    for duration in ["10ns", "1µs", "+5s", "'0'", "''", "1d", "5"] {
        refuse(
            &felix(&format!("bpfConntrackTimeouts: {{udpTimeout: {duration}}}")),
            "E-SYNTAX",
            "spec.bpfConntrackTimeouts.udpTimeout",
        );
    }
    let zero = felix("bpfConntrackTimeouts: {udpTimeout: 0s}");
    warn(&zero, "W-TIMER", "spec.bpfConntrackTimeouts.udpTimeout");
    for accepted in [
        "routeSource: workloadips, chainInsertMode: APPEND, logSeverityFile: debug",
        "iptablesFilterDenyAction: '', wireguardInterfaceName: '', logDebugFilenameRegex: ''",
        "interfaceRefreshInterval: '0', iptablesRefreshInterval: +5s, xdpRefreshInterval: 10ns",
        "bpfLogLevel: 'Off', bpfMapSizeConntrack: 5_000",
    ] {
        accept(&felix(accepted));
    }
    warn(
        &felix("bpfConntrackTimeouts: {udpTimeout: Auto}"),
        "W-IGNORED",
        "spec.bpfConntrackTimeouts.udpTimeout",
    );
    refuse(&felix("prometheusMetricsCAFile: /a"), "E-REQUIRED", "spec");
    let tls = "prometheusMetricsEnabled: true, prometheusMetricsCAFile: /a, \
               prometheusMetricsCertFile: /b, prometheusMetricsKeyFile: /c";
    warn(&felix(tls), "W-IGNORED", "spec.prometheusMetricsCertFile");
    assert_eq!(merged(&felix(tls)).metrics, None, "not in the clear");
}

/// RS-157, RS-159, RS-161, RS-184, RS-142, RS-158, RS-165, RS-169, RS-182, RS-212, RS-311.
#[test]
fn fields_without_effect_are_accepted_and_told() {
    for (field, value) in [
        ("ipv6Support", "false"),
        ("bpfEnabled", "false"),
        ("bpfLogFilters", "{all: tcp}"),
        ("iptablesFilterDenyAction", "Reject"),
    ] {
        let loaded = warnings(&felix(&format!("{field}: {value}")));
        assert!(
            matches!(loaded.as_slice(), [one] if one.severity == Severity::Warning),
            "{field}: {loaded:?}"
        );
    }
    let infos = warnings(&felix(
        "ipForwarding: Disabled, bpfExtToServiceConnmark: 1, bpfMapSizeConntrackCleanupQueue: 1, xdpEnabled: false, vxlanPort: 4789, \
         externalNodesList: [10.0.0.0/8], flowLogsFlushInterval: 15s, bpfRedirectToPeer: Enabled, natPortRange: '1:2', logSeveritySys: ''",
    ));
    assert!(
        matches!(infos.as_slice(), [one] if one.severity == Severity::Notice && one.message.contains("vxlanPort")),
        "{infos:?}"
    );
    assert!(!merged(&felix("ipv6Support: false")).ipv6_support);
}
