//! Resources in Go templates, whose fields have the names of Calico's Go types.

use std::collections::HashMap;

use gtmpl_value::Value as Go;
use serde_json::Value;

use crate::{
    model::Kind,
    resources::{Field, Shape, of_kind},
};

/// Words of field names that Go spells in capitals.
const CAPITALS: [(&str, &str); 12] = [
    ("api", "API"),
    ("uid", "UID"),
    ("icmp", "ICMP"),
    ("ip", "IP"),
    ("http", "HTTP"),
    ("expectedIPs", "ExpectedIPs"),
    ("asNumber", "ASNumber"),
    ("bgp", "BGP"),
    ("ipv4", "IPv4"),
    ("ipv6", "IPv6"),
    ("bpf", "BPF"),
    ("xdp", "XDP"),
];

/// The text of a template for these lists and resources.
///
/// # Errors
///
/// The template's mistake.
pub(super) fn render(template: &str, shown: &[(Kind, Value)]) -> Result<String, String> {
    let all = shown.iter().map(|(kind, value)| go(*kind, value)).collect();
    gtmpl::template(template, Go::Array(all)).map_err(|error| error.to_string())
}

/// A list or a resource.
fn go(kind: Kind, value: &Value) -> Go {
    let Some(items) = value.get("items").and_then(Value::as_array) else {
        return object(value, of_kind(kind));
    };
    let mut list = fields(value, &[("metadata", Shape::Any), ("kind", Shape::Text)]);
    let items = items.iter().map(|item| object(item, of_kind(kind)));
    list.insert("Items".to_owned(), Go::Array(items.collect()));
    Go::Object(list)
}

fn object(value: &Value, shape: &[Field]) -> Go {
    Go::Object(fields(value, shape))
}

/// Fields by their names in Go; those of a known shape that are absent have Go's zero value. The fields of
/// metadata are the resource's own, too, as Go's embedding has them.
fn fields(value: &Value, shape: &[Field]) -> HashMap<String, Go> {
    let mut fields = HashMap::new();
    for (name, shape) in shape {
        let value = value.get(*name).unwrap_or(&Value::Null);
        fields.insert(field_name(name), shaped(value, *shape));
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        if !shape.iter().any(|(known, _)| known == name) {
            fields.insert(field_name(name), shaped(value, Shape::Any));
        }
    }
    if let Some(Go::Object(metadata)) = fields.remove("Metadata") {
        for (name, value) in &metadata {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
        fields.insert("ObjectMeta".to_owned(), Go::Object(metadata));
    }
    fields
}

fn shaped(value: &Value, shape: Shape) -> Go {
    match (value, shape) {
        (value, Shape::Object(inner)) => object(value, inner),
        (Value::Null, Shape::Text) => Go::String(String::new()),
        (Value::Null, Shape::Truth) => Go::Bool(false),
        (Value::Null, Shape::List(_)) => Go::Array(Vec::new()),
        (Value::Null, Shape::Texts) => Go::Map(HashMap::new()),
        (Value::Null, _) => Go::Nil,
        (Value::Bool(value), _) => Go::Bool(*value),
        (Value::String(text), _) => Go::String(text.clone()),
        (Value::Number(number), _) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Go::from(whole),
            (None, Some(number)) => Go::from(number),
            (None, None) => Go::Nil,
        },
        (Value::Array(items), Shape::List(item)) => {
            Go::Array(items.iter().map(|value| shaped(value, *item)).collect())
        }
        (Value::Array(items), _) => Go::Array(
            items
                .iter()
                .map(|value| shaped(value, Shape::Any))
                .collect(),
        ),
        (Value::Object(pairs), Shape::Texts) => {
            let pair = |(key, value): (&String, &Value)| (key.clone(), shaped(value, Shape::Text));
            Go::Map(pairs.iter().map(pair).collect())
        }
        (value @ Value::Object(_), _) => object(value, &[]),
    }
}

/// The name of a field in Go.
fn field_name(name: &str) -> String {
    let known = CAPITALS.iter().filter(|(word, _)| {
        let behind = name.strip_prefix(word);
        behind.is_some_and(|behind| !behind.starts_with(|letter: char| letter.is_lowercase()))
    });
    if let Some((word, capitals)) = known.max_by_key(|(word, _)| word.len()) {
        return format!("{capitals}{}", &name[word.len()..]);
    }
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_uppercase(), letters.as_str())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Spec DS-176.
    #[test]
    fn fields_have_the_names_of_go() {
        for (name, go) in [
            ("apiVersion", "APIVersion"),
            ("interfaceName", "InterfaceName"),
            ("expectedIPs", "ExpectedIPs"),
            ("ipVersion", "IPVersion"),
            ("uid", "UID"),
            ("icmp", "ICMP"),
        ] {
            assert_eq!(field_name(name), go);
        }
        let list = json!({"kind": "GlobalNetworkPolicyList", "metadata": {}, "items": [
            {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"order": 5}},
        ]});
        let template = "{{range .}}{{range .Items}}{{.Name}}:{{.ObjectMeta.Name}}:{{.Spec.Tier}}:{{.Spec.Order}} {{end}}{{end}}";
        let text = render(template, &[(Kind::GlobalNetworkPolicy, list)]);
        assert_eq!(text.as_deref(), Ok("p:p::5 "));
        assert!(render("{{", &[]).is_err());
    }
}
