//! JSON Schemas of everything that `-o json` prints.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use super::{
    Codes, Count, Difference, Endpoint, Event, Explanation, FailsafePort, Failure, Flow, History,
    Interface, Lost, Outcome, Policy, Removal, RuleList, SelectorAnswer, Set, Shown, Status,
    TestReport, TrialOutcome, Validation,
};

/// Name and schema of each document. The name is the command's, except for `codes` (of `hep validate
/// --list-codes`), `error` (of every command), `outcome` (of `hep confirm`, `rollback`, `panic` and
/// `resume`) and `monitor-lost`.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        schema::<Codes>("codes"),
        schema::<Difference>("diff"),
        schema::<Removal>("down"),
        schema::<Failure>("error"),
        schema::<Explanation>("explain"),
        schema::<History>("history"),
        schema::<Lost>("monitor-lost"),
        schema::<Event>("monitor"),
        schema::<Outcome>("outcome"),
        schema::<SelectorAnswer>("selector"),
        schema::<Shown<Flow>>("show-conntrack"),
        schema::<Shown<Count>>("show-counters"),
        schema::<Shown<Endpoint>>("show-endpoints"),
        schema::<Shown<FailsafePort>>("show-failsafe"),
        schema::<Shown<Interface>>("show-interfaces"),
        schema::<Shown<Policy>>("show-policies"),
        schema::<Shown<RuleList>>("show-rules"),
        schema::<Shown<Set>>("show-sets"),
        schema::<Status>("status"),
        schema::<TestReport>("test"),
        schema::<TrialOutcome>("try"),
        schema::<Validation>("validate"),
    ]
}

fn schema<T: JsonSchema>(name: &'static str) -> (&'static str, Schema) {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert(
        "title".to_owned(),
        format!("hep {}", name.replace('-', " ")).into(),
    );
    (name, schema)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    const ADVICE: &str = "run `cargo run --bin hep -- schemas hep-userspace/schemas`";

    /// A changed model changes the committed schema, so that a review shows it.
    #[test]
    fn committed_schemas_are_current() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let entries = fs::read_dir(&directory).expect("schemas/ is committed");
        let mut committed: BTreeSet<String> = entries
            .map(|entry| entry.expect("readable").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".json"))
            .collect();
        for (name, schema) in schemas() {
            let file = format!("{name}.json");
            let text = fs::read_to_string(directory.join(&file)).unwrap_or_default();
            let written: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            assert_eq!(written, schema.to_value(), "{file} is stale; {ADVICE}");
            committed.remove(&file);
        }
        assert!(committed.is_empty(), "no document has these: {committed:?}");
    }

    /// Every document has a version, and only errors have a field `error`.
    #[test]
    fn documents_have_a_version_and_errors_are_told_apart() {
        for (name, schema) in schemas() {
            let schema = schema.to_value();
            let fields = schema["properties"].as_object().expect("an object");
            assert!(fields.contains_key("version"), "{name}");
            assert_eq!(fields.contains_key("error"), name == "error", "{name}");
            let required = schema["required"].as_array().expect("some are required");
            assert!(required.contains(&"version".into()), "{name}");
        }
    }
}
