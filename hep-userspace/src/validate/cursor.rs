//! Walking a document: typed access to fields, with a problem reported for each that is not valid, and for
//! each key that no decoder read.

use std::{borrow::Cow, collections::HashSet, ops::RangeInclusive, sync::Arc};

use super::{
    Code, Severity,
    place::{Context, Place, Step, Steps},
};
use crate::{
    model::{GlobalNetworkSet, Position},
    source::{Entry, Number, Piece, Scalar, Value as Yaml, YamlNode, whole},
};

/// Longest value that a message repeats.
const MAX_SHOWN: usize = 80;
/// Most items of a list that is not meant to be long, but called like one that is.
const SHORT_LIST: usize = 256;

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

    /// The items of a list in order: long runs of lines are not taken apart.
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

    /// The unit's sets at the previous reading.
    pub(super) fn former_sets(&self) -> &'n [Arc<GlobalNetworkSet>] {
        self.context.input.former
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
            Code::Range,
            format!("has {items} items, at most {limit} are allowed"),
            "split it",
        )
    }

    /// A list of text without repeats.
    pub(super) fn distinct_texts(&self, limit: usize) -> Option<Vec<(Self, &'n str)>> {
        let is_repeat = |item: &Self| {
            item.error(
                Code::Duplicate,
                "is already in this list",
                "keep one of the two",
            )
        };
        self.texts_once(self.items_up_to(limit)?, is_repeat)
    }

    /// A list of texts; repeats count once (RS-303).
    pub(super) fn texts(&self) -> Option<Vec<(Self, &'n str)>> {
        let is_repeat = |item: &Self| {
            item.notice_repeat();
            Some(())
        };
        self.texts_once(self.items()?.collect(), is_repeat)
    }

    /// Says that a list has this item already (RS-303).
    pub(super) fn notice_repeat(&self) {
        self.notice(
            Code::RepeatedItem,
            "is already in this list, and counts once",
            "",
        );
    }

    fn texts_once(
        &self,
        items: Vec<Self>,
        is_repeat: impl Fn(&Self) -> Option<()>,
    ) -> Option<Vec<(Self, &'n str)>> {
        let mut known = HashSet::new();
        let mut seen: Vec<(Self, &'n str)> = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = item.text() else { continue };
            if known.insert(text) {
                seen.push((item, text));
            } else {
                is_repeat(&item);
            }
        }
        Some(seen)
    }

    /// Warns of a list longer than Calico's schema allows from 3.33 on (RS-302).
    pub(super) fn warn_if_longer(&self, limit: usize) {
        if let Some(items) = self.len().filter(|items| *items > limit) {
            self.warn(
                Code::Schema,
                format!("has {items} items; Calico's schema allows {limit} from 3.33 on"),
                "split it if Calico is to take it as well",
            );
        }
    }

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

    /// Whether this is a mapping with a value for this key.
    pub(super) fn has_key(&self, key: &str) -> bool {
        let Yaml::Mapping(entries) = &self.node.value else {
            return false;
        };
        let is_null =
            |node: &YamlNode<'_>| matches!(&node.value, Yaml::Scalar(scalar) if scalar.is_null());
        entries
            .iter()
            .any(|entry| entry.key == key && !is_null(&entry.value))
    }
}

/// Advice to write a text in quotes.
fn in_quotes(text: &str) -> String {
    format!("put it in quotes: \"{text}\"")
}

/// The valid word that was probably meant.
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
