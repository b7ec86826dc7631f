//! Labels and selectors over a small alphabet, so that they often meet.

use fastrand::Rng;
use serde_json::{Map, Value};

use super::{chance, pick};

const KEYS: [&str; 4] = ["role", "env", "zone", "example.com/x"];
const VALUES: [&str; 4] = ["a", "b", "ab", ""];

/// Some labels.
pub(super) fn labels(rng: &mut Rng) -> Map<String, Value> {
    let mut labels = Map::new();
    for key in KEYS {
        if rng.bool() {
            labels.insert(key.to_owned(), (*pick(rng, &VALUES)).into());
        }
    }
    labels
}

/// A selector of at most `depth` operators inside each other.
pub(super) fn selector(rng: &mut Rng, depth: u8) -> String {
    if depth > 0 && chance(rng, 40) {
        let left = selector(rng, depth - 1);
        return match rng.u8(0..3) {
            0 => format!("({left} && {})", selector(rng, depth - 1)),
            1 => format!("({left} || {})", selector(rng, depth - 1)),
            _ => format!("!({left})"),
        };
    }
    let key = pick(rng, &KEYS);
    let value = pick(rng, &VALUES);
    match rng.u8(0..10) {
        0 => "all()".to_owned(),
        1 | 2 => format!("{key} == '{value}'"),
        3 => format!("{key} != '{value}'"),
        4 => format!("has({key})"),
        5 => format!("!has({key})"),
        6 => format!("{key} in {{'{value}', 'b'}}"),
        7 => format!("{key} not in {{'{value}'}}"),
        8 => format!("{key} contains '{value}'"),
        _ => format!("{key} starts with '{value}'"),
    }
}
