//! `hep selector`.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;

use super::{
    auto::parse_label,
    exit::Exit,
    output::{Format, Text, emit},
};
use crate::{
    printable::Printable,
    selector::{Selector, SelectorError},
    view::{Failure, SelectorAnswer},
};

/// Parse a label selector, or test whether it matches labels
///
/// Without --label, prints the selector's canonical form. With labels, exits with 0 if the selector
/// matches an object that has them and with 1 if not. Exits with 3 if the selector is invalid.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The selector, such as "role == 'web' && has(public)"
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    expression: String,
    /// Label of the object; may be given several times, the last of equal keys wins
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Match against an object without labels
    #[arg(long, conflicts_with = "labels")]
    no_labels: bool,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let expression = &arguments.expression;
    let selector = Selector::parse(expression).map_err(|error| {
        point_at(&error, expression);
        Failure::selector(&error)
    })?;
    let labels: BTreeMap<String, String> = arguments.labels.iter().cloned().collect();
    let labels = (arguments.no_labels || !labels.is_empty()).then_some(labels);
    let answer = SelectorAnswer::new(&selector, labels.as_ref());
    emit(&answer, format)?;
    Ok(match answer.matches {
        Some(false) => Exit::Negative,
        Some(true) | None => Exit::Ok,
    })
}

impl Text for SelectorAnswer {
    fn text(&self) -> String {
        match self.matches {
            None => Printable(&self.canonical).to_string(),
            Some(true) => "match".to_owned(),
            Some(false) => "no match".to_owned(),
        }
    }
}

/// Prints the selector to standard error, with a marker below the place of the mistake, unless it is long
/// or cannot be printed as it is.
fn point_at(error: &SelectorError, text: &str) {
    let before = text.get(..error.column() - 1).unwrap_or_default();
    if text.len() <= 200 && Printable(text).to_string() == text {
        eprintln!("  {text}\n  {}^", " ".repeat(before.chars().count()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(expression: &str, labels: &[&str], no_labels: bool) -> Exit {
        let labels = labels
            .iter()
            .map(|label| parse_label(label).expect("the test writes KEY=VALUE"))
            .collect();
        let arguments = Arguments {
            expression: expression.to_owned(),
            labels,
            no_labels,
        };
        run(&arguments, Format::Json).unwrap_or_else(|error| {
            let failure: Failure = error.downcast().expect("only selectors are wrong here");
            failure.error.kind.into()
        })
    }

    #[test]
    fn exit_codes_tell_match_from_no_match_from_mistake() {
        assert_eq!(exit("role == 'web'", &["role=web"], false), Exit::Ok);
        assert_eq!(exit("role == 'web'", &["role=db"], false), Exit::Negative);
        assert_eq!(exit("role == 'web'", &[], false), Exit::Ok);
        assert_eq!(exit("role == 'web'", &[], true), Exit::Negative);
        assert_eq!(exit("role = 'web'", &["role=web"], false), Exit::Invalid);
        assert_eq!(exit("v == 'a=b'", &["v=a=b"], false), Exit::Ok);
    }
}
