//! The part of a description that is not divided into chunks.

use serde::Serialize;

use crate::compile::{
    Description, EndpointDescription, FailsafeDescription, InterfaceDescription, SetDescription,
    Slots,
};

/// Everything that is described but lists, rules and slots.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head<'a> {
    generation: u32,
    applied_unix_ms: u64,
    policy: u32,
    inputs: &'a str,
    node: &'a str,
    endpoints: &'a [EndpointDescription],
    interfaces: &'a [InterfaceDescription],
    sets: &'a [SetDescription],
    failsafe_inbound: &'a [FailsafeDescription],
    failsafe_outbound: &'a [FailsafeDescription],
    resources: &'a [(String, usize)],
    classes: [usize; 5],
}

impl<'a> Head<'a> {
    /// That of a description.
    pub(super) fn of(description: &'a Description) -> Self {
        let Description {
            generation,
            applied_unix_ms,
            policy,
            inputs,
            node,
            endpoints,
            interfaces,
            lists: _,
            rules: _,
            sets,
            failsafe_inbound,
            failsafe_outbound,
            resources,
            classes,
            slots: Slots {
                rules: _,
                interfaces: _,
            },
        } = description;
        Self {
            generation: *generation,
            applied_unix_ms: *applied_unix_ms,
            policy: *policy,
            inputs,
            node,
            endpoints,
            interfaces,
            sets,
            failsafe_inbound,
            failsafe_outbound,
            resources,
            classes: *classes,
        }
    }
}
