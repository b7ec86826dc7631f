//! Mappings of a document whose keys are not those of an object.

use std::borrow::Cow;

use super::{Code, Severity, cursor::Value, place::Step, words::in_quotes};
use crate::{
    model::Position,
    source::{Entry, Scalar, Value as Yaml},
};

impl<'n> Value<'n> {
    /// The keys and values of a mapping whose keys are the author's own.
    pub(super) fn entries(&self) -> Option<impl Iterator<Item = (&'n str, Self)> + use<'n>> {
        let Yaml::Mapping(entries) = &self.node.value else {
            return self.wrong_type("a mapping", "write key: value, one per line");
        };
        let owner = self.clone();
        Some(entries.iter().filter_map(move |entry| {
            let value = Self {
                context: owner.context,
                node: &entry.value,
                steps: owner.steps.then(Step::Key(entry.key.clone().into_owned())),
            };
            value.has_text_key(entry).then_some((&*entry.key, value))
        }))
    }

    /// Whether every reader takes the key of this value for text; reports it if not (RS-301).
    fn has_text_key(&self, entry: &Entry<'_>) -> bool {
        let key = Scalar {
            text: Cow::Borrowed(&entry.key),
            plain: entry.plain,
        };
        if key.is_text() {
            return true;
        }
        let mut place = self.place();
        place.position = Position::new(self.context.input.origin, entry.line, entry.column);
        let message = match key.calico_text() {
            Some(other) => format!(
                "the key {} is {other} to Calico, which reads YAML 1.1",
                key.text
            ),
            None => format!(
                "the key {} is text to Calico, and a number to YAML 1.2",
                key.text
            ),
        };
        let advice = in_quotes(&key.text);
        self.context.input.problems.borrow_mut().push(place.problem(
            Severity::Error,
            Code::Syntax,
            message,
            advice,
        ));
        false
    }
}
