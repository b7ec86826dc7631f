//! Labels that Calico keeps of namespaces and service accounts at what is in them. No host has any, so
//! a condition about them holds for hosts if it holds without labels.

use std::sync::Arc;

use super::{Code, cursor::Value, object::Object, scalars::selector};
use crate::{model::NAMESPACE_LABEL, selector::Selector};

/// A resource whose labels its members inherit.
pub(super) struct Scope {
    /// Field of a policy.
    field: &'static str,
    /// Prefix of the labels' keys at a member.
    pub(super) prefix: &'static str,
    /// Label that every member has.
    pub(super) marker: &'static str,
}

/// Namespaces.
pub(super) const NAMESPACE: Scope = Scope {
    field: "namespaceSelector",
    prefix: "pcns.",
    marker: NAMESPACE_LABEL,
};
/// Service accounts.
pub(super) const SERVICE_ACCOUNT: Scope = Scope {
    field: "serviceAccountSelector",
    prefix: "pcsa.",
    marker: "projectcalico.org/serviceaccount",
};

/// The selector of a policy with its `namespaceSelector` and `serviceAccountSelector`, as Calico puts
/// them together (RS-071); `own` is `spec.selector` unless that is empty.
pub(super) fn policy_selector(
    own: Option<Arc<Selector>>,
    spec: &Object<'_>,
) -> Option<Arc<Selector>> {
    let mut combined = own;
    let mut is_valid = true;
    for scope in [NAMESPACE, SERVICE_ACCOUNT] {
        let Some(value) = spec.optional(scope.field) else {
            continue;
        };
        match value.text() {
            None => is_valid = false,
            Some("") => {}
            Some(_) => match selector(&value) {
                None => is_valid = false,
                Some(about) => combined = Some(join(combined, &about, &scope, &value)),
            },
        }
    }
    is_valid.then(|| combined.unwrap_or_else(|| Arc::new(Selector::all())))
}

/// Calico replaces `all()` in the whole of what it has put together.
fn join(
    own: Option<Arc<Selector>>,
    about: &Selector,
    scope: &Scope,
    value: &Value<'_>,
) -> Arc<Selector> {
    let about = about.moved(scope.prefix, scope.marker);
    let joined = match own {
        Some(own) => own.moved("", scope.marker).and(&about),
        None => about,
    };
    if !joined.matches_unlabelled() {
        value.notice(
            Code::Namespace,
            "hosts have neither namespace nor service account, so this policy is about others",
            "",
        );
    }
    Arc::new(joined)
}
