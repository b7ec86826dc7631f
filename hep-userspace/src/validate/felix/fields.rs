//! The fields that the daemon uses, and what each sets.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::{
    super::Code,
    super::cursor::Value,
    super::object::Object,
    draft::{DEFAULT_TIMEOUTS, Draft, Setting},
    durations::{self, duration, timeout},
    shape::{self, Shape},
    values::{constant, excluded, failsafes, host, matching, rate, regex},
};
use crate::model::{
    AttachType, EndpointToHostAction, LogLevel, ReversePath, TimeoutSetting, Timeouts,
};

/// Decodes a field into what it sets; `None` if it sets nothing or has a problem.
type Decode = fn(&Value<'_>) -> Option<Setting>;

/// Fields by name.
pub(super) const USED: [(&str, Decode); 34] = [
    ("bpfAttachType", |value| {
        let kinds = [
            ("TCX", AttachType::Tcx),
            ("TC", AttachType::Tc),
            ("Netkit", AttachType::Tcx),
        ];
        let kind = value.choice(&kinds)?;
        set(move |draft| draft.merged.attach_type = kind)
    }),
    ("bpfConntrackTimeouts", timeouts),
    ("bpfDataIfacePattern", |value| pattern(value, 0)),
    ("bpfEnabled", |value| {
        if !value.boolean()? {
            value.warn(
                Code::Ignored,
                "policy is enforced by eBPF programs in any case",
                "remove it",
            );
        }
        None
    }),
    ("bpfEnforceRPF", |value| {
        let modes = [
            ("Disabled", ReversePath::Disabled),
            ("Strict", ReversePath::Strict),
            ("Loose", ReversePath::Loose),
        ];
        let mode = value.choice_any_case(&modes)?;
        set(move |draft| draft.merged.reverse_path = mode)
    }),
    ("bpfIPFragTimeout", |value| {
        let timeout = duration(value)?.max(std::time::Duration::from_secs(1));
        set(move |draft| draft.merged.fragment_timeout = Some(timeout))
    }),
    ("bpfL3IfacePattern", |value| pattern(value, 1)),
    ("bpfLogFilters", |value| {
        for (_, filter) in value.entries()? {
            filter.text();
        }
        value.warn(
            Code::Ignored,
            "log filters have no effect here",
            "remove them",
        );
        None
    }),
    ("bpfLogLevel", |value| {
        let levels = [
            ("Off", LogLevel::Off),
            ("Info", LogLevel::Info),
            ("Debug", LogLevel::Debug),
        ];
        let level = value.choice_any_case(&levels)?;
        set(move |draft| draft.merged.bpf_log_level = level)
    }),
    ("bpfMapSizeConntrack", |value| {
        let size = map_size(value)?;
        set(move |draft| draft.merged.conntrack_size = Some(size))
    }),
    ("bpfMapSizeIPSets", |value| {
        let size = map_size(value)?;
        set(move |draft| draft.merged.max_set_members = size)
    }),
    ("bpfMapSizeIfState", |value| {
        let size = map_size(value)?;
        set(move |draft| draft.merged.max_interfaces = size)
    }),
    ("bpfMapSizePerCpuConntrack", |value| {
        let size = u32::try_from(value.integer(0..=MAX_MAP_SIZE)?).ok()?;
        set(move |draft| draft.per_cpu_conntrack = size)
    }),
    ("defaultEndpointToHostAction", |value| {
        let actions = [
            ("Drop", EndpointToHostAction::Drop),
            ("Accept", EndpointToHostAction::Accept),
            ("Return", EndpointToHostAction::Return),
        ];
        let action = value.choice_any_case(&actions)?;
        set(move |draft| draft.merged.endpoint_to_host = action)
    }),
    ("disableConntrackInvalidCheck", |value| {
        let allow = value.boolean()?;
        set(move |draft| draft.merged.allow_invalid = allow)
    }),
    ("failsafeInboundHostPorts", |value| {
        let ports = failsafes(value, INBOUND)?;
        set(move |draft| draft.merged.failsafe_inbound = ports)
    }),
    ("failsafeOutboundHostPorts", |value| {
        let ports = failsafes(value, OUTBOUND)?;
        set(move |draft| draft.merged.failsafe_outbound = ports)
    }),
    ("healthEnabled", |value| {
        let enabled = value.boolean()?;
        set(move |draft| draft.health_enabled = enabled)
    }),
    ("healthHost", |value| {
        let host = host(value)?.to_owned();
        set(move |draft| draft.health_host = host)
    }),
    ("healthPort", |value| {
        let port = port(value)?;
        set(move |draft| draft.health_port = port)
    }),
    ("interfaceExclude", |value| match excluded(value.text()?) {
        Ok(patterns) => set(move |draft| draft.merged.interface_exclude = patterns),
        Err(item) => value.error(
            Code::Name,
            format!("item {item} is neither a name nor an expression"),
            "write names of at most 15 letters, digits, '_' and '-', and expressions as /regex/",
        ),
    }),
    ("interfacePrefix", |value| {
        static PATTERN: LazyLock<Regex> =
            LazyLock::new(|| constant("^[A-Za-z0-9_-]{1,15}(,[A-Za-z0-9_-]{1,15})*$"));
        let text = matching(value, &PATTERN, "write prefixes such as cali,tap")?;
        let prefixes: Vec<String> = text.split(',').map(str::to_owned).collect();
        set(move |draft| draft.merged.interface_prefixes = prefixes)
    }),
    ("interfaceRefreshInterval", |value| {
        let interval = duration(value)?;
        let interval = (!interval.is_zero()).then_some(interval);
        set(move |draft| draft.merged.interface_refresh = interval)
    }),
    ("iptablesFilterDenyAction", deny_action),
    ("ipv6Support", |value| {
        let support = value.boolean()?;
        if !support {
            value.warn(
                Code::NoIpv6,
                "IPv6 is not policed at all: every IPv6 packet passes",
                "write ipv6Support: true unless the host has no IPv6",
            );
        }
        set(move |draft| draft.merged.ipv6_support = support)
    }),
    ("logActionRateLimit", |value| {
        let rate = rate(value)?;
        set(move |draft| draft.merged.log_rate = Some(rate))
    }),
    ("logActionRateLimitBurst", |value| {
        let burst = u32::try_from(value.integer(0..=9999)?).ok()?;
        set(move |draft| draft.merged.log_burst = burst)
    }),
    ("logPrefix", |value| {
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| constant("^[A-Za-z0-9%: /_-]*$"));
        let prefix = matching(
            value,
            &PATTERN,
            "use letters, digits, '%', ':', '/', '_', '-' and blanks",
        )?;
        let prefix = prefix.to_owned();
        set(move |draft| draft.merged.log_prefix = prefix)
    }),
    ("logSeverityScreen", |value| {
        let levels =
            ["Trace", "Debug", "Info", "Warning", "Error", "Fatal"].map(|level| (level, level));
        let level = value.choice_any_case(&levels)?.to_ascii_lowercase();
        set(move |draft| draft.merged.log_severity = level)
    }),
    ("nftablesFilterDenyAction", deny_action),
    ("prometheusMetricsCertFile", |value| {
        shape::check(value, &Shape::Text);
        value.warn(
            Code::Ignored,
            "hep does not serve TLS; with this it serves no metrics, rather than unencrypted ones",
            "have a proxy serve TLS, remove the three files, and write prometheusMetricsHost: localhost",
        );
        set(|draft| draft.metrics_in_clear = false)
    }),
    ("prometheusMetricsEnabled", |value| {
        let enabled = value.boolean()?;
        set(move |draft| draft.metrics_enabled = enabled)
    }),
    ("prometheusMetricsHost", |value| {
        let host = host(value)?.to_owned();
        set(move |draft| draft.metrics_host = host)
    }),
    ("prometheusMetricsPort", |value| {
        let port = port(value)?;
        set(move |draft| draft.metrics_port = port)
    }),
];

/// Meaning of an empty list of inbound failsafe ports.
const INBOUND: &str =
    "no inbound failsafe port at all: a policy without a rule for SSH locks you out";
/// Meaning of an empty list of outbound failsafe ports.
const OUTBOUND: &str = "no outbound failsafe port at all: a policy without rules for DNS and DHCP \
                        stops this host from resolving names and from keeping its address";

/// Fields in use whose values are text.
pub(super) const TEXTS: [&str; 16] = [
    "bpfAttachType",
    "bpfDataIfacePattern",
    "bpfEnforceRPF",
    "bpfL3IfacePattern",
    "bpfLogLevel",
    "defaultEndpointToHostAction",
    "healthHost",
    "interfaceExclude",
    "interfacePrefix",
    "iptablesFilterDenyAction",
    "logActionRateLimit",
    "logPrefix",
    "logSeverityScreen",
    "nftablesFilterDenyAction",
    "prometheusMetricsCertFile",
    "prometheusMetricsHost",
];

/// Largest size of a kernel map that makes sense.
const MAX_MAP_SIZE: i64 = 1 << 28;

fn set(setting: impl FnOnce(&mut Draft) + Clone + Send + Sync + 'static) -> Option<Setting> {
    Some(Arc::new(move |draft| setting.clone()(draft)))
}

fn map_size(value: &Value<'_>) -> Option<u32> {
    u32::try_from(value.integer(1..=MAX_MAP_SIZE)?).ok()
}

fn port(value: &Value<'_>) -> Option<u16> {
    u16::try_from(value.integer(0..=i64::from(u16::MAX))?).ok()
}

fn pattern(value: &Value<'_>, slot: usize) -> Option<Setting> {
    let pattern = regex(value)?;
    set(move |draft| draft.patterns[slot] = Some(pattern))
}

/// RS-184.
fn deny_action(value: &Value<'_>) -> Option<Setting> {
    if value.choice_any_case(&[("Drop", false), ("Reject", true)])? {
        value.warn(
            Code::Ignored,
            "denied packets are dropped without an answer",
            "write Drop",
        );
    }
    None
}

/// RS-185 to RS-194: keys that are left out keep their defaults.
fn timeouts(value: &Value<'_>) -> Option<Setting> {
    type Timer = (&'static str, bool, fn(&mut Timeouts) -> &mut TimeoutSetting);
    const TIMERS: [Timer; 7] = [
        ("tcpSynSent", true, |timeouts| &mut timeouts.tcp_syn_sent),
        ("tcpEstablished", true, |timeouts| {
            &mut timeouts.tcp_established
        }),
        ("tcpFinsSeen", true, |timeouts| &mut timeouts.tcp_fins_seen),
        ("tcpResetSeen", false, |timeouts| {
            &mut timeouts.tcp_reset_seen
        }),
        ("udpTimeout", false, |timeouts| &mut timeouts.udp),
        ("genericTimeout", true, |timeouts| &mut timeouts.generic),
        ("icmpTimeout", true, |timeouts| &mut timeouts.icmp),
    ];
    let object = value.object()?;
    let mut given = Vec::new();
    for (key, has_kernel, field) in TIMERS {
        let default = *field(&mut DEFAULT_TIMEOUTS.clone());
        if let Some(timer) = object.optional(key)
            && let Some(setting) = timeout(&timer, has_kernel, default)
        {
            given.push((field, setting));
        }
    }
    if let Some(grace) = object.optional("creationGracePeriod")
        && grace.scalar().is_none_or(|scalar| scalar.text != "Auto")
    {
        durations::timer(&grace);
    }
    object.finish();
    set(move |draft| {
        for (field, setting) in given {
            *field(&mut draft.merged.timeouts) = setting;
        }
    })
}

/// RS-203: the files of a TLS server are set together; the two ways to name routing tables are not.
pub(super) fn check_together(spec: &Object<'_>) {
    const FILES: [&str; 3] = [
        "prometheusMetricsCAFile",
        "prometheusMetricsCertFile",
        "prometheusMetricsKeyFile",
    ];
    let (given, missing): (Vec<&str>, Vec<&str>) =
        FILES.into_iter().partition(|file| spec.has(file));
    if !given.is_empty() && !missing.is_empty() {
        spec.value.error::<()>(
            Code::Required,
            format!("{} without {}", given.join(" and "), missing.join(" and ")),
            "write all three files, or none",
        );
    }
    if spec.has("routeTableRange") && spec.has("routeTableRanges") {
        spec.value.error::<()>(
            Code::Range,
            "routeTableRange and routeTableRanges together",
            "write one of them",
        );
    }
}
