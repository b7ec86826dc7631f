//! Checks of a resource before it is written (spec DS-050, DS-052, DS-095, DS-098 to DS-101).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::Unread;
use crate::{
    model::{Kind, NodeName},
    source::Unit,
    store::objects::{ClientError, Field},
    validate::{self, Code, Node, Problem, Scope, Severity},
};

/// A text in the metadata; `None` if it is absent or empty.
pub(super) fn metadata<'v>(resource: &'v Value, field: &str) -> Option<&'v str> {
    let text = resource.get("metadata")?.get(field)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// Checks what a new resource must and must not have.
pub(super) fn before_create(kind: Kind, resource: &Value) -> Result<(), ClientError> {
    let mut wrong = Vec::new();
    if metadata(resource, "name").is_none() {
        wrong.push(field(
            "Metadata.Name",
            "",
            "field must be set for a Create request",
        ));
    }
    if let Some(revision) = metadata(resource, "resourceVersion") {
        let reason = "field must not be set for a Create request";
        wrong.push(field("Metadata.ResourceVersion", revision, reason));
    }
    if kind.is_namespaced() && metadata(resource, "namespace").is_none() {
        let reason = "namespace is not specified on namespaced resource";
        wrong.push(field("Metadata.Namespace", "", reason));
    }
    refused(wrong)
}

/// Checks what a changed resource must have.
pub(super) fn before_update(resource: &Value) -> Result<(), ClientError> {
    let mut wrong = Vec::new();
    for (key, name) in [
        ("name", "Metadata.Name"),
        ("resourceVersion", "Metadata.ResourceVersion"),
        ("creationTimestamp", "Metadata.CreationTimestamp"),
        ("uid", "Metadata.UID"),
    ] {
        if metadata(resource, key).is_none() {
            wrong.push(field(name, "", "field must be set for an Update request"));
        }
    }
    refused(wrong)
}

/// Judges a resource as a load judges it, but for what only concerns this host.
pub(super) fn content(resource: &Value) -> Result<(), ClientError> {
    let problems = problems(resource);
    let wrong = problems.iter().filter(|problem| {
        let is_elsewhere = [
            Code::Syntax,
            Code::Unsupported,
            Code::Reference,
            Code::Duplicate,
            Code::Kind,
        ];
        !is_elsewhere.contains(&problem.code)
    });
    refused(wrong.map(of_problem).collect())
}

/// The first field of a resource that is not known, or whose value has another type, of kinds whose shape is
/// known to `validate` alone.
pub(super) fn unread(resource: &Value) -> Option<Unread> {
    let problems = problems(resource);
    let problem = problems.iter().find(|it| it.code == Code::Syntax)?;
    let is_unknown_field = problem.message == "unknown key";
    let text = match problem.field.rsplit('.').next() {
        Some(name) if is_unknown_field => {
            format!("field in document is not recognized or is in the wrong location: {name}")
        }
        _ => format!("{}: {}", problem.field, problem.text()),
    };
    Some(Unread {
        line: 1,
        column: 1,
        text,
        is_unknown_field,
    })
}

/// Judges a directory in which a file has another text, or is gone, as a load would; mistakes that are there
/// already count for nothing.
pub(super) fn candidate(
    units: &[Unit],
    path: &std::path::Path,
    text: Option<&str>,
) -> Result<(), ClientError> {
    let mut changed: Vec<Unit> = units
        .iter()
        .filter(|unit| !unit.is_at(path))
        .cloned()
        .collect();
    changed.extend(text.map(|text| Unit::file(path.to_path_buf(), text.as_bytes().to_vec())));
    let errors = |units: &[Unit]| {
        let mut problems = validate::load(units, &nowhere(), Scope::Directory).problems;
        problems.retain(|problem| problem.severity == Severity::Error);
        problems
    };
    let former = errors(units);
    let is_new = |problem: &&Problem| {
        let mut known = former.iter();
        !known.any(|it| {
            (it.code, &it.name, it.text()) == (problem.code, &problem.name, problem.text())
        })
    };
    let wrong = errors(&changed);
    refused(wrong.iter().filter(is_new).map(of_problem).collect())
}

/// A host without a name.
fn nowhere() -> Node {
    Node {
        name: NodeName::from(""),
        labels: BTreeMap::new(),
        cpus: 1,
    }
}

fn problems(resource: &Value) -> Vec<Problem> {
    let unit = Unit::file(std::path::PathBuf::new(), resource.to_string().into_bytes());
    let mut problems = validate::load(&[unit], &nowhere(), Scope::Files).problems;
    problems.retain(|problem| problem.severity == Severity::Error);
    problems
}

fn of_problem(problem: &Problem) -> Field {
    let mut reason = problem.message.clone();
    if !problem.advice.is_empty() {
        reason = format!("{reason}; {}", problem.advice);
    }
    field(
        &problem.field,
        problem.got.as_deref().unwrap_or_default(),
        &reason,
    )
}

pub(super) fn field(name: &str, value: &str, reason: &str) -> Field {
    Field {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
    }
}

fn refused(wrong: Vec<Field>) -> Result<(), ClientError> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(ClientError::Invalid(wrong))
}
