//! Walking a document: typed access to fields, with a problem reported for each that is not as it
//! must be, and for each key that nobody asked for.

use std::{cell::RefCell, ops::RangeInclusive, sync::Arc};

use super::{
    Severity,
    place::{Context, Place, Step, Steps},
};
use crate::{
    model::{GlobalNetworkSet, Position},
    source::{Entry, Piece, Scalar, Value as Yaml, YamlNode},
};

/// Longest value that a message repeats.
const MAX_SHOWN: usize = 80;
/// Most items of a list that is not meant to be long, but called like one that is.
const SHORT_LIST: usize = 256;
/// Most known keys that a message lists.
const MAX_LISTED: usize = 24;

/// A value of the document.
#[derive(Clone)]
pub(super) struct Value<'n> {
    context: &'n Context<'n>,
    node: &'n YamlNode<'n>,
    steps: Steps,
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

    /// A value that stands for a key that is missing.
    pub(super) fn stand_in(&self, key: &'static str, node: &'n YamlNode<'n>) -> Self {
        Self {
            context: self.context,
            node,
            steps: self.steps.then(Step::Key(key.to_owned())),
        }
    }

    /// Where the value starts.
    pub(super) fn position(&self) -> Position {
        Position {
            file: Arc::clone(self.context.reading.path),
            line: self.node.line,
            column: self.node.column,
        }
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
        code: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Option<T> {
        self.report(Severity::Error, code, message.into(), advice.into());
        None
    }

    /// Reports a warning here.
    pub(super) fn warn(
        &self,
        code: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.report(Severity::Warning, code, message.into(), advice.into());
    }

    /// Reports something worth knowing here.
    pub(super) fn info(
        &self,
        code: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.report(Severity::Info, code, message.into(), advice.into());
    }

    fn report(&self, severity: Severity, code: &'static str, message: String, advice: String) {
        let problem = || {
            let mut problem = self.place().problem(severity, code, message, advice);
            problem.got = match &self.node.value {
                Yaml::Scalar(scalar) => Some(shown(scalar)),
                Yaml::Sequence(_) | Yaml::Mapping(_) => None,
            };
            problem
        };
        let mut problems = self.context.reading.problems.borrow_mut();
        problems.push_with(severity, || self.position(), problem);
    }

    fn wrong_type<T>(&self, wanted: &str, advice: &str) -> Option<T> {
        let found = match &self.node.value {
            Yaml::Sequence(_) => "a list",
            Yaml::Mapping(_) => "a mapping",
            Yaml::Scalar(scalar) if scalar.is_null() => "nothing",
            Yaml::Scalar(scalar) if scalar.as_bool().is_some() => "a truth value",
            Yaml::Scalar(scalar) if scalar.as_float().is_some() => "a number",
            Yaml::Scalar(_) => "text",
        };
        self.error("E-SYNTAX", format!("must be {wanted}, not {found}"), advice)
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

    /// Text.
    pub(super) fn text(&self) -> Option<&'n str> {
        match self.scalar() {
            Some(scalar) if scalar.is_text() => Some(&scalar.text),
            Some(scalar) => {
                self.wrong_type("text", &format!("put it in quotes: \"{}\"", scalar.text))
            }
            None => self.wrong_type("text", "write one value here"),
        }
    }

    /// A truth value.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.scalar().and_then(Scalar::as_bool) {
            Some(value) => Some(value),
            None => self.wrong_type("a truth value", "write true or false, without quotes"),
        }
    }

    /// An integer within `range`.
    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let (low, high) = (range.start(), range.end());
        match self.scalar().and_then(Scalar::as_integer) {
            Some(value) if range.contains(&value) => Some(value),
            Some(_) => self.error(
                "E-RANGE",
                "is out of range",
                format!("write a number from {low} to {high}"),
            ),
            None => self.wrong_type(
                "an integer",
                &format!("write a number from {low} to {high}, without quotes"),
            ),
        }
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        match self.scalar().and_then(Scalar::as_float) {
            Some(value) if value.is_finite() => Some(value),
            Some(_) => self.error("E-RANGE", "must be finite", "write a number such as 100"),
            None => self.wrong_type("a number", "write a number such as 100, without quotes"),
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
        let Some(scalar) = self.scalar() else {
            return self.text().and(None);
        };
        if let Some((_, value)) = choices.iter().find(|(word, _)| same(word, &scalar.text)) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let advice = match words
            .iter()
            .find(|word| word.eq_ignore_ascii_case(&scalar.text))
        {
            Some(word) => format!("write {word}; case counts"),
            None => format!("write {}", one_of(&words)),
        };
        self.error("E-ENUM", "is not an allowed value", advice)
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<impl ExactSizeIterator<Item = Self> + use<'n>> {
        let Yaml::Sequence(list) = &self.node.value else {
            return self.wrong_type("a list", "write \"- \" before each item, or [a, b]");
        };
        let Some(nodes) = list.items() else {
            return self.too_many(list.len(), SHORT_LIST);
        };
        let (context, steps) = (self.context, self.steps.clone());
        Some(nodes.iter().enumerate().map(move |(index, node)| Self {
            context,
            node,
            steps: steps.then(Step::Index(index)),
        }))
    }

    /// The items of a list as they stand there: long runs of lines are not taken apart.
    pub(super) fn pieces(&self) -> Option<impl Iterator<Item = Piece<'n, 'n>> + use<'n>> {
        match &self.node.value {
            Yaml::Sequence(nodes) => Some(nodes.pieces()),
            Yaml::Scalar(_) | Yaml::Mapping(_) => self.items().and(None),
        }
    }

    /// An item of this list.
    pub(super) fn item<'i>(&self, index: usize, node: &'i YamlNode<'i>) -> Value<'i>
    where
        'n: 'i,
    {
        Value {
            context: self.context,
            node,
            steps: self.steps.then(Step::Index(index)),
        }
    }

    /// The sets that the file held at the former reading.
    pub(super) fn former_sets(&self) -> &'n [GlobalNetworkSet] {
        self.context.reading.former
    }

    /// How many items a list has; `None` if this is no list.
    pub(super) fn len(&self) -> Option<usize> {
        match &self.node.value {
            Yaml::Sequence(nodes) => Some(nodes.len()),
            Yaml::Scalar(_) | Yaml::Mapping(_) => None,
        }
    }

    /// The items of a list of at most `limit`, none of them empty.
    pub(super) fn items_up_to(&self, limit: usize) -> Option<Vec<Self>> {
        match self.len() {
            Some(items) if items > limit => self.too_many(items, limit),
            _ => Some(self.items()?.collect()),
        }
    }

    fn too_many<T>(&self, items: usize, limit: usize) -> Option<T> {
        self.error(
            "E-RANGE",
            format!("has {items} items, at most {limit} are allowed"),
            "split it",
        )
    }

    /// A list of text without repeats.
    pub(super) fn distinct_texts(&self, limit: usize) -> Option<Vec<(Self, &'n str)>> {
        let mut seen: Vec<(Self, &'n str)> = Vec::new();
        for item in self.items_up_to(limit)? {
            let Some(text) = item.text() else { continue };
            if seen.iter().any(|(_, other)| *other == text) {
                item.error::<()>("E-DUP", "stands in this list already", "remove it");
            } else {
                seen.push((item, text));
            }
        }
        Some(seen)
    }

    /// The keys and values of a mapping whose keys are the author's own.
    pub(super) fn entries(&self) -> Option<impl Iterator<Item = (&'n str, Self)> + use<'n>> {
        let Yaml::Mapping(entries) = &self.node.value else {
            return self.wrong_type("a mapping", "write key: value, one per line");
        };
        let (context, steps) = (self.context, self.steps.clone());
        Some(entries.iter().map(move |entry| {
            let value = Self {
                context,
                node: &entry.value,
                steps: steps.then(Step::Key(entry.key.clone().into_owned())),
            };
            (&*entry.key, value)
        }))
    }

    /// A mapping whose keys are known; call [`Object::finish`] when all of them were asked for.
    pub(super) fn object(&self) -> Option<Object<'n>> {
        let Yaml::Mapping(entries) = &self.node.value else {
            return self.wrong_type("a mapping", "write key: value, one per line, indented");
        };
        Some(Object {
            value: self.clone(),
            entries,
            known: RefCell::new(Vec::new()),
        })
    }
}

/// A mapping whose keys are known.
pub(super) struct Object<'n> {
    /// The mapping itself.
    pub(super) value: Value<'n>,
    entries: &'n [Entry<'n>],
    known: RefCell<Vec<&'static str>>,
}

impl<'n> Object<'n> {
    /// The value of `key`, unless there is none.
    pub(super) fn optional(&self, key: &'static str) -> Option<Value<'n>> {
        self.known.borrow_mut().push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let value = Value {
            context: self.value.context,
            node: &entry.value,
            steps: self.value.steps.then(Step::Key(key.to_owned())),
        };
        (!value.is_null()).then_some(value)
    }

    /// The value of `key`; an error if there is none.
    pub(super) fn required(&self, key: &'static str, advice: &str) -> Option<Value<'n>> {
        let value = self.optional(key);
        if value.is_none() {
            self.missing(key, advice);
        }
        value
    }

    /// The decoded value of `key`: `Some(None)` if there is none, `None` if it has a problem.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        decode: impl FnOnce(&Value<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.optional(key) {
            None => Some(None),
            Some(value) => decode(&value).map(Some),
        }
    }

    /// The decoded value of `key`, or `absent` if there is none; `None` if it has a problem.
    pub(super) fn read_or<T>(
        &self,
        key: &'static str,
        absent: T,
        decode: impl FnOnce(&Value<'n>) -> Option<T>,
    ) -> Option<T> {
        self.read(key, decode).map(|value| value.unwrap_or(absent))
    }

    /// Reports that `key` is missing.
    pub(super) fn missing(&self, key: &'static str, advice: &str) {
        let mut place = self.value.place();
        place.field = self.value.steps.then(Step::Key(key.to_owned())).to_string();
        let problem = place.problem(Severity::Error, "E-REQUIRED", "is missing", advice);
        self.value
            .context
            .reading
            .problems
            .borrow_mut()
            .push(problem);
    }

    /// Whether the key stands there with a value.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.optional(key).is_some()
    }

    /// Keys that are allowed and mean nothing here.
    pub(super) fn ignore(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Reports the keys that nobody asked for (RS-003).
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for entry in self.entries {
            if known.iter().any(|known| *known == entry.key) {
                continue;
            }
            let steps = self
                .value
                .steps
                .then(Step::Key(entry.key.clone().into_owned()));
            let place = Place {
                position: Position {
                    file: Arc::clone(self.value.context.reading.path),
                    line: entry.line,
                    column: entry.column,
                },
                field: steps.to_string(),
                ..self.value.place()
            };
            let advice = match nearest(&entry.key, &known) {
                Some(near) => format!("did you mean {near}?"),
                None if known.len() > MAX_LISTED => "remove it".to_owned(),
                None => {
                    let mut words = known.clone();
                    words.sort_unstable();
                    words.dedup();
                    format!("remove it; known here: {}", words.join(", "))
                }
            };
            let problem = place.problem(Severity::Error, "E-SYNTAX", "unknown key", advice);
            self.value
                .context
                .reading
                .problems
                .borrow_mut()
                .push(problem);
        }
    }
}

/// The known word that was probably meant.
pub(super) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    // The distance costs the product of the lengths.
    if word.len() > MAX_SHOWN {
        return None;
    }
    let distance = |known: &str| {
        strsim::damerau_levenshtein(&word.to_ascii_lowercase(), &known.to_ascii_lowercase())
    };
    known
        .iter()
        .map(|known| (distance(known), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4 && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

/// A scalar as messages show it: on one line, cut short.
fn shown(scalar: &Scalar<'_>) -> String {
    let mut text: String = scalar.text.chars().take(MAX_SHOWN).collect();
    if text.len() < scalar.text.len() {
        text.push('…');
    }
    let text = text
        .replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
        .replace('\n', "\\n");
    match text.contains('"') {
        _ if scalar.plain && !text.is_empty() => text,
        true => format!("'{text}'"),
        false => format!("\"{text}\""),
    }
}
