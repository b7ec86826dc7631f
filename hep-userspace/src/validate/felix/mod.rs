//! FelixConfiguration (RS-138 to RS-212): every field of Calico is checked; those that the daemon uses are
//! merged, field by field, into one configuration.

mod fields;
mod ignored;
mod values;

use std::{sync::Arc, time::Duration};

use regex::Regex;

use super::{Node, cursor::Value, object::Object, resources::Header};
use crate::model::{
    AttachType, EndpointToHostAction, FailsafePort, FelixConfiguration, LogLevel, Protocol,
    ReversePath, TimeoutSetting, Timeouts,
};
use hep_common::protocol::{TCP, UDP};

/// The change that one field of an object makes to the configuration.
type Setting = Arc<dyn Fn(&mut Draft) + Send + Sync>;

/// The settings of one object.
#[derive(Clone)]
pub(super) struct Settings {
    name: String,
    settings: Vec<Setting>,
}

/// A configuration that is still being merged.
struct Draft {
    merged: FelixConfiguration,
    per_cpu_conntrack: u32,
    metrics_enabled: bool,
    /// No TLS is configured; it is not supported.
    metrics_in_clear: bool,
    metrics_host: String,
    metrics_port: u16,
    health_enabled: bool,
    health_host: String,
    health_port: u16,
    /// `bpfDataIfacePattern` and `bpfL3IfacePattern`.
    patterns: [Option<Regex>; 2],
}

/// Decodes an object's `spec`.
pub(super) fn decode(header: &Header<'_>, spec: Object<'_>) -> Option<Settings> {
    let name = header.metadata.name.to_string();
    if let Some(selector) = spec.optional("nodeSelector") {
        selector.error::<()>(
            "E-UNSUPPORTED",
            "the daemon has no node labels to select by",
            "name the object default or node.<name of the host> instead",
        );
    } else if name != "default" && !name.starts_with("node.") {
        header.value.warn(
            "W-IGNORED",
            format!("configuration {name} applies to no node"),
            "name it default, or node.<name of the host>",
        );
    }
    let mut settings = Vec::new();
    let mut unused = Vec::new();
    // Calico takes an empty text for a field that is not there, where it wants text (RS-307).
    let present = |name, is_text| {
        let is_empty =
            |value: &Value<'_>| value.scalar().is_some_and(|scalar| scalar.text.is_empty());
        spec.optional(name)
            .filter(|value| !(is_text && is_empty(value)))
    };
    for (field, decode) in fields::USED {
        let is_text = fields::TEXTS.contains(&field);
        settings.extend(present(field, is_text).and_then(|value| decode(&value)));
    }
    for (field, shape) in &ignored::IGNORED {
        if let Some(value) = present(field, shape.is_text()) {
            values::check(&value, shape);
            unused.push(*field);
        }
    }
    fields::check_together(&spec);
    spec.finish();
    if !unused.is_empty() {
        header.value.notice(
            "N-UNUSED",
            format!("has no effect here: {}", unused.join(", ")),
            "",
        );
    }
    Some(Settings { name, settings })
}

/// Merges what applies to this node (RS-138, RS-140).
pub(super) fn merge(objects: Vec<Settings>, node: &Node) -> FelixConfiguration {
    let own = format!("node.{}", node.name);
    let mut draft = Draft::default();
    let (mut base, mut overrides) = (Vec::new(), Vec::new());
    for object in objects {
        if object.name == "default" {
            base = object.settings;
        } else if object.name == own {
            overrides = object.settings;
        }
    }
    for setting in base.into_iter().chain(overrides) {
        setting(&mut draft);
    }
    draft.finish(node.cpus)
}

impl Draft {
    fn finish(mut self, cpus: u32) -> FelixConfiguration {
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
const DEFAULT_TIMEOUTS: Timeouts = Timeouts {
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
