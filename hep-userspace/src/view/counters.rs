//! Packets per interface, direction and reason.

use hep_common::counter::{Note, Reason};
use schemars::JsonSchema;
use serde::Serialize;

use super::Found;
use crate::datapath::KernelError;

/// Packets that met one reason at one side of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// Interface.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// Name of the reason.
    pub reason: String,
    /// `allow` or `deny`; `note` for counters beside the verdict.
    pub verdict: String,
    /// Number of packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Count {
    /// The counters of all interfaces that are not zero.
    ///
    /// # Errors
    ///
    /// [`KernelError`] if the counters cannot be read.
    pub fn all(found: &Found) -> Result<Vec<Self>, KernelError> {
        let mut all = Vec::new();
        for interface in &found.description.interfaces {
            for (offset, direction) in [(0, "ingress"), (1, "egress")] {
                let counters = found.maps.counters(interface.counters + offset)?;
                let counted = names().zip(&counters.by_reason);
                let counted = counted.filter(|(_, counter)| counter.packets > 0);
                all.extend(counted.map(|((reason, verdict), counter)| Self {
                    interface: interface.name.clone(),
                    direction: direction.to_owned(),
                    reason: reason.to_owned(),
                    verdict: verdict.to_owned(),
                    packets: counter.packets,
                    bytes: counter.bytes,
                }));
            }
        }
        Ok(all)
    }
}

/// Names of the counters in their order, and their verdicts.
fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let reasons = Reason::ALL.iter().map(|reason| {
        let verdict = if reason.allows() { "allow" } else { "deny" };
        (reason.name(), verdict)
    });
    reasons.chain(Note::ALL.iter().map(|note| (note.name(), "note")))
}
