//! Conditions that cannot be judged: refused in files (RS-104, RS-105, RS-108); in a store they narrow their
//! rule (DS-316).

use std::sync::Arc;

use super::{Code, cursor::Value};
use crate::{
    model::{Action, Rule},
    selector::Selector,
};

/// Meaning of a condition that cannot be judged.
const NARROWED: &str = "a rule of Allow or Pass with it matches nothing, one of Deny or Log matches \
                        as if it were not there";

/// Message about a condition of an object of a store that cannot be judged.
pub(super) fn message() -> String {
    format!("this condition cannot be judged here: {NARROWED}")
}

/// Reports a condition that cannot be judged.
pub(super) fn report(value: &Value<'_>, message: &str, advice: &str) {
    if value.is_stored() {
        value.warn(Code::Unjudged, self::message(), "");
    } else {
        value.error::<()>(Code::Unsupported, message, advice);
    }
}

/// The rule without the conditions of `value` that cannot be judged, unless it would let more pass than is
/// written: then one that matches nothing, or in a file, where only a policy that selects nothing of this
/// host may have such a condition (RS-312), none.
pub(super) fn narrowed(mut rule: Rule, value: &Value<'_>) -> Option<Rule> {
    if matches!(rule.action, Action::Allow | Action::Pass) {
        if !value.is_stored() {
            return None;
        }
        rule.source.selector = Some(Arc::new(Selector::nothing()));
    }
    Some(rule)
}
