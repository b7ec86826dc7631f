//! The settings of an object, and what the objects that apply to a node make together.

use std::sync::Arc;

use super::{
    super::Code,
    super::{cursor::Value, header::Header, load::Node, object::Object},
    draft::{Draft, Setting},
    fields, ignored, shape,
};
use crate::model::FelixConfiguration;

/// The settings of one object.
#[derive(Clone)]
pub(in crate::validate) struct Settings {
    name: String,
    settings: Vec<Setting>,
}

impl Settings {
    /// The object's name.
    pub(in crate::validate) fn name(&self) -> &str {
        &self.name
    }
}

/// Decodes an object's `spec`.
pub(in crate::validate) fn decode(header: Header<'_>, spec: Object<'_>) -> Option<Settings> {
    let name = header.metadata.name.to_string();
    if let Some(selector) = spec.optional("nodeSelector") {
        selector.error::<()>(
            Code::Unsupported,
            "the daemon has no node labels to select by",
            "name the object default or node.<name of the host> instead",
        );
    } else if name != "default" && !name.starts_with("node.") {
        header.value.warn(
            Code::Ignored,
            format!("configuration {name} applies to no node"),
            "name it default, or node.<name of the host>",
        );
    }
    let mut settings = Vec::new();
    let mut unused = Vec::new();
    // Calico takes an empty text for a field that is not there, where it wants text (RS-307).
    let present = |name, is_text| {
        let is_empty =
            |value: &Value<'_>| value.scalar().is_some_and(|scalar| scalar.text.is_empty());
        spec.optional(name)
            .filter(|value| !(is_text && is_empty(value)))
    };
    for (field, decode) in fields::USED {
        let is_text = fields::TEXTS.contains(&field);
        settings.extend(present(field, is_text).and_then(|value| decode(&value)));
    }
    for (field, shape) in &ignored::IGNORED {
        if let Some(value) = present(field, shape.is_text()) {
            shape::check(&value, shape);
            unused.push(*field);
        }
    }
    fields::check_together(&spec);
    spec.finish();
    if !unused.is_empty() {
        header.value.notice(
            Code::Unused,
            format!("has no effect here: {}", unused.join(", ")),
            "",
        );
    }
    Some(Settings { name, settings })
}

/// Merges what applies to this node (RS-138, RS-140).
pub(in crate::validate) fn merge(objects: &[Arc<Settings>], node: &Node) -> FelixConfiguration {
    let own = format!("node.{}", node.name);
    let mut draft = Draft::default();
    let (mut base, mut overrides): (&[Setting], &[Setting]) = (&[], &[]);
    for object in objects {
        if object.name == "default" {
            base = &object.settings;
        } else if object.name == own {
            overrides = &object.settings;
        }
    }
    for setting in base.iter().chain(overrides) {
        setting(&mut draft);
    }
    draft.finish(node.cpus)
}
