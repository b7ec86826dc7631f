//! `hep monitor`: a document for each packet.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Version, Written};
use crate::daemon::events::Record;

/// A packet that a `Log` rule matched, or that was denied.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Version of this shape.
    pub version: Version<1>,
    /// Unix time at which the daemon received it, milliseconds.
    pub unix_ms: u64,
    /// `allow` or `deny`.
    pub verdict: String,
    /// Name of the reason, as in the counters.
    pub reason: String,
    /// The rule or default that decided; null where the reason is complete without one.
    pub by: Option<Written>,
    /// Prefix of the first `Log` rule that matched.
    pub log_prefix: String,
    /// The first `Log` rules that matched; none: the packet was denied, and denials are reported.
    pub logged: Vec<Written>,
    /// Number of `Log` rules that matched beyond those.
    pub more_logged: u32,
    /// Interface.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// Whether the packet was routed through this host.
    pub forwarded: bool,
    /// Whether it was judged in translated form, on its way to a process of this host.
    pub translated: bool,
    /// Source.
    pub src: Option<IpAddr>,
    /// Destination.
    pub dst: Option<IpAddr>,
    /// Name or number of the protocol.
    pub protocol: String,
    /// Source port, for protocols with ports.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// ICMP or ICMPv6 type.
    pub icmp_type: Option<u8>,
    /// ICMP or ICMPv6 code.
    pub icmp_code: Option<u8>,
    /// Length of the frame, bytes.
    pub bytes: u32,
    /// Generation that judged the packet.
    pub generation: u32,
    /// The event in one line, without the time.
    pub text: String,
}

impl From<&Record> for Event {
    fn from(record: &Record) -> Self {
        Self {
            version: Version,
            unix_ms: record.unix_ms,
            verdict: record.verdict.clone(),
            reason: record.reason.clone(),
            by: record.by.as_ref().map(Written::from),
            log_prefix: record.log_prefix.clone(),
            logged: record.logged.iter().map(Written::from).collect(),
            more_logged: record.more_logged,
            interface: record.interface.clone(),
            direction: record.direction.clone(),
            forwarded: record.forwarded,
            translated: record.translated,
            src: record.src,
            dst: record.dst,
            protocol: record.protocol.clone(),
            src_port: record.src_port,
            dst_port: record.dst_port,
            icmp_type: record.icmp_type,
            icmp_code: record.icmp_code,
            bytes: record.bytes,
            generation: record.generation,
            text: record.to_string(),
        }
    }
}

/// Events that are missing between two documents.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Lost {
    /// Version of this shape.
    pub version: Version<1>,
    /// Number of events that were dropped because the output was not read fast enough.
    pub lost: u64,
}

impl Lost {
    /// A number of events that are missing.
    #[must_use]
    pub const fn new(lost: u64) -> Self {
        Self {
            version: Version,
            lost,
        }
    }
}
