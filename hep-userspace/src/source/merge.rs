//! Merge keys: `<<: *defaults` inserts the keys of the mapping that it names (RS-310).

use std::collections::HashSet;

use super::{Entry, Value, YamlNode, syntax::SyntaxError};

/// The key, without quotes.
const MERGE: &str = "<<";

fn is_merge(entry: &Entry<'_>) -> bool {
    entry.plain && entry.key == MERGE
}

/// Puts the keys that a mapping merges into its place among the others. A key that is written out
/// wins over a merged one, wherever it is; of a list of mappings the first that has a key wins.
pub(super) fn resolve(node: &mut YamlNode<'_>) -> Result<(), SyntaxError> {
    let Value::Mapping(entries) = &mut node.value else {
        return Ok(());
    };
    if !entries.iter().any(is_merge) {
        return Ok(());
    }
    let own = entries.iter().filter(|entry| !is_merge(entry));
    let mut known: HashSet<String> = own.map(|entry| entry.key.to_string()).collect();
    let mut resolved = Vec::with_capacity(entries.len());
    for entry in std::mem::take(entries) {
        if !is_merge(&entry) {
            resolved.push(entry);
            continue;
        }
        let refused = SyntaxError {
            line: entry.line,
            column: entry.column,
            message: "only a mapping, or a list of mappings, can be merged".to_owned(),
            advice: "write <<: *anchor, where &anchor names a mapping",
        };
        for merged in merged(entry.value).ok_or(refused)? {
            let is_new = known.insert(merged.key.to_string());
            resolved.extend(is_new.then_some(merged));
        }
    }
    *entries = resolved;
    Ok(())
}

/// The keys of a mapping, or of a list of mappings; `None` for anything else.
fn merged(node: YamlNode<'_>) -> Option<Vec<Entry<'_>>> {
    match node.value {
        Value::Mapping(entries) => Some(entries),
        Value::Sequence(list) => {
            let mut all = Vec::new();
            for item in list.read {
                let Value::Mapping(entries) = item.value else {
                    return None;
                };
                all.extend(entries);
            }
            Some(all)
        }
        Value::Scalar(_) => None,
    }
}
