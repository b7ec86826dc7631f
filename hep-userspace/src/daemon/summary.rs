//! The daemon's log lines about its loads.

use super::reconcile::Enforced;
use crate::{
    compile::Description,
    validate::{Problem, Severity},
};

/// Formats the number of errors, and the first of them.
pub(super) fn refusal(problems: &[Problem]) -> String {
    let mut errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    let first = errors.next().map(ToString::to_string).unwrap_or_default();
    match errors.count() {
        0 => format!("the policy directory has an error: {first}"),
        more => format!(
            "the policy directory has {} errors, first: {first}",
            more + 1
        ),
    }
}

/// Formats a load: `generation 7 in force: …; 12 of 34567 entries written; read 1 ms, …`.
pub(super) fn summary(description: &Description, enforced: &Enforced) -> String {
    let resources: Vec<String> = description
        .resources
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let phases: Vec<String> = enforced
        .phases
        .iter()
        .map(|(name, time)| format!("{name} {:.1} ms", time.as_secs_f64() * 1000.0))
        .collect();
    let [entries, written] = enforced.entries;
    let written = match entries {
        0 => String::new(),
        _ => format!("{written} of {entries} entries written; "),
    };
    format!(
        "generation {} in force: {}; {} rules, {} sets; {} interfaces (+{} -{}); {written}{}",
        enforced.generation,
        resources.join(", "),
        description.rules.len(),
        description.sets.len(),
        description.interfaces.len(),
        enforced.attached,
        enforced.detached,
        phases.join(", ")
    )
}

/// Formats an error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Position, validate::Code};

    fn problem(severity: Severity, message: &str) -> Problem {
        Problem {
            severity,
            code: Code::Enum,
            position: Position::built_in(),
            kind: String::new(),
            name: String::new(),
            field: String::new(),
            message: message.to_owned(),
            got: None,
            advice: String::new(),
        }
    }

    #[test]
    fn a_refusal_counts_errors_only_and_names_the_first() {
        let warning = problem(Severity::Warning, "odd");
        let error = problem(Severity::Error, "wrong");
        let one = refusal(&[warning.clone(), error.clone()]);
        assert_eq!(one, "the policy directory has an error: <built-in>: wrong");
        let two = refusal(&[error, warning, problem(Severity::Error, "worse")]);
        assert_eq!(
            two,
            "the policy directory has 2 errors, first: <built-in>: wrong"
        );
    }

    #[test]
    fn causes_follow_in_one_line() {
        let error = std::io::Error::other("cause");
        let state = super::super::StateError::Io {
            path: "/x".into(),
            source: error,
        };
        assert_eq!(chain(&state), "/x: cause");
    }
}
