//! The settings of an object, and what the objects that apply to a node make together.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::Code,
    super::{cursor::Value, header::Header, load::Node, object::Object, scalars::selector},
    draft::{Draft, Setting},
    fields, ignored, shape,
};
use crate::{model::FelixConfiguration, selector::Selector};

/// The settings of one object.
#[derive(Clone)]
pub(in crate::validate) struct Settings {
    name: String,
    /// Labels of the nodes that it is for (DS-317).
    selector: Option<Arc<Selector>>,
    /// When it was created, in RFC 3339.
    created: String,
    settings: Vec<Setting>,
}

impl Settings {
    /// The object's name.
    pub(in crate::validate) fn name(&self) -> &str {
        &self.name
    }
}

/// The nodes that an object is for, if it is a store's and does not say so by its name (DS-246).
fn node_selector(header: &Header<'_>, spec: &Object<'_>, name: &str) -> Option<Arc<Selector>> {
    let is_named = name == "default" || name.starts_with("node.");
    match spec.optional("nodeSelector") {
        Some(value) if !value.is_stored() => {
            value.error::<()>(
                Code::Unsupported,
                "the daemon has no node labels to select by",
                "name the object default or node.<name of the host> instead",
            );
        }
        Some(value) if is_named => {
            let advice = "remove it, or give the object another name";
            value.warn(Code::Ignored, "has no effect under this name", advice);
        }
        Some(value) => return selector(&value),
        None if !is_named => header.value.warn(
            Code::Ignored,
            format!("configuration {name} applies to no node"),
            "name it default, or node.<name of the host>",
        ),
        None => {}
    }
    None
}

/// Decodes an object's `spec`.
pub(in crate::validate) fn decode(header: Header<'_>, spec: Object<'_>) -> Option<Settings> {
    let name = header.metadata.name.to_string();
    let node_selector = node_selector(&header, &spec, &name);
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
    let created = header.value.object();
    let created = created.and_then(|metadata| metadata.optional("creationTimestamp"));
    let created = created.and_then(|value| Some(value.scalar()?.text.to_string()));
    Some(Settings {
        name,
        selector: node_selector,
        created: created.unwrap_or_default(),
        settings,
    })
}

/// Merges what applies to this node, whose labels are these (RS-138, RS-140, DS-021). Of those that select
/// it the oldest counts, and of these the first by name (DS-246); a node without labels is not selected
/// (DS-317).
pub(in crate::validate) fn merge(
    objects: &[Arc<Settings>],
    node: &Node,
    labels: &BTreeMap<String, String>,
) -> FelixConfiguration {
    let own = format!("node.{}", node.name);
    let mut draft = Draft::default();
    let (mut base, mut overrides): (&[Setting], &[Setting]) = (&[], &[]);
    let selects = |object: &&Arc<Settings>| {
        let selector = object.selector.as_ref().filter(|_| !labels.is_empty());
        selector.is_some_and(|selector| selector.matches(labels))
    };
    let selecting = objects.iter().filter(selects);
    let selecting = selecting.min_by_key(|object| (&object.created, &object.name));
    let selecting = selecting.map_or(&[][..], |object| &object.settings);
    for object in objects {
        if object.name == "default" {
            base = &object.settings;
        } else if object.name == own {
            overrides = &object.settings;
        }
    }
    for setting in base.iter().chain(selecting).chain(overrides) {
        setting(&mut draft);
    }
    draft.finish(node.cpus)
}
