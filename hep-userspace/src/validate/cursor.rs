//! Walking a document: typed access to fields, with a problem reported for each that is not valid, and for
//! each key that no decoder read.

use std::{ops::RangeInclusive, sync::Arc};

use super::{
    Code, Severity,
    place::{Context, Place, Step, Steps},
    rigour::Rigour,
    words::{in_quotes, one_of, shown},
};
use crate::{
    model::{GlobalNetworkSet, Position},
    source::{Number, Scalar, Value as Yaml, YamlNode, whole},
};

/// A value of the document.
#[derive(Clone)]
pub(super) struct Value<'n> {
    pub(super) context: &'n Context<'n>,
    pub(super) node: &'n YamlNode<'n>,
    pub(super) steps: Steps,
}

impl<'n> Value<'n> {
    /// The document as a whole.
    pub(super) fn root(context: &'n Context<'n>, node: &'n YamlNode<'n>) -> Self {
        Self {
            context,
            node,
            steps: Steps::default(),
        }
    }

    /// A value in place of a missing key.
    pub(super) fn stand_in(&self, key: &'static str, node: &'n YamlNode<'n>) -> Self {
        Self {
            context: self.context,
            node,
            steps: self.steps.then(Step::Key(key.to_owned())),
        }
    }

    /// Whether it is from a store.
    pub(super) fn is_stored(&self) -> bool {
        self.context.input.rigour != Rigour::Strict
    }

    /// Whether its object is not valid and never was.
    pub(super) fn is_of_remains(&self) -> bool {
        self.context.input.rigour == Rigour::Remains
    }

    /// Whether workloads are known, so that rules can select them (DS-315).
    pub(super) fn knows_workloads(&self) -> bool {
        self.context.input.workloads
    }

    /// The unit's sets at the previous reading.
    pub(super) fn former_sets(&self) -> &'n [Arc<GlobalNetworkSet>] {
        self.context.input.former
    }

    /// Where the value starts.
    pub(super) fn position(&self) -> Position {
        Position::new(self.context.input.origin, self.node.line, self.node.column)
    }

    /// Everything needed to report a problem here later.
    pub(super) fn place(&self) -> Place {
        Place {
            position: self.position(),
            kind: self.context.kind.clone(),
            name: self.context.name.clone(),
            field: self.steps.to_string(),
        }
    }

    /// Reports an error here; `None`, so that a caller can return it.
    pub(super) fn error<T>(
        &self,
        code: Code,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Option<T> {
        self.report(Severity::Error, code, message.into(), advice.into());
        None
    }

    /// The result of a decoder, if it reports no error.
    pub(super) fn without_error<T>(&self, decode: impl FnOnce() -> Option<T>) -> Option<T> {
        let errors = || self.context.input.problems.borrow().errors();
        let before = errors();
        decode().filter(|_| errors() == before)
    }

    /// Reports a warning here.
    pub(super) fn warn(&self, code: Code, message: impl Into<String>, advice: impl Into<String>) {
        self.report(Severity::Warning, code, message.into(), advice.into());
    }

    /// Reports something worth knowing here that needs no change.
    pub(super) fn notice(&self, code: Code, message: impl Into<String>, advice: impl Into<String>) {
        self.report(Severity::Notice, code, message.into(), advice.into());
    }

    fn report(&self, severity: Severity, code: Code, message: String, advice: String) {
        let problem = || {
            let mut problem = self.place().problem(severity, code, message, advice);
            problem.got = match &self.node.value {
                Yaml::Scalar(scalar) => Some(shown(scalar)),
                Yaml::Sequence(_) | Yaml::Mapping(_) => None,
            };
            problem
        };
        let mut problems = self.context.input.problems.borrow_mut();
        problems.push_with(severity, || self.position(), problem);
    }

    pub(super) fn wrong_type<T>(&self, wanted: &str, advice: &str) -> Option<T> {
        let found = match &self.node.value {
            Yaml::Sequence(_) => "a list",
            Yaml::Mapping(_) => "a mapping",
            Yaml::Scalar(scalar) if scalar.is_null() => "nothing",
            Yaml::Scalar(scalar) if scalar.as_bool().is_some() => "a truth value",
            Yaml::Scalar(scalar) if scalar.as_number().is_some() => "a number",
            Yaml::Scalar(_) => "text",
        };
        self.error(
            Code::Syntax,
            format!("must be {wanted}, not {found}"),
            advice,
        )
    }

    /// Whether there is nothing here.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.node.value, Yaml::Scalar(scalar) if scalar.is_null())
    }

    /// The scalar here, whatever its type.
    pub(super) fn scalar(&self) -> Option<&'n Scalar<'n>> {
        match &self.node.value {
            Yaml::Scalar(scalar) => Some(scalar),
            Yaml::Sequence(_) | Yaml::Mapping(_) => None,
        }
    }

    /// Something that is neither a list nor a mapping.
    pub(super) fn a_scalar(&self) -> Option<()> {
        match self.scalar() {
            Some(_) => Some(()),
            None => self.wrong_type("text", "write one value here"),
        }
    }

    /// Text.
    pub(super) fn text(&self) -> Option<&'n str> {
        match self.scalar() {
            Some(scalar) if scalar.is_text() => Some(&scalar.text),
            Some(scalar) => self.not_text(scalar),
            None => self.wrong_type("text", "write one value here"),
        }
    }

    /// Refuses a scalar that not every reader reads as text (RS-301).
    pub(super) fn not_text<T>(&self, scalar: &Scalar<'_>) -> Option<T> {
        let advice = in_quotes(&scalar.text);
        match scalar.calico_text() {
            Some(other) if scalar.is_core_text() => {
                let message =
                    format!("is {other} to Calico, which reads YAML 1.1, and text to YAML 1.2");
                self.error(Code::Syntax, message, advice)
            }
            _ => self.wrong_type("text", &advice),
        }
    }

    /// A truth value.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.scalar().and_then(Scalar::as_bool) {
            Some(value) => Some(value),
            None => self.wrong_type("a truth value", "write true or false, without quotes"),
        }
    }

    /// An integer within `range`, in any form that Calico's reader takes (RS-301).
    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let (low, high) = (range.start(), range.end());
        let advice = format!("write a number from {low} to {high}");
        let Some(number) = self.scalar().and_then(Scalar::as_number) else {
            return self.wrong_type("an integer", &format!("{advice}, without quotes"));
        };
        match whole(self.known(number)?) {
            Some(value) if range.contains(&value) => Some(value),
            Some(_) => self.error(Code::Range, "is out of range", advice),
            None => self.wrong_type("an integer", &advice),
        }
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        let Some(number) = self.scalar().and_then(Scalar::as_number) else {
            return self.wrong_type("a number", "write a number such as 100, without quotes");
        };
        match self.known(number)? {
            value if value.is_finite() => Some(value),
            _ => self.error(Code::Range, "must be finite", "write a number such as 100"),
        }
    }

    /// The number, unless readers disagree about it.
    pub(super) fn known(&self, number: Number) -> Option<f64> {
        match number {
            Number::Known(value) => Some(value),
            Number::Octal { calico, decimal } => self.error(
                Code::Syntax,
                format!("is {calico} to Calico, which reads it as octal, and {decimal} to others"),
                format!("write {calico} or {decimal}"),
            ),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        self.choose(choices, |word, text| word == text)
    }

    /// One of a few words, in any case.
    pub(super) fn choice_any_case<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        self.choose(choices, str::eq_ignore_ascii_case)
    }

    fn choose<T: Copy>(
        &self,
        choices: &[(&str, T)],
        same: impl Fn(&str, &str) -> bool,
    ) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| same(word, text)) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let advice = match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
            Some(word) => format!("write {word}; case matters"),
            None => format!("write {}", one_of(&words)),
        };
        self.error(Code::Enum, "is not an allowed value", advice)
    }
}
