//! ClusterInformation: initialisation, the ready flag and the version (spec DS-019, DS-020, DS-088 to
//! DS-093).

use std::time::Duration;

use serde_json::{Value, json};

use super::{Backing, Resources, checks, time};
use crate::{
    model::{Kind, ResourceId},
    store::objects::{ClientError, Object},
};

/// Tiers that initialisation creates: name, order, default action.
const TIERS: [(&str, u32, &str); 3] = [
    ("default", 1_000_000, "Deny"),
    ("kube-admin", 1_000, "Pass"),
    ("kube-baseline", 10_000_000, "Pass"),
];

/// How often a conflict is tried again, and the pause before.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// The newest minor version of Calico 3 whose data hep reads and writes.
const NEWEST: u32 = 34;

/// A version of Calico in the store that hep does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "version mismatch.\nCluster Version:   {0}\nhep reads and writes the data of Calico 3 up to v3.{NEWEST}\n\
     Use --allow-version-mismatch to override."
)]
pub struct VersionMismatch(pub String);

/// ClusterInformation as far as hep reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Calico's version; empty if it is not known.
    pub version: String,
    /// The kinds of the cluster.
    pub kinds: String,
    /// Whether the store is open for use.
    pub is_ready: bool,
}

impl Cluster {
    fn of(object: &Object) -> Self {
        let text = |field: &str| {
            let value = object.value.pointer(&format!("/spec/{field}"));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Self {
            version: text("calicoVersion"),
            kinds: text("clusterType"),
            is_ready: object.value.pointer("/spec/datastoreReady") == Some(&json!(true)),
        }
    }

    /// Checks that hep knows the version of Calico that the store is of, if it says one.
    ///
    /// # Errors
    ///
    /// [`VersionMismatch`].
    pub fn check_version(&self) -> Result<(), VersionMismatch> {
        if self.version.is_empty() || self.minor().is_some_and(|minor| minor <= NEWEST) {
            return Ok(());
        }
        Err(VersionMismatch(self.version.clone()))
    }

    /// The minor version of Calico 3.
    #[must_use]
    pub fn minor(&self) -> Option<u32> {
        let version = self.version.split('-').next()?;
        let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
        if parts.next() != Some("3") {
            return None;
        }
        parts.next()?.parse().ok()
    }
}

impl Resources<'_> {
    /// Reads ClusterInformation; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As of the store.
    pub async fn cluster(&self) -> Result<Option<Cluster>, ClientError> {
        if self.is_directory() {
            return Ok(None);
        }
        match self.client.get(&cluster_id(), None).await {
            Ok(object) => Ok(Some(Cluster::of(&object))),
            Err(ClientError::DoesNotExist { .. } | ClientError::NotServed(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the objects that every store has; what is there stays. Its errors are ignored, as calicoctl does
    /// (spec DS-200); what needs the objects fails by itself.
    pub async fn initialise(&self) {
        if self.is_directory() {
            return;
        }
        drop(self.ensure_cluster(None).await);
        for (name, order, action) in TIERS {
            let tier = json!({
                "kind": "Tier", "apiVersion": "projectcalico.org/v3",
                "metadata": {
                    "name": name, "uid": uuid::Uuid::new_v4().to_string(), "creationTimestamp": time::now(),
                },
                "spec": {"order": order, "defaultAction": action}, "status": {},
            });
            let id = ResourceId::global(Kind::Tier, name);
            if let Err(ClientError::DoesNotExist { .. }) = self.client.get(&id, None).await {
                drop(self.client.create(&tier).await);
            }
        }
    }

    /// Sets the ready flag.
    ///
    /// # Errors
    ///
    /// As of the store.
    pub async fn set_ready(&self, is_ready: bool) -> Result<(), ClientError> {
        if self.is_directory() {
            return Err(ClientError::NotSupported {
                operation: "lock".to_owned(),
                on: "a directory".to_owned(),
                reason: "the host that follows it reads it whenever it changes".to_owned(),
            });
        }
        self.ensure_cluster(Some(is_ready)).await
    }

    /// Makes ClusterInformation complete; sets the ready flag if one is given.
    async fn ensure_cluster(&self, ready: Option<bool>) -> Result<(), ClientError> {
        for attempt in 1.. {
            let written = match self.client.get(&cluster_id(), None).await {
                Err(ClientError::DoesNotExist { .. }) => {
                    let mut cluster = new_cluster(ready);
                    self.add_type(&mut cluster["spec"]);
                    self.client.create(&cluster).await.map(drop)
                }
                Err(error) => Err(error),
                Ok(object) => self.complete_cluster(object, ready).await,
            };
            match written {
                Err(ClientError::Conflict(_) | ClientError::AlreadyExists { .. })
                    if attempt < ATTEMPTS =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                written => return written,
            }
        }
        Ok(())
    }

    /// Adds the word for the kind of store to the types of the cluster (spec DS-090).
    fn add_type(&self, spec: &mut Value) {
        if self.backing != Backing::Kubernetes {
            return;
        }
        let types = spec.get("clusterType").and_then(Value::as_str);
        let types = types.filter(|types| !types.is_empty());
        let is_there = types.is_some_and(|types| types.split(',').any(|it| it == KUBERNETES));
        if !is_there {
            spec["clusterType"] = match types {
                Some(types) => json!(format!("{types},{KUBERNETES}")),
                None => json!(KUBERNETES),
            };
        }
    }

    async fn complete_cluster(
        &self,
        object: Object,
        ready: Option<bool>,
    ) -> Result<(), ClientError> {
        let mut value = object.value.clone();
        if checks::metadata(&value, "uid").is_none() && ready.is_none() {
            return Ok(());
        }
        let spec = &mut value["spec"];
        if spec
            .get("clusterGUID")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            spec["clusterGUID"] = json!(uuid::Uuid::new_v4().simple().to_string());
        }
        self.add_type(spec);
        match (ready, spec.get("datastoreReady")) {
            (Some(ready), _) => spec["datastoreReady"] = json!(ready),
            (None, None | Some(Value::Null)) => spec["datastoreReady"] = json!(true),
            (None, Some(_)) => {}
        }
        if value == object.value {
            return Ok(());
        }
        self.client.update(&value).await.map(drop)
    }
}

/// The word in `clusterType` for a store that is the Kubernetes API.
const KUBERNETES: &str = "kdd";

pub(super) fn cluster_id() -> ResourceId {
    ResourceId::global(Kind::ClusterInformation, "default")
}

/// A new ClusterInformation, without a version (spec DS-020).
fn new_cluster(ready: Option<bool>) -> Value {
    json!({
        "kind": "ClusterInformation", "apiVersion": "projectcalico.org/v3",
        "metadata": {
            "name": "default", "uid": uuid::Uuid::new_v4().to_string(), "creationTimestamp": time::now(),
        },
        "spec": {
            "clusterGUID": uuid::Uuid::new_v4().simple().to_string(),
            "datastoreReady": ready.unwrap_or(true),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-019.
    #[test]
    fn versions_that_hep_knows_pass() {
        for (version, passes) in [
            ("", true),
            ("v3.28.5", true),
            ("3.33.0-0.dev-1-gabc", true),
            ("v3.99.0", false),
            ("v4.0.0", false),
            ("master", false),
        ] {
            let cluster = Cluster {
                version: version.to_owned(),
                ..Cluster::default()
            };
            assert_eq!(cluster.check_version().is_ok(), passes, "{version}");
        }
    }
}
