//! Checks documents against the JSON Schemas that are published with `hep`.

use std::{fs, net::IpAddr, path::Path};

use serde_json::Value;

/// Keywords that say nothing about a value.
const ANNOTATIONS: [&str; 7] = [
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "deprecated",
    "format",
];

/// Asserts that a document matches `hep-userspace/schemas/NAME.json`, and that it has no field beyond those
/// of the schema.
///
/// # Panics
///
/// With every mismatch, and if the schema uses a keyword that this check does not know.
#[track_caller]
pub fn check(name: &str, document: &Value) {
    let found = mismatches(&read(name), document);
    assert!(found.is_empty(), "{name}: {found:#?} in {document:#}");
}

fn read(name: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hep-userspace/schemas");
    let path = directory.join(format!("{name}.json"));
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("schemas are JSON")
}

fn mismatches(schema: &Value, document: &Value) -> Vec<String> {
    let mut check = Check {
        root: schema,
        found: Vec::new(),
    };
    check.value("", schema, document);
    check.found
}

struct Check<'s> {
    root: &'s Value,
    found: Vec<String>,
}

impl Check<'_> {
    fn fail(&mut self, path: &str, what: impl std::fmt::Display) {
        self.found.push(format!("{path}: {what}"));
    }

    fn value(&mut self, path: &str, schema: &Value, value: &Value) {
        let keywords = schema.as_object().expect("a schema is an object");
        for (keyword, wanted) in keywords {
            let holds = match keyword.as_str() {
                "$ref" => {
                    let target = wanted.as_str().expect("a text").trim_start_matches('#');
                    let target = self.root.pointer(target).expect("what a schema refers to");
                    self.value(path, &target.clone(), value);
                    true
                }
                "type" => list(wanted).iter().any(|kind| is_of(kind, value)),
                "const" => wanted == value,
                "enum" => list(wanted).contains(value),
                "anyOf" | "oneOf" => {
                    let matching = |schema: &&Value| self.matches(schema, value);
                    list(wanted).iter().filter(matching).count() == 1
                }
                "minimum" => value.as_f64() >= wanted.as_f64() || value.is_null(),
                "maximum" => value.as_f64() <= wanted.as_f64(),
                "minItems" => items(value).len() as u64 >= wanted.as_u64().unwrap_or(0),
                "maxItems" => items(value).len() as u64 <= wanted.as_u64().unwrap_or(0),
                "uniqueItems" => {
                    let items = items(value);
                    (1..items.len()).all(|at| !items[..at].contains(&items[at]))
                }
                "items" => {
                    for (at, item) in items(value).iter().enumerate() {
                        self.value(&format!("{path}/{at}"), wanted, item);
                    }
                    true
                }
                "prefixItems" => {
                    for (at, (schema, item)) in list(wanted).iter().zip(items(value)).enumerate() {
                        self.value(&format!("{path}/{at}"), schema, item);
                    }
                    true
                }
                "properties" | "required" | "additionalProperties" => true,
                _ if ANNOTATIONS.contains(&keyword.as_str()) => true,
                other => panic!("{path}: unknown keyword {other}"),
            };
            if !holds {
                self.fail(path, format_args!("not {keyword} {wanted}"));
            }
        }
        if schema["format"] == "ip" {
            let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
            if value.as_str().is_some_and(|text| !is_address(text)) {
                self.fail(path, "no address");
            }
        }
        self.fields(path, schema, value);
    }

    fn matches(&self, schema: &Value, value: &Value) -> bool {
        let mut check = Check {
            root: self.root,
            found: Vec::new(),
        };
        check.value("", schema, value);
        check.found.is_empty()
    }

    /// Checks the fields of an object; unknown ones are mismatches, though JSON Schema allows them.
    fn fields(&mut self, path: &str, schema: &Value, value: &Value) {
        let Some(fields) = value.as_object() else {
            return;
        };
        for name in list(&schema["required"]) {
            let name = name.as_str().expect("names are text");
            if !fields.contains_key(name) {
                self.fail(path, format_args!("lacks {name}"));
            }
        }
        let is_described =
            schema["properties"].is_object() || schema["additionalProperties"].is_object();
        for (name, field) in fields {
            let path = format!("{path}/{name}");
            match [&schema["properties"][name], &schema["additionalProperties"]] {
                [known @ Value::Object(_), _] | [_, known @ Value::Object(_)] => {
                    self.value(&path, known, field);
                }
                _ if is_described => self.fail(&path, "is not in the schema"),
                _ => {}
            }
        }
    }
}

/// The items of a list, or the value itself; none for null.
fn list(value: &Value) -> Vec<Value> {
    match value.as_array() {
        Some(items) => items.clone(),
        None if value.is_null() => Vec::new(),
        None => vec![value.clone()],
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("types are text") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whoever trusts this check wants to know that it finds something.
    #[test]
    fn each_keyword_finds_what_it_forbids() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": { "$ref": "#/$defs/A" },
                "list": { "type": ["array", "null"], "items": { "type": "string" } },
                "ip": { "type": "string", "format": "ip" },
                "map": { "type": "object", "additionalProperties": { "const": 1 } },
                "one": { "oneOf": [{ "const": "x" }, { "const": "y" }] },
                "pair": { "prefixItems": [{ "type": "integer" }], "maxItems": 1 },
            },
            "$defs": { "A": { "type": "integer", "minimum": 0, "maximum": 9 } },
        });
        let count = |document: Value| mismatches(&schema, &document).len();
        for good in [
            json!({ "a": 9 }),
            json!({ "a": 0, "list": null, "ip": "::1", "map": { "k": 1 }, "one": "y" }),
            json!({ "a": 0, "list": ["x"], "pair": [1] }),
        ] {
            assert_eq!(count(good.clone()), 0, "{good}");
        }
        for bad in [
            json!([]),
            json!({}),
            json!({ "a": 10 }),
            json!({ "a": -1 }),
            json!({ "a": 0, "b": 0 }),
            json!({ "a": 0, "list": [1] }),
            json!({ "a": 0, "ip": "host" }),
            json!({ "a": 0, "map": { "k": 2 } }),
            json!({ "a": 0, "one": "z" }),
            json!({ "a": 0, "pair": ["x"] }),
            json!({ "a": 0, "pair": [1, 2] }),
        ] {
            assert_eq!(count(bad.clone()), 1, "{bad}");
        }
    }
}
