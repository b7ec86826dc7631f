//! Which resources differ between two sets of policy files, and in which fields.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::documents::{Object, objects, one_line};
use crate::source::{self, Unit, Value, YamlNode};

/// Kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It is there, but not as it was.
    Changed,
}

/// A resource that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceChange {
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Kind of change.
    pub change: Change,
    /// File in which it is written afterwards, or was.
    pub file: String,
    /// Line in that file, from 1.
    pub line: u32,
    /// Fields below `metadata` and `spec` that differ.
    pub fields: Vec<FieldChange>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Path, such as `spec.ingress[0].action`.
    pub field: String,
    /// The values that are gone; of a list of plain values, only those.
    pub before: Vec<String>,
    /// The values that are new.
    pub after: Vec<String>,
}

/// Compares the resources in two sets of files, whichever files they stand in, by what they say: not
/// by comments, style, the order of keys, or what only an API server writes. Files must be valid.
#[must_use]
pub fn resources(before: &[Unit], after: &[Unit]) -> Vec<ResourceChange> {
    let (before, after) = (documents(before), documents(after));
    let (before, after) = (objects(&before), objects(&after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let (old, new) = (before.get(key), after.get(key));
            let fields = fields(old, new);
            let change = match (old, new) {
                (None, _) => Change::Added,
                (Some(_), None) => Change::Removed,
                (Some(_), Some(_)) if fields.is_empty() => return None,
                (Some(_), Some(_)) => Change::Changed,
            };
            let place = new.or(old)?;
            Some(ResourceChange {
                kind: key.0.clone(),
                name: key.1.clone(),
                change,
                file: place.file.clone(),
                line: place.line,
                fields,
            })
        })
        .collect()
}

fn documents(files: &[Unit]) -> Vec<(&Unit, Vec<YamlNode<'_>>)> {
    files
        .iter()
        .map(|file| {
            let parsed = source::parse(&file.text).documents.into_iter();
            (file, parsed.map(YamlNode::expanded).collect())
        })
        .collect()
}

fn fields(before: Option<&Object<'_>>, after: Option<&Object<'_>>) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    // The rest of the metadata is the name, and what the API server keeps for itself.
    for keys in [
        &["metadata", "labels"][..],
        &["metadata", "annotations"],
        &["spec"],
    ] {
        compare(
            &keys.join("."),
            part(before, keys),
            part(after, keys),
            &mut changes,
        );
    }
    changes
}

fn part<'t>(object: Option<&Object<'t>>, keys: &[&str]) -> Option<&'t YamlNode<'t>> {
    let whole = object.map(|object| object.node)?;
    keys.iter().try_fold(whole, |node, key| node.field(key))
}

fn compare(
    path: &str,
    before: Option<&YamlNode<'_>>,
    after: Option<&YamlNode<'_>>,
    changes: &mut Vec<FieldChange>,
) {
    match (
        before.map(|node| &node.value),
        after.map(|node| &node.value),
    ) {
        (None, None) => {}
        (Some(Value::Mapping(_)) | None, Some(Value::Mapping(_)) | None) => {
            compare_mappings(path, before, after, changes);
        }
        (Some(Value::Sequence(_)) | None, Some(Value::Sequence(_)) | None) => {
            compare_sequences(path, items(before), items(after), changes);
        }
        (
            Some(Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_)) | None,
            Some(Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_)) | None,
        ) => {
            let [before, after] = [before, after].map(|node| node.map(one_line));
            if before != after {
                push(
                    path,
                    before.into_iter().collect(),
                    after.into_iter().collect(),
                    changes,
                );
            }
        }
    }
}

fn push(path: &str, before: Vec<String>, after: Vec<String>, changes: &mut Vec<FieldChange>) {
    changes.push(FieldChange {
        field: path.to_owned(),
        before,
        after,
    });
}

fn items<'n, 't>(node: Option<&'n YamlNode<'t>>) -> &'n [YamlNode<'t>] {
    match node.map(|node| &node.value) {
        Some(Value::Sequence(list)) => list.items().unwrap_or_default(),
        Some(Value::Scalar(_) | Value::Mapping(_)) | None => &[],
    }
}

fn compare_mappings(
    path: &str,
    before: Option<&YamlNode<'_>>,
    after: Option<&YamlNode<'_>>,
    changes: &mut Vec<FieldChange>,
) {
    let mut keys: Vec<&str> = Vec::new();
    for node in [before, after].into_iter().flatten() {
        if let Value::Mapping(entries) = &node.value {
            for entry in entries {
                if !keys.contains(&&*entry.key) {
                    keys.push(&entry.key);
                }
            }
        }
    }
    for key in keys {
        let old = before.and_then(|node| node.field(key));
        let new = after.and_then(|node| node.field(key));
        compare(&format!("{path}.{key}"), old, new, changes);
    }
}

/// Lists of plain values are told by what joins and leaves them; others by their items.
fn compare_sequences(
    path: &str,
    before: &[YamlNode<'_>],
    after: &[YamlNode<'_>],
    changes: &mut Vec<FieldChange>,
) {
    let [old, new] = [before, after].map(|items| items.iter().map(one_line).collect::<Vec<_>>());
    if old == new {
        return;
    }
    let is_plain = |item: &YamlNode<'_>| matches!(item.value, Value::Scalar(_));
    if before.iter().chain(after).all(is_plain) {
        let (gone, fresh) = (missing(&old, &new), missing(&new, &old));
        if gone.is_empty() && fresh.is_empty() {
            let whole = |values: &[String]| vec![format!("[{}]", values.join(", "))];
            push(path, whole(&old), whole(&new), changes);
        } else {
            push(path, gone, fresh, changes);
        }
        return;
    }
    for operation in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if let DiffOp::Equal { .. } = operation {
            continue;
        }
        let (from, to) = (operation.old_range(), operation.new_range());
        if from.len() == to.len() {
            for (from, to) in from.zip(to) {
                let path = format!("{path}[{to}]");
                compare(&path, before.get(from), after.get(to), changes);
            }
            continue;
        }
        for index in from {
            push(
                &format!("{path}[{index}]"),
                vec![old[index].clone()],
                Vec::new(),
                changes,
            );
        }
        for index in to {
            push(
                &format!("{path}[{index}]"),
                Vec::new(),
                vec![new[index].clone()],
                changes,
            );
        }
    }
}

/// The values that `others` lacks, each as often as it lacks it.
fn missing(values: &[String], others: &[String]) -> Vec<String> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for other in others {
        *left.entry(other).or_default() += 1;
    }
    let is_missing = |value: &&String| match left.get_mut(value.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    values.iter().filter(is_missing).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(text: &str) -> Vec<Unit> {
        vec![Unit::file(Path::new("p.yaml"), text.as_bytes().to_vec())]
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for resource in resources(&file(before), &file(after)) {
            lines.push(format!(
                "{:?} {}/{} {}:{}",
                resource.change, resource.kind, resource.name, resource.file, resource.line
            ));
            for FieldChange {
                field,
                before,
                after,
            } in resource.fields
            {
                lines.push(format!("{field} -{before:?} +{after:?}"));
            }
        }
        lines
    }

    const SET: &str = "\
kind: GlobalNetworkSet
metadata: {name: s, uid: 1}
spec: {nets: [192.0.2.0/24, 198.51.100.0/24]}
";

    #[test]
    fn what_says_the_same_does_not_differ() {
        let same = "# a comment
- spec: {nets: ['192.0.2.0/24', 198.51.100.0/24]}
  metadata: {uid: 2, name: s}
  kind: GlobalNetworkSet
";
        assert_eq!(told(SET, same), Vec::<String>::new());
        let list = format!("kind: List\nitems:\n{same}");
        assert_eq!(told(SET, &list), Vec::<String>::new());
    }

    #[test]
    fn members_that_join_and_leave_are_told_alone() {
        let other = SET.replace("[192.0.2.0/24", "[203.0.113.0/24, 10.0.0.0/8");
        assert_eq!(
            told(SET, &other),
            [
                "Changed GlobalNetworkSet/s p.yaml:1",
                r#"spec.nets -["192.0.2.0/24"] +["203.0.113.0/24", "10.0.0.0/8"]"#,
            ]
        );
        let turned = SET.replace(
            "192.0.2.0/24, 198.51.100.0/24",
            "198.51.100.0/24, 192.0.2.0/24",
        );
        assert_eq!(
            told(SET, &turned)[1],
            r#"spec.nets -["[192.0.2.0/24, 198.51.100.0/24]"] +["[198.51.100.0/24, 192.0.2.0/24]"]"#
        );
    }

    #[test]
    fn a_rule_in_front_moves_no_other() {
        let policy = |rules: &str| {
            format!(
                "kind: GlobalNetworkPolicy\nmetadata: {{name: p}}\nspec: {{ingress: [{rules}]}}\n"
            )
        };
        let allow = "{action: Allow, protocol: TCP, destination: {ports: [80]}}";
        let both = format!("{{action: Log}}, {allow}");
        assert_eq!(
            told(&policy(allow), &policy(&both)),
            [
                "Changed GlobalNetworkPolicy/p p.yaml:1",
                r#"spec.ingress[0] -[] +["{action: Log}"]"#,
            ]
        );
        let other = allow.replace("80", "'80'").replace("TCP", "UDP");
        assert_eq!(
            told(&policy(allow), &policy(&other))[1..],
            [
                r#"spec.ingress[0].protocol -["TCP"] +["UDP"]"#,
                r#"spec.ingress[0].destination.ports -["80"] +["\"80\""]"#,
            ]
        );
    }

    #[test]
    fn what_comes_and_goes_is_told_with_its_fields() {
        let tier = "kind: Tier\nmetadata: {name: t, labels: {a: b}}\nspec: {order: 5}\n";
        assert_eq!(
            told(SET, tier),
            [
                "Removed GlobalNetworkSet/s p.yaml:1",
                r#"spec.nets -["192.0.2.0/24", "198.51.100.0/24"] +[]"#,
                "Added Tier/t p.yaml:1",
                r#"metadata.labels.a -[] +["b"]"#,
                r#"spec.order -[] +["5"]"#,
            ]
        );
    }
}
