//! Resources of Calico as the Kubernetes API keeps them, in both directions.

mod crd;
mod custom;
mod fields;
mod node;
mod profile;
mod uid;

pub(super) use custom::{shown, stored, stored_uid};
pub(super) use fields::{Shown, identity, text};
pub(super) use node::{merged as merged_node, shown as shown_node};
pub(super) use profile::{Origin, joined, of_namespace, of_service_account, origin};
