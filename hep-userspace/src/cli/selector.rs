//! `hep selector`.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{
    Exit, Format,
    output::{complain, print, print_json},
};
use crate::{
    printable::Printable,
    selector::{Selector, SelectorError},
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

/// Parses `KEY=VALUE`.
pub(super) fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as role=web".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let selector = match Selector::parse(&arguments.expression) {
        Ok(selector) => selector,
        Err(error) => return report(&error, &arguments.expression, format),
    };
    let labels: BTreeMap<String, String> = arguments.labels.iter().cloned().collect();
    let asked = arguments.no_labels || !labels.is_empty();
    let matches = asked.then(|| selector.matches(&labels));
    match (format, matches) {
        (Format::Json, _) => print_json(&json!({
            "valid": true,
            "canonical": selector.canonical(),
            "id": selector.id(),
            "match": matches,
        }))?,
        (Format::Text, None) => print(&selector)?,
        (Format::Text, Some(true)) => print("match")?,
        (Format::Text, Some(false)) => print("no match")?,
    }
    Ok(match matches {
        Some(false) => Exit::Negative,
        Some(true) | None => Exit::Ok,
    })
}

/// Prints the selector, a marker below the place of the mistake, and the mistake.
fn report(error: &SelectorError, text: &str, format: Format) -> Result<Exit> {
    if format == Format::Json {
        print_json(&json!({
            "valid": false,
            "column": error.column(),
            "message": error.to_string(),
        }))?;
    } else {
        let before = text.get(..error.column() - 1).unwrap_or_default();
        if text.len() <= 200 && Printable(text).to_string() == text {
            eprintln!("  {text}\n  {}^", " ".repeat(before.chars().count()));
        }
        complain(format_args!("selector: {error}"));
    }
    Ok(Exit::Invalid)
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
        run(&arguments, Format::Json).expect("stdout takes the answer")
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

    #[test]
    fn labels_are_key_value() {
        assert!(parse_label("role").is_err());
        assert!(parse_label("=x").is_err());
        assert_eq!(parse_label("k="), Ok(("k".to_owned(), String::new())));
    }
}
