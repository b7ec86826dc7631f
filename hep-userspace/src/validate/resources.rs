//! From documents to resources: objects and lists of them.

use super::{
    Code,
    collected::Collected,
    cursor::Value,
    header::Header,
    kinds::{self, Handling},
    metadata,
    object::Object,
    place::{Context, Input},
    problems::shorten,
    version::{Version, wrong_version},
};
use crate::{
    model::Kind,
    source::{Span, Value as Yaml, YamlNode, each_object},
};

/// Most characters of a kind or name that a problem repeats; no valid name is longer.
const MAX_NAME: usize = 256;

/// Decodes the objects of a document (RS-002).
pub(super) fn document(document: &YamlNode<'_>, input: Input<'_>, collected: &mut Collected) {
    each_object(document, &mut |item| {
        let shown = |text: &str| {
            let mut text = text.to_owned();
            shorten(&mut text, MAX_NAME);
            text
        };
        let context = Context {
            input,
            kind: shown(item.kind),
            name: shown(item.name),
        };
        if item.items.is_some() {
            return list(&Value::root(&context, item.node), item.kind);
        }
        // Only sets are long; a rule's list is read item by item.
        let is_long = item.kind.ends_with("NetworkSet") || item.kind.ends_with("List");
        let expanded = (!is_long && item.node.has_lines()).then(|| item.node.clone().expanded());
        let node = expanded.as_ref().unwrap_or(item.node);
        object(
            &Value::root(&context, node),
            item.kind,
            &context.name,
            collected,
        );
        false
    });
}

/// Checks a list of objects; returns whether its items are to be read.
fn list(value: &Value<'_>, kind: &str) -> bool {
    let Some(object) = value.object() else {
        return false;
    };
    object.ignore(&["kind", "metadata"]);
    let Some(version) = object.required("apiVersion", "write apiVersion: projectcalico.org/v3")
    else {
        return false;
    };
    let Some(text) = version.text() else {
        return false;
    };
    // kubectl wraps what it exports in a list of its own.
    let is_kubectl = kind == "List";
    match Version::of(text) {
        _ if is_kubectl && text == "v1" => {}
        Version::Calico | Version::Stored => {}
        Version::Other if !is_kubectl && !kinds::looks_read(kind) => {
            kinds::notice_other(value, text, kind);
            return false;
        }
        Version::Other | Version::Mistyped => wrong_version(&version),
    }
    let item_kind = kind.strip_suffix("List").unwrap_or_default();
    if !is_kubectl && Kind::named(item_kind).is_none() {
        kinds::unknown_kind(&object);
    }
    let items = object.optional("items");
    let is_list = items.is_some_and(|items| items.len().is_some() || items.items().is_some());
    object.finish();
    is_list
}

/// Whether an object is one of a file for `hep test`.
fn is_case(object: &Object<'_>) -> bool {
    !object.has("apiVersion") && !object.has("kind") && object.has("packets") && object.has("id")
}

fn object(value: &Value<'_>, kind: &str, name: &str, collected: &mut Collected) {
    let Some(object) = value.object() else { return };
    let Some((kind, version)) = kind_of(&object, kind) else {
        return;
    };
    let handling = if value.is_stored() {
        kinds::stored_handling(kind)
    } else {
        kinds::handling(kind)
    };
    let reading = match handling {
        Handling::Read(reading) => reading,
        // The store's own reader asks for what it does not need either (DS-028).
        Handling::Skipped(_) if value.is_stored() => return,
        Handling::Skipped(why) => {
            let message = format!("{kind} {name} is skipped: {why}");
            value.notice(Code::Skipped, message, "");
            return;
        }
    };
    object.ignore(reading.ignored);
    if value.is_stored() {
        object.ignore(&["status"]);
    }
    let Some(metadata_value) = object.required("metadata", "write metadata: with name: below it")
    else {
        return;
    };
    let kind = (kind, reading.names);
    let metadata = metadata::read(&metadata_value, value, kind, version, collected);
    let spec_value = object.optional("spec");
    object.finish();
    let position = value.position();
    let nothing = YamlNode {
        value: Yaml::Mapping(Vec::new()),
        line: position.line,
        column: position.column,
        span: Span::default(),
    };
    let spec = spec_value.unwrap_or_else(|| {
        let spec = value.stand_in("spec", &nothing);
        let message = "is missing, so every field has its default";
        spec.warn(Code::NoSpec, message, "write spec: {}");
        spec
    });
    // Also without a valid name, so that every problem is told.
    let (Some(metadata), Some(spec)) = (metadata, spec.object()) else {
        return;
    };
    let header = Header {
        metadata,
        value: &metadata_value,
        references: &collected.references,
    };
    if let Some(resource) = (reading.decode)(header, spec) {
        collected.resources.push(resource);
    }
}

/// The kind and version of an object; `None` if it is none of Calico's resources, which has been reported.
fn kind_of(object: &Object<'_>, kind: &str) -> Option<(Kind, Version)> {
    let value = &object.value;
    if is_case(object) {
        let message = "is a case for hep test, and no policy; keep it in a directory of its own";
        value.notice(Code::Cases, message, "");
        return None;
    }
    let version_value = object.required("apiVersion", "write apiVersion: projectcalico.org/v3");
    let text = version_value.as_ref().and_then(Value::text);
    let version = text.map_or(Version::Calico, Version::of);
    if version == Version::Other && !kind.is_empty() && !kinds::looks_read(kind) {
        kinds::notice_other(value, text.unwrap_or_default(), kind);
        return None;
    }
    let Some(kind) = Kind::named(kind) else {
        if object.has("kind") {
            kinds::unknown_kind(object);
        } else {
            object.missing("kind", "write the kind, such as kind: GlobalNetworkPolicy");
        }
        return None;
    };
    object.ignore(&["kind"]);
    if let (Some(value), Version::Other | Version::Mistyped) = (&version_value, version) {
        wrong_version(value);
    }
    Some((kind, version))
}
