//! Making a case on which the engines disagree as small as it gets.

use anyhow::Result;
use hep_userspace::cases::{Case, KernelEngine, Resource};
use serde_json::Value;

use super::compare::{Outcome, Tally, run_case};

/// Drops everything from a case that the disagreement does not need: packets before the last, then
/// resources, then fields and list items of those that are left, as long as the result is valid and
/// the engines still disagree.
///
/// # Errors
///
/// If an engine refuses to judge at all.
pub fn shrink(case: &Case, kernel: &mut KernelEngine) -> Result<Case> {
    let mut best = case.clone();
    // Most often the last packet is enough.
    let alone = Case {
        packets: case.packets.last().into_iter().cloned().collect(),
        ..case.clone()
    };
    if !keep_if_disagreeing(alone, &mut best, kernel)? {
        shrink_packets(&mut best, kernel)?;
    }
    loop {
        let before = best.clone();
        let mut index = 0;
        while index < best.resources.len() {
            let mut smaller = best.clone();
            smaller.resources.remove(index);
            if !keep_if_disagreeing(smaller, &mut best, kernel)? {
                index += 1;
            }
        }
        for index in 0..best.resources.len() {
            shrink_resource(index, &mut best, kernel)?;
        }
        if best == before {
            return Ok(best);
        }
    }
}

/// Tries to drop packets, half of what is left at first.
fn shrink_packets(best: &mut Case, kernel: &mut KernelEngine) -> Result<()> {
    let mut length = best.packets.len() / 2;
    while length > 0 {
        let mut begin = 0;
        while begin + length < best.packets.len() {
            let mut smaller = best.clone();
            drop(smaller.packets.drain(begin..begin + length));
            if !keep_if_disagreeing(smaller, best, kernel)? {
                begin += length;
            }
        }
        length /= 2;
    }
    Ok(())
}

/// Tries to drop each part of a resource, outer parts before what is in them.
fn shrink_resource(index: usize, best: &mut Case, kernel: &mut KernelEngine) -> Result<()> {
    let mut number = 0;
    loop {
        let Some(Resource::Inline(value)) = best.resources.get(index) else {
            return Ok(());
        };
        let Some(path) = paths(value).into_iter().nth(number) else {
            return Ok(());
        };
        let mut smaller = best.clone();
        if let Some(Resource::Inline(value)) = smaller.resources.get_mut(index) {
            remove(value, &path);
        }
        if !keep_if_disagreeing(smaller, best, kernel)? {
            number += 1;
        }
    }
}

fn keep_if_disagreeing(
    candidate: Case,
    best: &mut Case,
    kernel: &mut KernelEngine,
) -> Result<bool> {
    let outcome = run_case(&candidate, kernel, &mut Tally::default())?;
    if let Outcome::Disagree(smaller, _) = outcome {
        *best = *smaller;
        return Ok(true);
    }
    Ok(false)
}

/// A key or index on the way to a part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Field(String),
    Item(usize),
}

/// The ways to all parts of a value, outer parts first; list items from the last, so that dropping
/// one leaves the ways to those before it as they are.
fn paths(value: &Value) -> Vec<Vec<Key>> {
    let children: Vec<(Key, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (Key::Field(name.clone()), field))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .rev()
            .map(|(index, item)| (Key::Item(index), item))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let mut paths: Vec<Vec<Key>> = children.iter().map(|(key, _)| vec![key.clone()]).collect();
    for (key, child) in children {
        for rest in self::paths(child) {
            let mut path = vec![key.clone()];
            path.extend(rest);
            paths.push(path);
        }
    }
    paths
}

fn remove(value: &mut Value, path: &[Key]) {
    match (value, path) {
        (Value::Object(fields), [Key::Field(name)]) => drop(fields.remove(name)),
        (Value::Array(items), [Key::Item(index)]) if *index < items.len() => {
            drop(items.remove(*index));
        }
        (Value::Object(fields), [Key::Field(name), rest @ ..]) => {
            if let Some(field) = fields.get_mut(name) {
                remove(field, rest);
            }
        }
        (Value::Array(items), [Key::Item(index), rest @ ..]) => {
            if let Some(item) = items.get_mut(*index) {
                remove(item, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_part_can_be_dropped() {
        let value = json!({ "a": [1, { "b": 2 }], "c": "x" });
        let dropped: Vec<Value> = paths(&value)
            .iter()
            .map(|path| {
                let mut smaller = value.clone();
                remove(&mut smaller, path);
                smaller
            })
            .collect();
        assert_eq!(
            dropped,
            [
                json!({ "c": "x" }),
                json!({ "a": [1, { "b": 2 }] }),
                json!({ "a": [1], "c": "x" }),
                json!({ "a": [{ "b": 2 }], "c": "x" }),
                json!({ "a": [1, {}], "c": "x" }),
            ]
        );
    }
}
