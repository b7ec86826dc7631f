//! Definitions of Calico's kinds for clusters without Calico: a file in `hep-userspace/deploy/crds/` for each
//! of the two API groups, both made from the same schemas.
//!
//! Fields that a schema does not name are kept, since a newer Calico may have written them.

mod kinds;
mod schema;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use self::{
    kinds::{KINDS, Kind},
    schema::object,
};

/// Where the files are.
const FOLDER: &str = "hep-userspace/deploy/crds";
/// First lines of each file.
const HEAD: &str = "# Calico's kinds, for a cluster without Calico. Do not apply this beside Calico, which brings\n\
     # its own. Written by `cargo xtask lint --record-crds`.\n";

/// An API group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Crd,
    V3,
}

impl Group {
    const ALL: [Self; 2] = [Self::Crd, Self::V3];

    const fn name(self) -> &'static str {
        match self {
            Self::Crd => "crd.projectcalico.org",
            Self::V3 => "projectcalico.org",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Crd => "v1",
            Self::V3 => "v3",
        }
    }
}

/// Files that differ from what the schemas say.
pub(crate) fn check(root: &Path, found: &mut Vec<String>) {
    for group in Group::ALL {
        let name = file(group);
        if fs::read_to_string(root.join(&name)).is_ok_and(|text| text == expected(group)) {
            continue;
        }
        found.push(format!(
            "{name}: differs from xtask/src/crds: `cargo xtask lint --record-crds` writes it"
        ));
    }
}

/// Writes the files.
///
/// # Errors
///
/// If one cannot be written.
pub(crate) fn record(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join(FOLDER)).with_context(|| format!("make {FOLDER}"))?;
    for group in Group::ALL {
        let name = file(group);
        let text = expected(group);
        fs::write(root.join(&name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

fn file(group: Group) -> String {
    format!("{FOLDER}/{}.yaml", group.name())
}

fn expected(group: Group) -> String {
    let mut text = HEAD.to_owned();
    for kind in &KINDS {
        text.push_str("---\n");
        schema::write_yaml(&mut text, &definition(group, kind), 0);
    }
    text
}

/// The CustomResourceDefinition of a kind.
fn definition(group: Group, kind: &Kind) -> Value {
    let singular = kind.name.to_lowercase();
    let mut names = json!({
        "kind": kind.name,
        "listKind": format!("{}List", kind.name),
        "plural": kind.plural,
        "singular": singular,
    });
    if group == Group::V3 && !kind.short.is_empty() {
        names["shortNames"] = json!(kind.short);
    }
    let scope = if kind.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", kind.plural, group.name()) },
        "spec": {
            "group": group.name(),
            "names": names,
            "scope": scope,
            "versions": [version(group, kind)],
        },
    })
}

fn version(group: Group, kind: &Kind) -> Value {
    let has_status = match kind.status {
        kinds::Status::None => false,
        kinds::Status::V3 => group == Group::V3,
        kinds::Status::Both => true,
    };
    let mut fields = vec![
        ("apiVersion", json!({ "type": "string" })),
        ("kind", json!({ "type": "string" })),
        ("metadata", json!({ "type": "object" })),
        ("spec", (kind.spec)()),
    ];
    if has_status {
        fields.push(("status", object(&[])));
    }
    let mut root = object(&fields);
    // The API server keeps no field beside these.
    if let Some(root) = root.as_object_mut() {
        root.remove(schema::KEEP);
    }
    if !kind.rules.is_empty() {
        root[schema::RULES] = schema::rules(kind.rules);
    }
    let mut version = json!({
        "name": group.version(),
        "served": true,
        "storage": true,
        "schema": { "openAPIV3Schema": root },
    });
    if has_status {
        version["subresources"] = json!({ "status": {} });
    }
    if group == Group::V3 && kind.has_tier {
        version["selectableFields"] = json!([{ "jsonPath": ".spec.tier" }]);
    }
    version
}

#[cfg(test)]
mod tests {
    use super::{Group, KINDS, definition};

    /// Only the names, status and selectable fields differ between the groups.
    #[test]
    fn both_groups_have_the_same_specs() {
        for kind in &KINDS {
            let [crd, v3] = Group::ALL.map(|group| {
                let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
                definition(group, kind).pointer(schema).cloned()
            });
            assert!(crd.is_some() && crd == v3, "{}", kind.name);
        }
    }
}
