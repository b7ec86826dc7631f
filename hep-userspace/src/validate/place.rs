//! Where in the input a value is: file, resource, path of the field.

use std::{
    cell::RefCell,
    fmt::{self, Display},
    rc::Rc,
    sync::Arc,
};

use super::{Code, Problem, Severity, problems::Problems, rigour::Rigour};
use crate::model::{GlobalNetworkSet, Origin, Position};

/// A unit that is being read.
#[derive(Clone, Copy)]
pub(super) struct Input<'r> {
    /// Where it is from.
    pub(super) origin: &'r Origin,
    /// How strictly it is read.
    pub(super) rigour: Rigour,
    /// Whether the store's workloads are known.
    pub(super) workloads: bool,
    /// Takes the problems.
    pub(super) problems: &'r RefCell<Problems>,
    /// Its sets at the previous reading.
    pub(super) former: &'r [Arc<GlobalNetworkSet>],
}

/// The resource being read, and where its problems go.
pub(super) struct Context<'n> {
    /// The unit.
    pub(super) input: Input<'n>,
    /// The resource's kind.
    pub(super) kind: String,
    /// The resource's name.
    pub(super) name: String,
}

/// A place that outlives the document, for checks that need the other resources.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) field: String,
}

impl Place {
    /// A problem here.
    pub(super) fn problem(
        &self,
        severity: Severity,
        code: Code,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Problem {
        Problem {
            severity,
            code,
            position: self.position.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            field: self.field.clone(),
            message: message.into(),
            got: None,
            advice: advice.into(),
        }
    }
}

/// Most characters of a key that a path repeats; no valid label has more.
const MAX_KEY: usize = 320;

/// The way from the document to a value.
#[derive(Clone, Default)]
pub(super) struct Steps(Option<Rc<(Steps, Step)>>);

/// One of its steps.
#[derive(Clone)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Steps {
    /// One step further.
    pub(super) fn then(&self, step: Step) -> Self {
        Self(Some(Rc::new((self.clone(), step))))
    }
}

impl Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(link) = &self.0 else { return Ok(()) };
        let (before, step) = &**link;
        write!(f, "{before}")?;
        match step {
            Step::Key(key) if before.0.is_none() => write!(f, "{key:.MAX_KEY$}"),
            Step::Key(key) => write!(f, ".{key:.MAX_KEY$}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
