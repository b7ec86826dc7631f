//! The API group that Calico's resources are in, and where each kind is (spec DS-104 to DS-109).

use std::fmt;

use hyper::StatusCode;
use serde_json::Value;

use super::{
    connection::Connection,
    failure::{Failure, Refusal},
    request::{Request, escaped},
};
use crate::model::{Kind, ResourceId};

/// The path of Kubernetes' own kinds.
pub(super) const CORE: &str = "/api/v1";

/// The objects that resources of a kind are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backing {
    /// Custom resources.
    Custom,
    /// Nodes of Kubernetes (spec DS-151).
    Nodes,
    /// Namespaces and service accounts (spec DS-157).
    Accounts,
}

impl Backing {
    /// Those of a kind.
    pub(super) fn of(kind: Kind) -> Self {
        if kind == Kind::Node {
            Self::Nodes
        } else if kind == Kind::Profile {
            Self::Accounts
        } else {
            Self::Custom
        }
    }
}

/// The group and version that resources are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiGroup {
    /// `crd.projectcalico.org/v1`, whose objects have their metadata in an annotation.
    Crd,
    /// `projectcalico.org/v3`, as they are.
    Native,
}

impl ApiGroup {
    /// The `apiVersion` of its objects.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Crd => "crd.projectcalico.org/v1",
            Self::Native => "projectcalico.org/v3",
        }
    }

    /// The group without its version.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crd => "crd.projectcalico.org",
            Self::Native => "projectcalico.org",
        }
    }

    /// The group that a setting means (spec DS-105).
    #[must_use]
    pub fn named(setting: &str) -> Self {
        if setting.eq_ignore_ascii_case(Self::Native.version()) {
            Self::Native
        } else {
            Self::Crd
        }
    }

    /// The path of a kind's objects: of one namespace, or of all.
    pub(super) fn collection(self, kind: Kind, namespace: Option<&str>) -> String {
        collection(
            &format!("/apis/{}", self.version()),
            kind.plural(),
            namespace,
        )
    }

    /// The path of an object.
    pub(super) fn object(self, id: &ResourceId) -> String {
        let collection = self.collection(id.kind, id.namespace.as_deref());
        format!("{collection}/{}", escaped(&id.name))
    }
}

impl fmt::Display for ApiGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

/// The path of the objects of a kind of Kubernetes: `root` is `/api/v1`, or `/apis/` with a group and a
/// version.
pub(super) fn collection(root: &str, plural: &str, namespace: Option<&str>) -> String {
    match namespace {
        None => format!("{root}/{plural}"),
        Some(namespace) => format!("{root}/namespaces/{}/{plural}", escaped(namespace)),
    }
}

/// The group in use: the configured one, or the one that is served. Never guessed: a server that does not
/// say, or has neither, is asked again by the caller (spec DS-106).
///
/// # Errors
///
/// All of [`Failure`]; [`Failure::Refused`] with 404 if there is neither.
pub(super) async fn chosen(
    connection: &Connection,
    setting: Option<&str>,
) -> Result<ApiGroup, Failure> {
    if let Some(setting) = setting.filter(|text| !text.is_empty()) {
        return Ok(ApiGroup::named(setting));
    }
    let groups = connection.json(&Request::get("/apis")).await?;
    served(&groups).ok_or_else(|| {
        Failure::Refused(Box::new(Refusal {
            status: StatusCode::NOT_FOUND,
            reason: String::new(),
            message: "the API server has neither crd.projectcalico.org nor projectcalico.org: \
                      Calico's CRDs are not installed"
                .to_owned(),
            causes: Vec::new(),
            retry_after: None,
        }))
    })
}

/// The group to use of those that are served. If there are both, the newer one is the aggregated view of
/// the other.
fn served(groups: &Value) -> Option<ApiGroup> {
    let groups = groups.get("groups").and_then(Value::as_array)?;
    let is_served = |group: ApiGroup| {
        let is_it = |it: &Value| it.get("name").is_some_and(|name| name == group.name());
        groups.iter().any(is_it)
    };
    [ApiGroup::Crd, ApiGroup::Native]
        .into_iter()
        .find(|group| is_served(*group))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    /// Spec DS-105, DS-106, EX-36.
    #[test]
    fn the_group_is_configured_or_served_and_never_guessed() {
        for (setting, wanted) in [
            ("projectcalico.org/v3", ApiGroup::Native),
            ("projectcalico.org/V3", ApiGroup::Native),
            ("crd.projectcalico.org/v1", ApiGroup::Crd),
            ("v3", ApiGroup::Crd),
        ] {
            assert_eq!(ApiGroup::named(setting), wanted, "{setting}");
        }
        let crd = json!({"name": "crd.projectcalico.org"});
        let native = json!({"name": "projectcalico.org"});
        let apps = json!({"name": "apps"});
        for (groups, wanted) in [
            (json!([apps, crd]), Some(ApiGroup::Crd)),
            (json!([native, crd]), Some(ApiGroup::Crd)),
            (json!([native, apps]), Some(ApiGroup::Native)),
            (json!([apps]), None),
        ] {
            assert_eq!(served(&json!({ "groups": groups })), wanted);
        }
        assert_eq!(served(&json!({})), None);
    }

    /// Spec DS-108, DS-109.
    #[test]
    fn kinds_are_at_their_plural_names() {
        let policy = ResourceId::global(Kind::GlobalNetworkPolicy, "a.b");
        assert_eq!(
            ApiGroup::Crd.object(&policy),
            "/apis/crd.projectcalico.org/v1/globalnetworkpolicies/a.b"
        );
        let set = ResourceId {
            kind: Kind::NetworkSet,
            namespace: Some(Arc::from("prod")),
            name: Arc::from("s"),
        };
        assert_eq!(
            ApiGroup::Native.object(&set),
            "/apis/projectcalico.org/v3/namespaces/prod/networksets/s"
        );
    }
}
