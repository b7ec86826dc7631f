//! FelixConfiguration: what the daemon uses of it, merged and with its defaults filled in.

use std::time::Duration;

use ipnetwork::IpNetwork;
use regex::Regex;

use super::Protocol;

/// An entry of a failsafe list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailsafePort {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Destination port, 1–65535.
    pub port: u16,
    /// The other end's addresses, masked; `None`: every address of both families.
    pub net: Option<IpNetwork>,
}

/// `defaultEndpointToHostAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointToHostAction {
    /// Drop.
    Drop,
    /// Accept.
    Accept,
    /// Leave it to what follows; accepts.
    Return,
}

/// `bpfEnforceRPF`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// No check.
    Disabled,
    /// The best route back uses the interface the packet came in by.
    Strict,
    /// There is a route back.
    Loose,
}

/// `bpfAttachType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachType {
    /// TCX links, clsact filters where the kernel has none.
    Tcx,
    /// clsact filters.
    Tc,
}

/// `bpfLogLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Verdicts on new flows.
    Info,
    /// Every packet.
    Debug,
}

/// `logActionRateLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRate {
    /// Records per period, 1–9999.
    pub records: u32,
    /// A second, minute, hour or day, in seconds.
    pub period_s: u32,
}

/// One of `bpfConntrackTimeouts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutSetting {
    /// This long.
    Fixed(Duration),
    /// As the kernel's own connection tracking has it (`Auto`).
    Kernel,
}

/// `bpfConntrackTimeouts` (RS-185 to RS-192).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP, handshake not complete.
    pub tcp_syn_sent: TimeoutSetting,
    /// TCP, established.
    pub tcp_established: TimeoutSetting,
    /// TCP, FIN seen both ways.
    pub tcp_fins_seen: TimeoutSetting,
    /// TCP, RST seen.
    pub tcp_reset_seen: TimeoutSetting,
    /// UDP.
    pub udp: TimeoutSetting,
    /// Other protocols.
    pub generic: TimeoutSetting,
    /// ICMP and ICMPv6.
    pub icmp: TimeoutSetting,
}

/// The effective configuration of this node (RS-138, RS-140).
#[derive(Clone, Debug)]
pub struct FelixConfiguration {
    /// `failsafeInboundHostPorts`.
    pub failsafe_inbound: Vec<FailsafePort>,
    /// `failsafeOutboundHostPorts`.
    pub failsafe_outbound: Vec<FailsafePort>,
    /// `interfacePrefix`: names of workload interfaces start with one of these.
    pub interface_prefixes: Vec<String>,
    /// `interfaceExclude`, each anchored if it was a name.
    pub interface_exclude: Vec<Regex>,
    /// `bpfDataIfacePattern` and `bpfL3IfacePattern`: interfaces that `*` covers, if any is set.
    pub wildcard_patterns: Vec<Regex>,
    /// `interfaceRefreshInterval`; `None`: never.
    pub interface_refresh: Option<Duration>,
    /// `defaultEndpointToHostAction`.
    pub endpoint_to_host: EndpointToHostAction,
    /// `ipv6Support`.
    pub ipv6_support: bool,
    /// `bpfLogLevel`.
    pub bpf_log_level: LogLevel,
    /// Flows per family: `bpfMapSizeConntrack`, or `bpfMapSizePerCpuConntrack` by CPUs; `None`: as many
    /// as the host's memory affords.
    pub conntrack_size: Option<u32>,
    /// `bpfMapSizeIPSets`: most members of all address sets together.
    pub max_set_members: u32,
    /// `bpfMapSizeIfState`: most policed interfaces.
    pub max_interfaces: u32,
    /// `bpfEnforceRPF`; disabled by default.
    pub reverse_path: ReversePath,
    /// `bpfAttachType`.
    pub attach_type: AttachType,
    /// `bpfIPFragTimeout`; `None`: as `net.ipv4.ipfrag_time`.
    pub fragment_timeout: Option<Duration>,
    /// `disableConntrackInvalidCheck`.
    pub allow_invalid: bool,
    /// `bpfConntrackTimeouts`.
    pub timeouts: Timeouts,
    /// `logPrefix`.
    pub log_prefix: String,
    /// `logActionRateLimit`, if set.
    pub log_rate: Option<LogRate>,
    /// `logActionRateLimitBurst`.
    pub log_burst: u32,
    /// `logSeverityScreen`, lower case.
    pub log_severity: String,
    /// Where to serve metrics, if `prometheusMetricsEnabled`: host (empty: all) and port.
    pub metrics: Option<(String, u16)>,
    /// Where to serve health checks, if `healthEnabled`: host and port.
    pub health: Option<(String, u16)>,
}
