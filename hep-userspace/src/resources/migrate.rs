//! Content that moves from store to store, and policies that get their own names (spec DS-079, DS-216 to
//! DS-218).

use std::path::Path;

use serde_json::{Value, json};

use super::{Input, InputError, Resources, access::id_of, cluster::cluster_id, input::read_text};
use crate::{
    model::Kind,
    store::objects::{ClientError, Object},
};

/// Content of an export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Export {
    /// The resources, in the order of the text.
    pub resources: Vec<(Kind, Value)>,
    /// The cluster's GUID.
    pub guid: Option<String>,
}

/// Outcome of a migration of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Migrated {
    /// So many policies have other names now.
    Done(usize),
    /// Clients of this version need the old names.
    TooOld(String),
}

/// The first minor version of Calico 3 that addresses policies of the default tier by their own names.
const OWN_NAMES: u32 = 32;

/// Reads an export: documents, then ClusterInformation and IPAM as JSON, with lines `===` between them.
///
/// # Errors
///
/// The first obstacle.
pub fn read_export(path: &Path) -> Result<Export, InputError> {
    let input = Input {
        path,
        is_recursive: false,
    };
    let text = read_text(&input)?;
    let text = String::from_utf8_lossy(&text);
    let mut parts = text.split("\n===\n");
    let documents = parts.next().unwrap_or_default();
    let cluster = parts
        .next()
        .and_then(|part| serde_json::from_str::<Value>(part).ok());
    let guid = cluster.and_then(|it| Some(it.pointer("/spec/clusterGUID")?.as_str()?.to_owned()));
    Ok(Export {
        resources: super::input::resources(path, documents.as_bytes())?,
        guid,
    })
}

impl Resources<'_> {
    /// Gives the cluster the GUID of an export, and locks it.
    ///
    /// # Errors
    ///
    /// As of the store.
    pub async fn adopt_cluster(&self, guid: Option<&str>) -> Result<(), ClientError> {
        self.set_ready(false).await?;
        let Some(guid) = guid else { return Ok(()) };
        let mut value = self.client.get(&cluster_id(), None).await?.value;
        value["spec"]["clusterGUID"] = json!(guid);
        self.client.update(&value).await.map(drop)
    }

    /// Stores the policies of the default tier under the names that are shown, and deletes the old ones (spec
    /// DS-079).
    ///
    /// # Errors
    ///
    /// As of the store; earlier policies are migrated then.
    pub async fn migrate_policy_names(&self) -> Result<Migrated, ClientError> {
        if let Some(cluster) = self.cluster().await?
            && cluster.minor().is_some_and(|minor| minor < OWN_NAMES)
        {
            return Ok(Migrated::TooOld(cluster.version));
        }
        let mut count = 0;
        for kind in [
            Kind::GlobalNetworkPolicy,
            Kind::StagedGlobalNetworkPolicy,
            Kind::NetworkPolicy,
            Kind::StagedNetworkPolicy,
        ] {
            for policy in self.list(kind, None).await?.objects {
                if policy.shown_name() != &*policy.id.name && is_default(&policy) {
                    self.rename(kind, &policy).await?;
                    count += 1;
                }
            }
        }
        Ok(Migrated::Done(count))
    }

    async fn rename(&self, kind: Kind, policy: &Object) -> Result<(), ClientError> {
        let mut value = policy.value.clone();
        value["metadata"]["resourceVersion"] = Value::Null;
        debug_assert_ne!(id_of(kind, &value), policy.id, "its name is the same");
        match self.create(kind, &value).await {
            Ok(_) | Err(ClientError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let deleted = self
            .client
            .delete(&policy.id, Some(&policy.revision), None)
            .await;
        match deleted {
            Ok(_) | Err(ClientError::DoesNotExist { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a policy is in the default tier.
fn is_default(policy: &Object) -> bool {
    let tier = policy.value.pointer("/spec/tier").and_then(Value::as_str);
    tier.is_none_or(|tier| tier.is_empty() || tier == "default")
}
