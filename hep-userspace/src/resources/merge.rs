//! Strategic merge of a patch into a resource (spec DS-177).

use serde_json::{Map, Value};

/// Merges a patch: fields of objects one by one, everything else as a whole; `null` removes a field, and
/// `$patch: replace` or `delete` in an object replaces or removes all of it.
#[must_use]
pub fn strategic(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let directive = patch.get("$patch").and_then(Value::as_str);
    let mut merged = match (target, directive) {
        (Value::Object(target), None | Some("merge")) => target.clone(),
        (_, _) => Map::new(),
    };
    if directive == Some("delete") {
        return Value::Null;
    }
    for (key, value) in patch {
        if key.starts_with('$') {
            continue;
        }
        let value = match value.is_null() {
            true => Value::Null,
            false => strategic(merged.get(key).unwrap_or(&Value::Null), value),
        };
        if value.is_null() {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value);
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_merged_and_lists_replaced() {
        let target = json!({"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}, "f": {"g": 1}});
        let patch = json!({
            "a": {"b": null, "c": [3]}, "d": {"$patch": "replace", "x": 1}, "f": {"$patch": "delete"},
            "new": {"y": {"z": null, "w": 1}},
        });
        assert_eq!(
            strategic(&target, &patch),
            json!({"a": {"c": [3]}, "d": {"x": 1}, "new": {"y": {"w": 1}}})
        );
    }
}
