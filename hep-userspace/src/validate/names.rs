//! Names, labels and annotations (RS-008 to RS-014).

use std::collections::BTreeMap;

use super::{Code, cursor::Value};

/// Longest DNS subdomain.
const MAX_NAME: usize = 253;
/// Longest DNS label; also the longest name part of a label key and the longest label value.
const MAX_LABEL: usize = 63;
/// Most bytes in the keys and values of all annotations together.
const MAX_ANNOTATIONS: usize = 262_144;

/// Which names a kind may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameRule {
    /// DNS labels joined by dots (RS-008).
    Subdomain,
    /// One DNS label (RS-009).
    Label,
    /// One DNS label, or two joined by a dot (RS-010).
    Policy,
}

impl NameRule {
    /// Checks a name; the error is a message.
    pub(super) fn check(self, name: &str) -> Result<(), String> {
        let labels: Vec<&str> = name.split('.').collect();
        let (most_bytes, most_labels, advice) = match self {
            Self::Subdomain => (
                MAX_NAME,
                usize::MAX,
                "use lower-case letters, digits, '-' and '.'",
            ),
            Self::Label => (
                MAX_LABEL,
                1,
                "use at most 63 lower-case letters, digits and '-'",
            ),
            Self::Policy => (
                MAX_NAME,
                2,
                "use lower-case letters, digits and '-', with at most one '.'",
            ),
        };
        if name.len() <= most_bytes
            && labels.len() <= most_labels
            && labels.iter().all(|label| is_dns_label(label))
        {
            return Ok(());
        }
        Err(format!(
            "{advice}; start and end each part with a letter or digit"
        ))
    }

    /// The name in `value`, if it follows the rule.
    pub(super) fn read<'n>(self, value: &Value<'n>) -> Option<&'n str> {
        let name = value.text()?;
        match self.check(name) {
            Ok(()) => Some(name),
            Err(advice) => {
                let lower = name.to_ascii_lowercase().replace('_', "-");
                let advice = match self.check(&lower) {
                    Ok(()) => format!("write {lower}"),
                    Err(_) => advice,
                };
                value.error(Code::Name, "is not a valid name", advice)
            }
        }
    }
}

fn is_dns_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !label.is_empty()
        && label.bytes().all(|byte| inside(byte) || byte == b'-')
        && label.bytes().next().is_some_and(inside)
        && label.bytes().last().is_some_and(inside)
}

/// The name part of a label key, and a label value that is not empty.
fn is_label_text(text: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_alphanumeric();
    (1..=MAX_LABEL).contains(&text.len())
        && text
            .bytes()
            .all(|byte| edge(byte) || b"-_.".contains(&byte))
        && text.bytes().next().is_some_and(edge)
        && text.bytes().last().is_some_and(edge)
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => NameRule::Subdomain.check(prefix).is_ok() && is_label_text(name),
        None => is_label_text(key),
    }
}

/// Labels (RS-011, RS-012).
pub(super) fn labels(value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (key, value) in value.entries()? {
        if !is_label_key(key) {
            value.error::<()>(
                Code::Label,
                format!("label key {} is not valid", key.escape_debug()),
                "write [prefix/]name; prefix: lower-case letters, digits, '-' and '.'; name: at \
                 most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
            );
            continue;
        }
        if value.is_null() {
            labels.insert(key.to_owned(), String::new());
            continue;
        }
        let Some(text) = value.text() else { continue };
        if text.is_empty() || is_label_text(text) {
            labels.insert(key.to_owned(), text.to_owned());
        } else {
            value.error::<()>(
                Code::Label,
                "is not a valid label value",
                "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
            );
        }
    }
    Some(labels)
}

/// Reports labels that Calico kept in an annotation and that are not valid.
pub(super) fn check_kept(labels: &BTreeMap<String, String>, value: &Value<'_>) {
    for (key, text) in labels {
        if !is_label_key(key) || !(text.is_empty() || is_label_text(text)) {
            value.error::<()>(
                Code::Label,
                format!(
                    "label {} in the annotation is not valid",
                    key.escape_debug()
                ),
                "export the object again, with calicoctl get -o yaml",
            );
        }
    }
}

/// Annotations (RS-013, RS-014). Those of an object of a store never make it invalid: hardly any means
/// anything here.
pub(super) fn annotations(value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    if value.is_stored() {
        let texts = value.entries()?.filter_map(|(key, value)| {
            let text = value.scalar()?.text.clone().into_owned();
            Some((key.to_owned(), text))
        });
        return Some(texts.collect());
    }
    let mut annotations = BTreeMap::new();
    let mut bytes = 0;
    for (key, value) in value.entries()? {
        if !is_label_key(&key.to_ascii_lowercase()) {
            value.error::<()>(
                Code::Label,
                format!("annotation key {} is not valid", key.escape_debug()),
                "write [prefix/]name with letters, digits, '-', '_' and '.'",
            );
            continue;
        }
        let text = if value.is_null() {
            Some("")
        } else {
            value.text()
        };
        if let Some(text) = text {
            bytes += key.len() + text.len();
            annotations.insert(key.to_owned(), text.to_owned());
        }
    }
    if bytes > MAX_ANNOTATIONS {
        value.error::<()>(
            Code::Label,
            format!("annotations have {bytes} bytes, at most {MAX_ANNOTATIONS} are allowed"),
            "shorten them",
        );
    }
    Some(annotations)
}
