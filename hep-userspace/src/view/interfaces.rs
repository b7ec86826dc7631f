//! Policed interfaces, and how the programs are attached.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{compile::Description, datapath::attach};

/// A policed interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Interface index.
    pub ifindex: u32,
    /// HostEndpoint that owns it.
    pub endpoint: String,
    /// Whether it is a workload's.
    pub workload: bool,
    /// Attachments of the programs.
    pub hooks: Hooks,
}

/// Attachments of the programs to an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Program for packets that come in: `tcx`, `clsact` or `missing`.
    pub ingress: String,
    /// Program for packets that go out: `tcx`, `clsact` or `missing`.
    pub egress: String,
    /// Unix time at which a program was last found missing, milliseconds; null: never.
    pub last_missing_unix_ms: Option<u64>,
}

impl From<attach::Hooks> for Hooks {
    fn from(hooks: attach::Hooks) -> Self {
        Self {
            ingress: hooks.ingress.name().to_owned(),
            egress: hooks.egress.name().to_owned(),
            last_missing_unix_ms: hooks.last_missing_unix_ms,
        }
    }
}

impl Interface {
    /// All interfaces of a generation, with their hooks in the same order.
    #[must_use]
    pub fn all(description: &Description, hooks: &[attach::Hooks]) -> Vec<Self> {
        let interfaces = description.interfaces.iter().zip(hooks);
        let view = interfaces.map(|(interface, hooks)| Self {
            name: interface.name.clone(),
            ifindex: interface.ifindex,
            endpoint: interface.endpoint.clone(),
            workload: interface.workload,
            hooks: Hooks::from(*hooks),
        });
        view.collect()
    }
}
