//! Parts of schemas, and their YAML.

use serde_json::{Map, Value, json};

/// The key that has unknown fields kept.
pub(super) const KEEP: &str = "x-kubernetes-preserve-unknown-fields";
/// The key of rules in the Common Expression Language.
pub(super) const RULES: &str = "x-kubernetes-validations";

/// An object with these fields, and any others.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let mut object = json!({ "type": "object", KEEP: true });
    if !fields.is_empty() {
        let fields = fields.iter().cloned();
        let properties: Map<_, _> = fields
            .map(|(name, field)| (name.to_owned(), field))
            .collect();
        object["properties"] = Value::Object(properties);
    }
    object
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// One of these words.
pub(super) fn word(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// One of these words, the first if the field is absent.
pub(super) fn word_or(words: &[&str]) -> Value {
    let mut word = word(words);
    word["default"] = json!(words.first());
    word
}

pub(super) fn number(least: i64, most: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

pub(super) fn list(most: Option<u64>, items: Value) -> Value {
    let mut list = json!({ "type": "array", "items": items });
    if let Some(most) = most {
        list["maxItems"] = json!(most);
    }
    list
}

/// A port or protocol: a number, or a text.
pub(super) fn number_or_text() -> Value {
    json!({ "x-kubernetes-int-or-string": true })
}

/// Rules with their messages.
pub(super) fn rules(rules: &[(&str, &str)]) -> Value {
    let rules = rules.iter();
    rules
        .map(|(rule, message)| json!({ "rule": rule, "message": message }))
        .collect()
}

/// Writes a value as YAML in block style; texts in the quotes of JSON, which YAML reads the same.
pub(super) fn write_yaml(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                text.push_str(&format!("{indent}{name}:"));
                write_field(text, field, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut block = String::new();
                write_yaml(&mut block, item, depth + 1);
                // The dash takes the place of the first line's indentation.
                let block = block.get(indent.len() + 2..).unwrap_or_default();
                text.push_str(&format!("{indent}- {block}"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&format!("{indent}{}\n", scalar(value)));
        }
    }
}

fn write_field(text: &mut String, field: &Value, depth: usize) {
    let is_block = match field {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => items.iter().any(|item| item.is_object()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        text.push('\n');
        write_yaml(text, field, depth);
    } else {
        text.push_str(&format!(" {}\n", scalar(field)));
    }
}

/// A value in one line: a plain word where no reader of YAML takes it for something else.
fn scalar(value: &Value) -> String {
    match value.as_str() {
        Some(word) if is_plain(word) => word.to_owned(),
        _ => value.to_string(),
    }
}

fn is_plain(word: &str) -> bool {
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "./-".contains(letter))
        && !reserved.contains(&word.to_lowercase().as_str())
}
