//! Loading again and again: only what changed is decoded.

use std::{cell::RefCell, collections::HashMap};

use bytes::Bytes;

use super::{
    Loaded, Node, OTHER_GROUP, Problem, Scope, Severity, elsewhere,
    problems::Problems,
    references,
    resources::{self, Collected, Reading},
    snapshot,
};
use crate::{
    model::{Origin, Position},
    source::{self, Outline, SyntaxError, Unit},
};

/// Loads resources from units, and caches the result: a unit that did not change is not decoded again, and
/// of a long list in which some lines changed only those are.
#[derive(Default)]
pub struct Loader {
    former: HashMap<Origin, Decoded>,
}

/// The decoded content of a unit, by itself.
struct Decoded {
    origin: Origin,
    text: Bytes,
    outline: Outline,
    collected: Collected,
    problems: Problems,
}

impl Loader {
    /// Loads all of the units, or, with any error, none (RS-006, RS-007): as [`super::load`].
    #[must_use]
    pub fn load(&mut self, units: &[Unit], node: &Node, scope: Scope) -> Loaded {
        let mut former = std::mem::take(&mut self.former);
        let mut collected = Collected::default();
        let mut problems = Problems::new();
        for unit in units {
            let origin = unit.origin.unversioned();
            let known = former.remove(&origin);
            let decoded = match known {
                Some(known) if known.is_of(unit) => known,
                known => decode(unit, known, problems.within()),
            };
            collected.add(decoded.collected.clone());
            problems.add(&decoded.problems);
            // What was only counted may be wanted when there is room.
            if decoded.problems.is_whole() {
                self.former.insert(origin, decoded);
            }
        }
        references::check(&collected, scope, &mut problems);
        let snapshot = snapshot(collected, node);
        match scope {
            Scope::Directory => elsewhere::excuse(&snapshot, &node.name, problems.found_mut()),
            Scope::Files => refuse_others(problems.found_mut()),
        }
        let is_valid = !problems.has_errors();
        Loaded {
            snapshot: is_valid.then_some(snapshot),
            problems: problems.into_sorted(),
        }
    }
}

/// Decodes a unit, reusing its previous content; collects its problems in an empty list.
fn decode(unit: &Unit, former: Option<Decoded>, problems: Problems) -> Decoded {
    // What is wrong in a list would have to be told again.
    let tells = |problem: &Problem| {
        problem.severity == Severity::Error || ["W-REPEATED", "W-MAPPED"].contains(&problem.code)
    };
    let former = former.filter(|former| !former.problems.found().iter().any(tells));
    let parsed = match &former {
        Some(former) => source::parse_again(&unit.text, &former.text, &former.outline),
        None => source::parse(&unit.text),
    };
    let problems = RefCell::new(problems);
    for error in parsed.errors {
        problems.borrow_mut().push(syntax(error, &unit.origin));
    }
    let mut collected = Collected::default();
    let reading = Reading {
        origin: &unit.origin,
        problems: &problems,
        former: former.as_ref().map_or(&[], |former| &former.collected.sets),
    };
    for document in &parsed.documents {
        resources::document(document, reading, &mut collected);
    }
    Decoded {
        origin: unit.origin.clone(),
        text: unit.text.clone(),
        outline: parsed.outline,
        collected,
        problems: problems.into_inner(),
    }
}

/// Makes skipped objects of other groups errors: whoever has single files checked needs to see whether each
/// object is right.
fn refuse_others(problems: &mut [Problem]) {
    for problem in problems.iter_mut().filter(|it| it.code == OTHER_GROUP) {
        problem.severity = Severity::Error;
        problem.code = "E-KIND";
        problem.advice =
            "give hep validate the directory as a whole, where such objects are skipped, or \
                          write apiVersion: projectcalico.org/v3"
                .to_owned();
    }
}

impl Decoded {
    /// Whether this is the content of `unit`.
    fn is_of(&self, unit: &Unit) -> bool {
        let place = |text: &Bytes| (text.as_ptr(), text.len());
        self.origin == unit.origin
            && (place(&self.text) == place(&unit.text) || self.text == unit.text)
    }
}

fn syntax(error: SyntaxError, origin: &Origin) -> Problem {
    let position = Position::new(origin, error.line, error.column);
    let message = match position.line {
        0 => format!(
            "line {}, column {}: {}",
            error.line, error.column, error.message
        ),
        _ => error.message,
    };
    Problem {
        severity: Severity::Error,
        code: "E-SYNTAX",
        position,
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message,
        got: None,
        advice: error.advice.to_owned(),
    }
}
