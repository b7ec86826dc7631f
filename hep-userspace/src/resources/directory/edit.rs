//! Changes of the text of a policy file, one resource at a time.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::{decode, yaml};
use crate::{
    model::ResourceId,
    source::{self, Unit, YamlNode, document_around, each_object, replaced},
    store::hex,
};

/// Bytes of a checksum that make a revision.
const REVISION: usize = 8;

/// A resource of a file.
pub(super) struct Found {
    pub(super) id: ResourceId,
    /// The checksum of its text.
    pub(super) revision: String,
    /// Its value, or what is wrong with it.
    pub(super) value: Result<Value, String>,
}

/// The resources of a file.
///
/// # Errors
///
/// The first mistake of its syntax.
pub(super) fn find(unit: &Unit) -> Result<Vec<Found>, String> {
    let mut all = Vec::new();
    for document in documents(unit)? {
        each_object(&document, &mut |object| {
            if let (None, Some(id)) = (object.items, object.id()) {
                let value = match decode::decode(object.node) {
                    Ok(mut all) if all.len() == 1 => Ok(all.remove(0).1),
                    Ok(_) => Err("it is no single resource".to_owned()),
                    Err(unread) => Err(unread.to_string()),
                };
                let text = object.span().and_then(|span| unit.text.get(span));
                let text = text.unwrap_or(&unit.text);
                let revision = hex(&Sha256::digest(text)[..REVISION]);
                all.push(Found {
                    id,
                    revision,
                    value,
                });
            }
            true
        });
    }
    Ok(all)
}

fn documents(unit: &Unit) -> Result<Vec<YamlNode<'_>>, String> {
    let parsed = source::parse(&unit.text);
    match parsed.errors.first() {
        Some(error) => Err(error.to_string()),
        None => Ok(parsed
            .documents
            .into_iter()
            .map(YamlNode::expanded)
            .collect()),
    }
}

/// The text with a new document at its end.
pub(super) fn added(text: &str, value: &Value) -> String {
    let new = yaml(&kept(value));
    if text.trim().is_empty() {
        return format!("{text}{new}");
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}---\n{new}")
}

/// The text with another value of a resource; `None` if its place is not known.
pub(super) fn revised(unit: &Unit, id: &ResourceId, value: &Value) -> Option<String> {
    let text = std::str::from_utf8(&unit.text).ok()?;
    let mut edited = None;
    for document in documents(unit).ok()? {
        each_object(&document, &mut |object| {
            if object.items.is_none() && object.id().as_ref() == Some(id) && edited.is_none() {
                let is_flow = object
                    .span()
                    .is_some_and(|span| text[span].starts_with('{'));
                let new = match is_flow {
                    true => serde_json::to_string_pretty(&kept(value)).unwrap_or_default(),
                    false => yaml(&kept(value)),
                };
                edited = replaced(text, &object, &new);
            }
            true
        });
    }
    edited
}

/// The text without a resource, `Some(None)` if nothing else is in it; `None` if the resource is an item of a
/// list, or its place is not known.
pub(super) fn removed(unit: &Unit, id: &ResourceId) -> Option<Option<String>> {
    let text = std::str::from_utf8(&unit.text).ok()?;
    let documents = documents(unit).ok()?;
    let mut range = None;
    for document in &documents {
        each_object(document, &mut |object| {
            if object.id().as_ref() == Some(id) && std::ptr::eq(object.node, document) {
                range = object.span().map(|span| document_around(text, span));
            }
            object.items.is_none()
        });
    }
    let range = range?;
    if documents.len() == 1 {
        return Some(None);
    }
    let (mut before, mut behind) = (&text[..range.start], &text[range.end..]);
    // One of the two separators goes with it.
    if behind.is_empty() {
        let line = before.trim_end_matches('\n');
        before = &before[..line.rfind('\n').map_or(0, |at| at + 1)];
    } else {
        behind = behind.split_once('\n').map_or("", |(_, rest)| rest);
    }
    Some(Some(format!("{before}{behind}")))
}

/// The value as files have it: without what other stores add to metadata.
fn kept(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "creationTimestamp", "resourceVersion", "selfLink"] {
            metadata.remove(field);
        }
        metadata.retain(|_, value| !value.is_null());
    }
    value
}
