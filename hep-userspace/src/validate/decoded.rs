//! Content of one unit, by itself: of its present version, or of what counts in its place (DS-312).

use std::cell::RefCell;

use super::{
    Code, Instead, Kept, Problem, Severity, collected::Collected, place::Input, problems::Problems,
    resources, rigour::Rigour,
};
use crate::{
    model::{Origin, Position},
    source::{self, Outline, SyntaxError, Unit, YamlNode},
};

/// The decoded content of a unit.
pub(super) struct Decoded {
    /// The version that the content is of.
    version: Unit,
    outline: Outline,
    pub(super) collected: Collected,
    /// The problems of the present version.
    pub(super) problems: Problems,
    standing: Standing,
    manner: Manner,
}

/// How strictly a unit is read, and whether the store's workloads are known.
pub(super) type Manner = (Rigour, bool);

/// Source of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The present version.
    Present,
    /// The last valid version, since the present one is not valid.
    Former,
    /// As much as can be read of the present version, since none was ever valid.
    Remains,
}

impl Decoded {
    /// Decodes a unit, reusing its previous content; collects its problems in an empty list.
    pub(super) fn new(
        unit: &Unit,
        former: Option<&Self>,
        problems: Problems,
        manner: Manner,
    ) -> Self {
        let (rigour, workloads) = manner;
        // What is wrong in a list would have to be told again.
        let tells = |problem: &Problem| {
            problem.severity == Severity::Error
                || [Code::RepeatedMember, Code::MappedAddress].contains(&problem.code)
        };
        let intact = former.filter(|former| {
            former.problems.is_whole() && !former.problems.found().iter().any(tells)
        });
        let parsed = match intact {
            Some(former) => source::parse_again(&unit.text, &former.version.text, &former.outline),
            None => source::parse(&unit.text),
        };
        let problems = RefCell::new(problems);
        for error in parsed.errors {
            problems.borrow_mut().push(syntax(error, &unit.origin));
        }
        let input = Input {
            origin: &unit.origin,
            rigour,
            workloads,
            problems: &problems,
            former: intact.map_or(&[], |former| &former.collected.resources.sets),
        };
        let mut collected = collect(&parsed.documents, input);
        let mut standing = Standing::Present;
        let is_wrong = rigour != Rigour::Strict && problems.borrow().has_errors();
        if is_wrong && former.is_none_or(|former| former.standing == Standing::Remains) {
            let input = Input {
                rigour: Rigour::Remains,
                problems: &RefCell::new(Problems::new()),
                ..input
            };
            collected = collect(&parsed.documents, input);
            standing = Standing::Remains;
        } else if is_wrong {
            standing = Standing::Former;
        }
        if let Some(former) = former {
            collected.resources.reuse(&former.collected.resources);
        }
        Self {
            version: unit.clone(),
            outline: parsed.outline,
            collected,
            problems: problems.into_inner(),
            standing,
            manner,
        }
    }

    /// The content that counts, where `former` is what counted before.
    pub(super) fn settled(self, former: Option<Box<Self>>) -> Self {
        let Some(former) = former.filter(|_| self.standing == Standing::Former) else {
            return self;
        };
        let is_same_manner = former.manner == self.manner;
        let former = if is_same_manner {
            *former
        } else {
            Self::new(&former.version, None, Problems::new(), self.manner)
        };
        Self {
            problems: self.problems,
            standing: Standing::Former,
            ..former
        }
    }

    /// The version of the unit that is in force.
    pub(super) const fn in_force(&self) -> &Unit {
        &self.version
    }

    /// The report that the present version, `present`, is not in force, unless it is.
    pub(super) fn kept(&self, present: &Origin) -> Option<Kept> {
        let is_empty = self.collected.resources.is_empty();
        let instead = match self.standing {
            Standing::Present => return None,
            Standing::Former => Instead::Former(self.version.origin.clone()),
            Standing::Remains if is_empty => Instead::Nothing,
            Standing::Remains => Instead::Remains,
        };
        let mut problems = self.problems.found().iter();
        let first = problems.find(|problem| problem.severity == Severity::Error);
        let reason = first.map_or_else(String::new, |problem| match problem.field.as_str() {
            "" => problem.text(),
            field => format!("{field}: {}", problem.text()),
        });
        Some(Kept {
            origin: present.clone(),
            instead,
            reason,
        })
    }
}

/// The content of documents.
fn collect(documents: &[YamlNode<'_>], input: Input<'_>) -> Collected {
    let mut collected = Collected::default();
    for document in documents {
        resources::document(document, input, &mut collected);
    }
    collected
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
        code: Code::Syntax,
        position,
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message,
        got: None,
        advice: error.advice.to_owned(),
    }
}
