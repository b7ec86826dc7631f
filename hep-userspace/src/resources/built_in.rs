//! The profile that exists without being stored (spec DS-082, DS-083).

use serde_json::json;

use crate::{
    model::{Kind, ResourceId},
    store::objects::Object,
};

/// Name of the built-in profile.
pub const DEFAULT_ALLOW: &str = "projectcalico-default-allow";

/// Whether it is the built-in profile.
pub(super) fn is_built_in(id: &ResourceId) -> bool {
    id.kind == Kind::Profile && &*id.name == DEFAULT_ALLOW
}

/// The built-in profile.
pub(super) fn profile() -> Object {
    Object {
        id: ResourceId::global(Kind::Profile, DEFAULT_ALLOW),
        value: json!({
            "apiVersion": "projectcalico.org/v3",
            "kind": "Profile",
            "metadata": {"name": DEFAULT_ALLOW, "resourceVersion": "1"},
            "spec": {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]},
        }),
        revision: "1".into(),
    }
}
