//! Failsafe ports, which no policy closes.

use schemars::JsonSchema;
use serde::Serialize;

use crate::compile::Description;

/// A failsafe port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FailsafePort {
    /// `inbound`: of this host; `outbound`: of other hosts.
    pub direction: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Port.
    pub port: u16,
    /// Network of the other end; empty: any.
    pub net: String,
}

impl FailsafePort {
    /// All failsafe ports of a generation.
    #[must_use]
    pub fn all(description: &Description) -> Vec<Self> {
        let both = [
            ("inbound", &description.failsafe_inbound),
            ("outbound", &description.failsafe_outbound),
        ];
        let ports = both.into_iter().flat_map(|(direction, ports)| {
            ports.iter().map(move |failsafe| Self {
                direction: direction.to_owned(),
                protocol: failsafe.protocol.clone(),
                port: failsafe.port,
                net: failsafe.net.clone(),
            })
        });
        ports.collect()
    }
}
