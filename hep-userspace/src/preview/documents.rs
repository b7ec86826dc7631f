//! The objects in policy files, by kind and name, and their values as text.

use std::collections::BTreeMap;

use crate::source::{Scalar, Unit, Value, YamlNode, each_object};

/// Where an object is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object<'t> {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) node: &'t YamlNode<'t>,
}

/// Kind and name.
pub(super) type Key = (String, String);

/// The objects of these documents: single ones, and those of sequences and lists (RS-002).
pub(super) fn objects<'t>(
    documents: &'t [(&'t Unit, Vec<YamlNode<'t>>)],
) -> BTreeMap<Key, Object<'t>> {
    let mut found = BTreeMap::new();
    for (file, nodes) in documents {
        let file = file.origin.to_string();
        for node in nodes {
            each_object(node, &mut |object| {
                if object.items.is_none() {
                    let (kind, name) = (object.kind.to_owned(), object.name.to_owned());
                    let place = Object {
                        file: file.clone(),
                        line: object.node.line,
                        node: object.node,
                    };
                    found.insert((kind, name), place);
                }
                true
            });
        }
    }
    found
}

/// The value in one line, as YAML has it in flow style. Values that mean the same have the same text.
pub(super) fn one_line(node: &YamlNode<'_>) -> String {
    let mut text = String::new();
    write(node, &mut text);
    text
}

fn write(node: &YamlNode<'_>, text: &mut String) {
    match &node.value {
        Value::Scalar(scalar) => text.push_str(&scalar_line(scalar)),
        Value::Sequence(list) => {
            text.push('[');
            let items = list.items().unwrap_or_default();
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Mapping(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|one, other| one.key.cmp(&other.key));
            text.push('{');
            for (index, entry) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&entry.key);
                text.push_str(": ");
                write(&entry.value, text);
            }
            text.push('}');
        }
    }
}

/// Text bare, unless it would then be read as something else, or would end somewhere else; a truth
/// value or number in one form, however it was written.
fn scalar_line(scalar: &Scalar<'_>) -> String {
    if scalar.is_null() {
        return scalar.text.clone().into_owned();
    }
    if let Some(value) = scalar.calico_text() {
        return value;
    }
    let bare = Scalar {
        text: scalar.text.clone(),
        plain: true,
    };
    let is_plain = |text: &str| {
        let inner = |letter: char| {
            letter.is_alphanumeric() || matches!(letter, ' ' | '_' | '-' | '.' | '/' | ':')
        };
        text.starts_with(char::is_alphanumeric)
            && text.chars().all(inner)
            && !text.contains(": ")
            && !text.ends_with([':', ' '])
    };
    if bare.is_text() && is_plain(&scalar.text) {
        scalar.text.clone().into_owned()
    } else {
        serde_json::Value::from(&*scalar.text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::parse;

    #[test]
    fn values_are_written_in_one_line_as_they_are_read() {
        for (written, shown) in [
            (
                "{b: [1, '1', x], a: role == 'web'}",
                "{a: \"role == 'web'\", b: [1, \"1\", x]}",
            ),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("'true'", "\"true\""),
            ("2001:db8::/32", "2001:db8::/32"),
            ("'2001:db8::'", "\"2001:db8::\""),
            ("~", "~"),
        ] {
            let text = format!("- {written}");
            let parsed = parse(text.as_bytes());
            assert_eq!(one_line(&parsed.documents[0]), format!("[{shown}]"));
        }
    }
}
