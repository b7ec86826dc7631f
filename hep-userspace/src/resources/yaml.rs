//! YAML and JSON as calicoctl writes them (spec DS-210).

use serde_json::Value;

use crate::source::Scalar;

/// YAML in block style, keys sorted.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let mut text = String::new();
    if has_parts(value) {
        block(value, 0, &mut text);
    } else {
        text.push_str(&scalar(value));
        text.push('\n');
    }
    text
}

/// Whether it is an object or array that is not empty.
fn has_parts(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Writes the lines of an object or array that is not empty.
fn block(value: &Value, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(fields) => {
            for (number, (key, value)) in fields.iter().enumerate() {
                // The first field of an item is behind its dash.
                if number > 0 || !text.ends_with("- ") {
                    text.push_str(&margin);
                }
                text.push_str(&string(key));
                text.push(':');
                inner(value, indent, text);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                if number > 0 || !text.ends_with("- ") {
                    text.push_str(&margin);
                }
                text.push('-');
                text.push(' ');
                if has_parts(value) {
                    block(value, indent + 2, text);
                } else {
                    text.push_str(&scalar(value));
                    text.push('\n');
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Writes the value of a key.
fn inner(value: &Value, indent: usize, text: &mut String) {
    if has_parts(value) {
        text.push('\n');
        let deeper = if value.is_object() { 2 } else { 0 };
        block(value, indent + deeper, text);
    } else {
        text.push(' ');
        text.push_str(&scalar(value));
        text.push('\n');
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text without quotes if every reader of YAML takes it for that text.
fn string(text: &str) -> String {
    let bare = Scalar {
        text: text.into(),
        plain: true,
    };
    let starts = text.starts_with(|letter: char| {
        letter.is_alphanumeric() || matches!(letter, '/' | ':' | '(' | '_')
    });
    let is_date = text.len() >= 8
        && text.starts_with(|letter: char| letter.is_ascii_digit())
        && text.as_bytes().get(4) == Some(&b'-');
    let is_plain = starts
        && !is_date
        && bare.is_text()
        && !text.ends_with([':', ' '])
        && !text.starts_with(": ")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(char::is_control)
        && text != "=";
    if is_plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// JSON with two spaces, and `<`, `>`, `&` escaped, as Go writes it; without a line end.
#[must_use]
pub fn json(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_in_block_style_with_quotes_where_they_are_needed() {
        let value = json!({
            "b": [{"c": 1, "a": ["x", {"z": []}]}, [1, 2]], "a": {}, "no": "no", "t": "2026-01-02T03:04:05Z",
            "s": "has(a) && b == 'c'", "e": "", "m": "80", "i": "::1", "q": "a: b",
        });
        let text = "a: {}\nb:\n- a:\n  - x\n  - z: []\n  c: 1\n- - 1\n  - 2\ne: \"\"\ni: ::1\nm: \"80\"\n\
                    \"no\": \"no\"\nq: \"a: b\"\ns: has(a) && b == 'c'\nt: \"2026-01-02T03:04:05Z\"\n";
        assert_eq!(yaml(&value), text);
        let parsed: Value = serde_yaml::from_str(text).expect("it is YAML");
        assert_eq!(parsed, value);
        assert_eq!(json(&json!("a&b")), "\"a\\u0026b\"");
    }
}
