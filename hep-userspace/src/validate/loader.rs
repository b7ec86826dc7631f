//! Reading files again and again: only what changed is decoded.

use std::{cell::RefCell, collections::HashMap, path::Path, sync::Arc};

use bytes::Bytes;

use super::{
    Loaded, Node, OTHER_GROUP, Problem, Scope, Severity, elsewhere,
    problems::Problems,
    references,
    resources::{self, Collected, Reading},
    snapshot,
};
use crate::{
    model::Position,
    source::{self, File, Outline, SyntaxError},
};

/// Loads resources from files, and caches the result: a file that did not change is not decoded again, and
/// of a long list in which some lines changed only those are.
#[derive(Default)]
pub struct Loader {
    former: HashMap<Arc<Path>, Decoded>,
}

/// The decoded content of a file, by itself.
struct Decoded {
    text: Bytes,
    outline: Outline,
    collected: Collected,
    problems: Problems,
}

impl Loader {
    /// Loads all of the files, or, with any error, none (RS-006, RS-007): as [`super::load`].
    #[must_use]
    pub fn load(&mut self, files: &[File], node: &Node, scope: Scope) -> Loaded {
        let mut former = std::mem::take(&mut self.former);
        let mut collected = Collected::default();
        let mut problems = Problems::new();
        for file in files {
            let known = former.remove(&file.path);
            let decoded = match known {
                Some(known) if is_same(&known.text, &file.text) => known,
                known => decode(file, known, problems.within()),
            };
            collected.add(decoded.collected.clone());
            problems.add(&decoded.problems);
            // What was only counted may be wanted when there is room.
            if decoded.problems.is_whole() {
                self.former.insert(Arc::clone(&file.path), decoded);
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

/// Decodes a file, reusing its previous content; collects its problems in an empty list.
fn decode(file: &File, former: Option<Decoded>, problems: Problems) -> Decoded {
    // What is wrong in a list would have to be told again.
    let tells = |problem: &Problem| {
        problem.severity == Severity::Error || ["W-REPEATED", "W-MAPPED"].contains(&problem.code)
    };
    let former = former.filter(|former| !former.problems.found().iter().any(tells));
    let parsed = match &former {
        Some(former) => source::parse_again(&file.text, &former.text, &former.outline),
        None => source::parse(&file.text),
    };
    let problems = RefCell::new(problems);
    for error in parsed.errors {
        problems.borrow_mut().push(syntax(error, &file.path));
    }
    let mut collected = Collected::default();
    let reading = Reading {
        path: &file.path,
        problems: &problems,
        former: former.as_ref().map_or(&[], |former| &former.collected.sets),
    };
    for document in &parsed.documents {
        resources::document(document, reading, &mut collected);
    }
    Decoded {
        text: file.text.clone(),
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

fn is_same(one: &Bytes, two: &Bytes) -> bool {
    (one.as_ptr(), one.len()) == (two.as_ptr(), two.len()) || one == two
}

fn syntax(error: SyntaxError, path: &Arc<Path>) -> Problem {
    Problem {
        severity: Severity::Error,
        code: "E-SYNTAX",
        position: Position {
            file: Arc::clone(path),
            line: error.line,
            column: error.column,
        },
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message: error.message,
        got: None,
        advice: error.advice.to_owned(),
    }
}
