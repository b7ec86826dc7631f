//! From YAML to resources, strictly, as calicoctl decodes them (spec DS-183, DS-185).

use serde_json::{Map, Number, Value, json};

use super::shape::{self, Field, Shape};
use crate::{
    model::Kind,
    source::{self, Scalar, YamlNode, whole},
};

const API_VERSION: &str = "projectcalico.org/v3";

/// Reason why a document is no resource, in calicoctl's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({line}:{column})")]
pub struct Unread {
    /// Line in the document, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The mistake.
    pub text: String,
    /// Whether it is a field that is not known, which has a message of its own.
    pub is_unknown_field: bool,
}

impl Unread {
    fn new(node: &YamlNode<'_>, text: String) -> Self {
        Self {
            line: node.line,
            column: node.column,
            text,
            is_unknown_field: false,
        }
    }
}

/// Decodes the resources of a document: one, or an array of them, or those of a list kind.
///
/// # Errors
///
/// The first mistake.
pub fn decode(document: &YamlNode<'_>) -> Result<Vec<(Kind, Value)>, Unread> {
    if let source::Value::Sequence(items) = &document.value {
        let items = items.items().unwrap_or_default();
        return items.iter().map(|item| resource(item, true)).collect();
    }
    let kind = text(document, "kind");
    let item_kind = kind.strip_suffix("List").and_then(Kind::named);
    match (item_kind, document.field("items")) {
        (Some(_), _) if text(document, "apiVersion") != API_VERSION => Err(unknown_kind(document)),
        (Some(_), Some(items)) => match &items.value {
            source::Value::Sequence(items) => {
                let items = items.items().unwrap_or_default();
                items.iter().map(|item| resource(item, false)).collect()
            }
            source::Value::Scalar(_) | source::Value::Mapping(_) => {
                Err(Unread::new(items, "items must be an array".to_owned()))
            }
        },
        (Some(_), None) => Ok(Vec::new()),
        (None, _) => Ok(vec![resource(document, false)?]),
    }
}

fn resource(node: &YamlNode<'_>, is_in_array: bool) -> Result<(Kind, Value), Unread> {
    let kind = Kind::named(text(node, "kind")).filter(|_| text(node, "apiVersion") == API_VERSION);
    let Some(kind) = kind else {
        return Err(unknown_kind(node));
    };
    let decoder = Decoder {
        is_in_array,
        is_felix: kind == Kind::FelixConfiguration,
    };
    let value = decoder.object(node, shape::of_kind(kind))?;
    Ok((kind, value))
}

/// The mistake of a document with nothing in it.
pub(super) fn unread_nothing() -> Unread {
    Unread {
        line: 1,
        column: 1,
        text: "unknown resource type () and/or version ()".to_owned(),
        is_unknown_field: false,
    }
}

fn unknown_kind(node: &YamlNode<'_>) -> Unread {
    let (kind, version) = (text(node, "kind"), text(node, "apiVersion"));
    let text = format!("unknown resource type ({kind}) and/or version ({version})");
    Unread::new(node, text)
}

/// The text of a field; empty if there is none.
fn text<'n>(node: &'n YamlNode<'_>, key: &str) -> &'n str {
    match node.field(key).map(|node| &node.value) {
        Some(source::Value::Scalar(scalar)) => &scalar.text,
        Some(source::Value::Sequence(_) | source::Value::Mapping(_)) | None => "",
    }
}

/// Decodes the values of one resource.
#[derive(Clone, Copy)]
struct Decoder {
    /// In an array a text must be written as one; elsewhere what YAML 1.1 takes for something else becomes
    /// its text, as calicoctl has it.
    is_in_array: bool,
    /// Texts that are durations are written in one form.
    is_felix: bool,
}

impl Decoder {
    fn object(self, node: &YamlNode<'_>, fields: &[Field]) -> Result<Value, Unread> {
        let source::Value::Mapping(entries) = &node.value else {
            let is_null = matches!(&node.value, source::Value::Scalar(it) if it.is_null());
            return match is_null {
                true => Ok(Value::Null),
                false => Err(Unread::new(node, "write fields below it".to_owned())),
            };
        };
        let mut object = Map::new();
        for entry in entries {
            let is_it = |field: &&Field| field.0.eq_ignore_ascii_case(&entry.key);
            let Some((name, shape)) = fields.iter().find(is_it) else {
                let text = format!(
                    "field in document is not recognized or is in the wrong location: {}",
                    entry.key
                );
                return Err(Unread {
                    line: entry.line,
                    column: entry.column,
                    text,
                    is_unknown_field: true,
                });
            };
            let value = self.value(&entry.value, *shape)?;
            if !is_nothing(&value, *shape) || *name == "spec" {
                let value = if value.is_null() { json!({}) } else { value };
                object.insert((*name).to_owned(), value);
            }
        }
        Ok(Value::Object(object))
    }

    fn value(self, node: &YamlNode<'_>, shape: Shape) -> Result<Value, Unread> {
        match (&node.value, shape) {
            (_, Shape::Object(fields)) => self.object(node, fields),
            (source::Value::Scalar(scalar), _) if scalar.is_null() => Ok(Value::Null),
            (source::Value::Scalar(scalar), shape) => self
                .scalar(scalar, shape)
                .map_err(|text| Unread::new(node, text)),
            (source::Value::Sequence(list), Shape::List(item)) => {
                self.items(list, |node| self.value(node, *item))
            }
            (source::Value::Sequence(list), Shape::Any) => {
                self.items(list, |node| self.value(node, Shape::Any))
            }
            (source::Value::Mapping(entries), Shape::Texts | Shape::Any) => {
                let is_texts = matches!(shape, Shape::Texts);
                let inner = if is_texts { Shape::Text } else { Shape::Any };
                let mut object = Map::new();
                for entry in entries {
                    let key = Scalar {
                        text: entry.key.clone(),
                        plain: entry.plain,
                    };
                    let key = key.calico_text().unwrap_or_else(|| entry.key.to_string());
                    let value = self.value(&entry.value, inner)?;
                    // A nothing among texts is an empty text to Go.
                    let value = match (value, inner) {
                        (Value::Null, Shape::Text) => json!(""),
                        (value, _) => value,
                    };
                    object.insert(key, value);
                }
                Ok(Value::Object(object))
            }
            (source::Value::Sequence(_), _) => Err(Unread::new(
                node,
                "an array is not expected here".to_owned(),
            )),
            (source::Value::Mapping(_), _) => {
                Err(Unread::new(node, "fields are not expected here".to_owned()))
            }
        }
    }

    fn items(
        self,
        list: &source::Sequence<'_>,
        item: impl Fn(&YamlNode<'_>) -> Result<Value, Unread>,
    ) -> Result<Value, Unread> {
        let items = list.items().unwrap_or_default();
        let items: Result<Vec<Value>, Unread> = items.iter().map(item).collect();
        Ok(Value::Array(items?))
    }

    fn scalar(self, scalar: &Scalar<'_>, shape: Shape) -> Result<Value, String> {
        let number = scalar.as_number().map(|number| match number {
            source::Number::Known(value) | source::Number::Octal { calico: value, .. } => value,
        });
        let wrong = |wanted: &str| Err(format!("cannot read {:?} as {wanted}", scalar.text));
        match shape {
            Shape::Text => match scalar.calico_text() {
                Some(_) if self.is_in_array => wrong("a text; write it in quotes"),
                text => Ok(text.unwrap_or_else(|| scalar.text.to_string()).into()),
            },
            Shape::Truth => match scalar.as_bool() {
                Some(value) => Ok(value.into()),
                None => wrong("true or false"),
            },
            Shape::Number => {
                number.map_or_else(|| wrong("a number"), |value| Ok(json_number(value)))
            }
            Shape::Whole => match number.and_then(whole) {
                Some(value) => Ok(value.into()),
                None => wrong("a whole number"),
            },
            Shape::Port | Shape::Protocol => Ok(match number {
                Some(value) => json_number(value),
                None => port_or_name(&scalar.text),
            }),
            Shape::Any if self.is_felix && scalar.is_text() => Ok(duration(&scalar.text).into()),
            Shape::Any => Ok(match (scalar.as_bool(), number) {
                (Some(value), _) => value.into(),
                (_, Some(value)) => json_number(value),
                (None, None) => scalar.text.to_string().into(),
            }),
            Shape::Texts => wrong("texts by name"),
            Shape::List(_) => wrong("an array"),
            Shape::Object(_) => wrong("fields"),
        }
    }
}

/// Whether a value is left out, as Go's encoder leaves out what is empty.
fn is_nothing(value: &Value, shape: Shape) -> bool {
    match (value, shape) {
        (Value::Null, _) => true,
        (_, Shape::Any | Shape::Number | Shape::Whole | Shape::Port | Shape::Protocol) => false,
        (Value::String(text), _) => text.is_empty(),
        (Value::Array(items), _) => items.is_empty(),
        (Value::Object(fields), _) => fields.is_empty(),
        (Value::Bool(value), _) => !value,
        (Value::Number(_), _) => false,
    }
}

fn json_number(value: f64) -> Value {
    match whole(value) {
        Some(value) => value.into(),
        None => Number::from_f64(value).map_or(Value::Null, Value::Number),
    }
}

/// A number, or a range of one, as a number; other ranges and names as they are (spec DS-043).
fn port_or_name(text: &str) -> Value {
    if let Ok(number) = text.parse::<u16>() {
        return number.into();
    }
    match text.split_once(':') {
        Some((first, last)) if first == last => match first.parse::<u16>() {
            Ok(number) => number.into(),
            Err(_) => text.into(),
        },
        Some(_) | None => text.into(),
    }
}

/// A duration in the form in which Go writes it, such as `1m30s`; any other text as it is.
fn duration(text: &str) -> String {
    let mut rest = text;
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        let units = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ];
        let unit = units.into_iter().find(|(unit, _)| {
            behind.starts_with(unit) && !behind[unit.len()..].starts_with(char::is_alphabetic)
        });
        let (Ok(number), Some((unit, size))) = (number.parse::<u64>(), unit) else {
            return text.to_owned();
        };
        nanoseconds += u128::from(number) * size;
        rest = &behind[unit.len()..];
    }
    let seconds = nanoseconds / 1_000_000_000;
    if text.is_empty() || !nanoseconds.is_multiple_of(1_000_000_000) {
        return text.to_owned();
    }
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<Value, String> {
        let parsed = source::parse(text.as_bytes());
        let document = parsed.documents[0].clone().expanded();
        match decode(&document) {
            Ok(mut all) => Ok(all.remove(0).1),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Spec DS-043, DS-183, DS-185.
    #[test]
    fn scalars_are_what_calicoctl_takes_them_for() {
        let policy = decoded(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n\
             metadata: {name: 010, annotations: {x: y}, labels: {n: 0x10}}\n\
             Spec: {Order: 1e3, selector: '', types: [Egress], ingress: [{action: no, destination: {ports: ['80:80', 80:443, http]}}]}\n",
        );
        assert_eq!(
            policy,
            Ok(json!({
                "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy",
                "metadata": {"name": "8", "annotations": {"x": "true"}, "labels": {"false": "16"}},
                "spec": {"order": 1000, "types": ["Egress"],
                    "ingress": [{"action": "false", "destination": {"ports": [80, "80:443", "http"]}}]},
            }))
        );
        let wrong = |text: &str| decoded(text).expect_err("it is wrong");
        let head = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: t}\n";
        assert_eq!(
            wrong(&format!("{head}spec: {{ordr: 1}}\n")),
            "field in document is not recognized or is in the wrong location: ordr (4:8)"
        );
        assert_eq!(
            wrong("kind: tier\n"),
            "unknown resource type (tier) and/or version () (1:1)"
        );
        assert!(
            wrong("- apiVersion: projectcalico.org/v3\n  kind: Tier\n  metadata: {name: on}\n")
                .starts_with("cannot read")
        );
    }

    #[test]
    fn durations_are_written_as_go_does() {
        for (text, written) in [
            ("90s", "1m30s"),
            ("1m30s", "1m30s"),
            ("1h", "1h0m0s"),
            ("0s", "0s"),
            ("10ms", "10ms"),
            ("eth0", "eth0"),
            ("Auto", "Auto"),
        ] {
            assert_eq!(duration(text), written);
        }
    }
}
