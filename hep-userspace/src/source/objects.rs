//! The objects in documents, by kind and name, and the parts of the text that they are.

use std::ops::Range;

use super::{Entry, Value, YamlNode};
use crate::model::{Kind, ResourceId};

/// Namespace of what names none.
const DEFAULT_NAMESPACE: &str = "default";

/// An object: a resource, or a list of resources of a `…List` kind.
#[derive(Clone, Copy, Debug)]
pub struct Object<'n, 't> {
    /// `kind`; empty if there is none.
    pub kind: &'n str,
    /// `metadata.namespace`; empty if there is none.
    pub namespace: &'n str,
    /// `metadata.name`; empty if there is none.
    pub name: &'n str,
    /// The mapping, or whatever is in its place.
    pub node: &'n YamlNode<'t>,
    /// The objects in it, if it is a list of objects.
    pub items: Option<&'n YamlNode<'t>>,
}

impl<'n, 't> Object<'n, 't> {
    fn new(node: &'n YamlNode<'t>) -> Self {
        let metadata = node.field("metadata");
        let of_metadata = |key| text(metadata.and_then(|metadata| metadata.field(key)));
        let kind = text(node.field("kind"));
        Self {
            kind,
            namespace: of_metadata("namespace"),
            name: of_metadata("name"),
            node,
            items: node.field("items").filter(|_| kind.ends_with("List")),
        }
    }

    /// The part of the text that it is, with the comments inside of it; `None` if the text is so unusual that
    /// its parts are not known.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.node.span.range()
    }

    /// Its identity, if it is of a known kind.
    #[must_use]
    pub fn id(&self) -> Option<ResourceId> {
        let kind = Kind::named(self.kind)?;
        let namespace = match self.namespace {
            "" => DEFAULT_NAMESPACE,
            namespace => namespace,
        };
        Some(ResourceId {
            namespace: kind.is_namespaced().then(|| namespace.into()),
            ..ResourceId::global(kind, self.name)
        })
    }
}

impl<'t> YamlNode<'t> {
    /// The value of a key, if this is a mapping that has it.
    #[must_use]
    pub fn field<'n>(&'n self, key: &str) -> Option<&'n Self> {
        let is_it = |entry: &&Entry<'t>| entry.key == key;
        match &self.value {
            Value::Mapping(entries) => Some(&entries.iter().find(is_it)?.value),
            Value::Scalar(_) | Value::Sequence(_) => None,
        }
    }
}

/// The text of a scalar; empty for anything else.
fn text<'n>(node: Option<&'n YamlNode<'_>>) -> &'n str {
    match node.map(|node| &node.value) {
        Some(Value::Scalar(scalar)) => &scalar.text,
        Some(Value::Sequence(_) | Value::Mapping(_)) | None => "",
    }
}

/// Calls `visit` for each object of a document, which is one, or a sequence of them, or a list (RS-002). A
/// list comes before its items; they are left out if `visit` returns false for it.
pub fn each_object<'n, 't>(
    document: &'n YamlNode<'t>,
    visit: &mut impl FnMut(Object<'n, 't>) -> bool,
) {
    if let Value::Sequence(list) = &document.value {
        for item in list.items().unwrap_or_default() {
            each_object(item, visit);
        }
        return;
    }
    let object = Object::new(document);
    let is_wanted = visit(object);
    if let Some(items) = object.items.filter(|_| is_wanted) {
        each_object(items, visit);
    }
}

/// The document of `text` that `span` is in: everything between its separators, comments included.
#[must_use]
pub fn document_around(text: &str, span: Range<usize>) -> Range<usize> {
    let is_separator = |line: &str| line.starts_with("---") || line.starts_with("...");
    let (before, behind) = (
        text.get(..span.start).unwrap_or_default(),
        text.get(span.end..).unwrap_or_default(),
    );
    // The line in which it begins may be the separator's: `--- {kind: …}`.
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let mut start = line;
    if is_separator(&text[line..]) {
        start = span.start;
    } else {
        while let Some(lines) = text[..start].strip_suffix('\n') {
            let previous = lines.rfind('\n').map_or(0, |at| at + 1);
            if is_separator(&text[previous..]) {
                break;
            }
            start = previous;
        }
    }
    let mut end = span.end;
    for line in behind.split_inclusive('\n') {
        if end > span.end && is_separator(line) {
            break;
        }
        end += line.len();
    }
    start..end
}

/// The text with `new` in place of the part that an object is; every other byte stays. Lines of `new` are
/// indented as the object is. In place of an object in flow style (`{…}`) write one in flow style, such as
/// JSON.
#[must_use]
pub fn replaced(text: &str, object: &Object<'_, '_>, new: &str) -> Option<String> {
    let span = object.span()?;
    let (before, behind) = (text.get(..span.start)?, text.get(span.end..)?);
    let column = usize::try_from(object.node.column).ok()?.checked_sub(1)?;
    let indent = " ".repeat(column);
    let mut edited = before.to_owned();
    for (number, line) in new.trim_end().split_inclusive('\n').enumerate() {
        if number > 0 && line != "\n" {
            edited.push_str(&indent);
        }
        edited.push_str(line);
    }
    edited.push_str(behind);
    Some(edited)
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
