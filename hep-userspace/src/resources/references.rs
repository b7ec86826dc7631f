//! Checks and changes beside the resource that is written: tiers and Nodes (spec DS-056 to DS-058).

use serde_json::Value;

use super::{Resources, defaults::DEFAULT_TIER};
use crate::{
    model::{Kind, ResourceId},
    store::objects::{ClientError, Listing},
};

/// Tiers that are never deleted.
const PROTECTED: [&str; 3] = ["default", "kube-admin", "kube-baseline"];

/// Kinds of policy, which belong to a tier.
const POLICIES: [Kind; 4] = [
    Kind::GlobalNetworkPolicy,
    Kind::StagedGlobalNetworkPolicy,
    Kind::NetworkPolicy,
    Kind::StagedNetworkPolicy,
];

/// The tier of a policy.
fn tier(policy: &Value) -> &str {
    let tier = policy.pointer("/spec/tier").and_then(Value::as_str);
    tier.filter(|tier| !tier.is_empty()).unwrap_or(DEFAULT_TIER)
}

impl Resources<'_> {
    /// Checks that a new policy's tier is there.
    pub(super) async fn tier_exists(&self, kind: Kind, policy: &Value) -> Result<(), ClientError> {
        // A directory is judged as a whole, and has the built-in tiers without a file.
        if self.is_directory() || !POLICIES.contains(&kind) {
            return Ok(());
        }
        let tier = ResourceId::global(Kind::Tier, tier(policy));
        self.get(&tier, None).await.map(drop)
    }

    /// Checks that no policy is in a tier that is to be deleted.
    pub(super) async fn tier_is_unused(&self, name: &str) -> Result<(), ClientError> {
        let refused = |operation: &str, reason: String| ClientError::NotSupported {
            operation: operation.to_owned(),
            on: name.to_owned(),
            reason,
        };
        if PROTECTED.contains(&name) {
            return Err(refused("Delete", format!("Cannot delete {name} tier")));
        }
        for kind in POLICIES {
            let listing = self.list(kind, None).await?;
            if listing.objects.iter().any(|it| tier(&it.value) == name) {
                let reason = "Cannot delete a non-empty tier".to_owned();
                return Err(refused("delete", reason));
            }
        }
        Ok(())
    }

    /// Deletes what belongs to a Node.
    pub(super) async fn delete_with_node(&self, node: &str) -> Result<(), ClientError> {
        let is_of_node =
            |value: &Value| value.pointer("/spec/node").and_then(Value::as_str) == Some(node);
        for kind in [Kind::WorkloadEndpoint, Kind::BGPPeer, Kind::HostEndpoint] {
            let Listing { objects, .. } = self.list(kind, None).await?;
            for object in objects.iter().filter(|it| is_of_node(&it.value)) {
                gone(self.client.delete(&object.id, None, None).await.map(drop))?;
            }
        }
        for kind in [Kind::FelixConfiguration, Kind::BGPConfiguration] {
            let id = ResourceId::global(kind, format!("node.{node}"));
            gone(self.client.delete(&id, None, None).await.map(drop))?;
        }
        Ok(())
    }
}

/// A deletion of what may be gone already.
fn gone(deleted: Result<(), ClientError>) -> Result<(), ClientError> {
    match deleted {
        Err(ClientError::DoesNotExist { .. } | ClientError::NotServed(_)) => Ok(()),
        deleted => deleted,
    }
}
