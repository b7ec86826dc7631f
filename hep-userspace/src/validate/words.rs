//! Words of messages: what a value says, what it should say, and lists of choices.

use crate::source::Scalar;

/// Longest value that a message repeats.
const MAX_SHOWN: usize = 80;

/// Advice to write a text in quotes.
pub(super) fn in_quotes(text: &str) -> String {
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
pub(super) fn shown(scalar: &Scalar<'_>) -> String {
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
