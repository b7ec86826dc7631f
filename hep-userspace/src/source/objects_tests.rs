//! One object of several in a text is found, cut out and replaced, and nothing else changes.

use proptest::{prelude::*, sample::select};

use super::{
    super::{Scalar, parse},
    *,
};

const FILE: &str = "# All of the office. é
---
# Who works here.
kind: GlobalNetworkSet   # addresses
metadata:
  name: office
spec:
  nets:
    - 192.0.2.0/24   # first floor
    # second floor
    - 198.51.100.0/24
# The end of the office.

--- # next
kind: Tier
metadata: {name: net}
spec:
# nothing yet
---
apiVersion: v1
kind: List
items:
  - kind: Tier
    metadata: {name: one}
    # why
    spec:
      order: 1
  # between
  - kind: NetworkSet
    metadata: {name: two, namespace: prod}
    spec: {nets: []}
  - {kind: Tier, metadata: {name: three}, spec: }
...
";

/// Calls `use_it` with the object of this name.
fn with<T>(text: &str, name: &str, use_it: impl FnOnce(Object<'_, '_>) -> T) -> T {
    let parsed = parse(text.as_bytes());
    assert_eq!(parsed.errors, []);
    let mut found = Vec::new();
    for document in &parsed.documents {
        each_object(document, &mut |object| {
            found.push(object);
            true
        });
    }
    let object = found.into_iter().find(|object| object.name == name);
    use_it(object.expect("it is there"))
}

fn cut(name: &str) -> &'static str {
    let span = with(FILE, name, |object| object.span()).expect("known");
    &FILE[span]
}

#[test]
fn objects_are_the_parts_of_the_text_that_hold_them() {
    let office = cut("office");
    assert!(
        office.starts_with("kind: GlobalNetworkSet   # addresses\nmetadata:"),
        "{office}"
    );
    assert!(
        office.ends_with("# second floor\n    - 198.51.100.0/24"),
        "{office}"
    );
    assert_eq!(cut("net"), "kind: Tier\nmetadata: {name: net}\nspec:");
    let one = "kind: Tier\n    metadata: {name: one}\n    # why\n    spec:\n      order: 1";
    assert_eq!(cut("one"), one);
    assert!(cut("two").ends_with("spec: {nets: []}"));
    assert_eq!(
        cut("three"),
        "{kind: Tier, metadata: {name: three}, spec: }"
    );
    let ids = ["office", "two"].map(|name| with(FILE, name, |object| object.id()));
    let ids = ids.map(|id| id.expect("known").to_string());
    assert_eq!(ids, ["GlobalNetworkSet/office", "NetworkSet/prod/two"]);
}

#[test]
fn documents_reach_from_separator_to_separator() {
    let document = |name| {
        let span = with(FILE, name, |object| object.span()).expect("known");
        &FILE[document_around(FILE, span)]
    };
    assert!(document("office").starts_with("# Who works here.\nkind:"));
    assert!(document("office").ends_with("# The end of the office.\n\n"));
    let net = "kind: Tier\nmetadata: {name: net}\nspec:\n# nothing yet\n";
    assert_eq!(document("net"), net);
    assert!(document("one").starts_with("apiVersion: v1\n"));
    assert!(document("one").ends_with("spec: }\n"));
    let text = "--- {kind: Tier, metadata: {name: x}} # it\n# more\n";
    let span = with(text, "x", |object| object.span()).expect("known");
    assert_eq!(&text[document_around(text, span)], &text[4..]);
}

/// RS-002.
#[test]
fn replacing_an_object_leaves_every_other_byte() {
    let new = "kind: Tier\nmetadata:\n  name: new # really\n\nspec: {}\n";
    for name in ["office", "net", "one", "two"] {
        let old = with(FILE, name, |object| object.span()).expect("known");
        let edited = with(FILE, name, |object| replaced(FILE, &object, new)).expect("possible");
        assert_eq!(edited[..old.start], FILE[..old.start], "{name}");
        let behind = &FILE[old.end..];
        assert!(edited.ends_with(behind), "{name}: {edited}");
        let span = with(&edited, "new", |object| object.span()).expect("known");
        assert_eq!(span, old.start..edited.len() - behind.len(), "{name}");
        let lines: Vec<&str> = edited[span].lines().map(str::trim).collect();
        assert_eq!(lines.join("\n"), new.replace("  ", "").trim_end(), "{name}");
        for other in ["office", "net", "one", "two", "three"] {
            if other != name {
                let same = with(&edited, other, |object| object.span()).expect("known");
                assert_eq!(&edited[same], cut(other), "{name}, {other}");
            }
        }
    }
    let json = "[{\"kind\": \"Tier\", \"metadata\": {\"name\": \"a\"}},\n {\"kind\": \"Tier\"}]";
    let edited = with(json, "a", |object| {
        replaced(json, &object, "{\"kind\": \"Node\"}")
    });
    assert_eq!(
        edited.as_deref(),
        Some("[{\"kind\": \"Node\"},\n {\"kind\": \"Tier\"}]")
    );
}

#[test]
fn places_in_texts_that_the_parser_was_not_given_are_not_known() {
    for (text, is_known) in [
        ("\u{feff}kind: Tier\nmetadata: {name: x}\n", true),
        (
            "a: 1\n---\n\u{feff}kind: Tier\nmetadata: {name: x}\n",
            false,
        ),
        ("kind: Tier\nmetadata: {\n\tname: x}\n", false),
    ] {
        let span = with(text, "x", |object| object.span());
        assert_eq!(span.is_some(), is_known, "{text}");
        let whole = "kind: Tier\nmetadata: {name: x}";
        assert!(span.is_none_or(|span| text[span] == *whole), "{text}");
    }
}

/// A value in block or flow style, with comments between.
fn some_value() -> impl Strategy<Value = Vec<String>> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let scalar = select(vec![
        "x",
        "'é é'",
        "\"a\\tb\"",
        "|\n  one\n  # two\n\n",
        ">-\n  one\n  two",
        "",
        "{a: [é, ~], b: }",
        "[1, {c: d}] # why",
        "plain\n  text",
        "~",
        "!!str 5",
    ]);
    scalar.prop_map(lines).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|items| nested(&items, |_| "-".to_owned())),
            proptest::collection::vec(inner, 1..4)
                .prop_map(|items| nested(&items, |number| format!("k{number}:"))),
        ]
    })
}

/// Items below each other, each behind its head; collections begin in a line of their own.
fn nested(items: &[Vec<String>], head: impl Fn(usize) -> String) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (number, item) in items.iter().enumerate() {
        let first = item.first().map(String::as_str).unwrap_or_default();
        lines.push(format!("{} {first}", head(number)));
        lines.extend(item.iter().skip(1).map(|line| match line.as_str() {
            "" => String::new(),
            line => format!("  {line}"),
        }));
        if number % 2 == 1 {
            lines.push("# comment é".to_owned());
        }
    }
    lines
}

/// Checks that spans are inside of each other, in order, and that scalars are where they say.
fn check(text: &str, node: &YamlNode<'_>) {
    let span = node.span.range().unwrap_or_default();
    let children: Vec<&YamlNode<'_>> = match &node.value {
        Value::Scalar(Scalar { text: value, plain }) => {
            let is_simple = *plain && !value.contains([' ', '\n']);
            assert!(
                !is_simple || text[span].ends_with(&**value),
                "{text}\n{node:?}"
            );
            return;
        }
        Value::Sequence(list) => list.items().unwrap_or_default().iter().collect(),
        Value::Mapping(entries) => entries.iter().map(|entry| &entry.value).collect(),
    };
    let last = &text[span.clone()];
    assert!(!last.ends_with(char::is_whitespace), "{text}\n{last:?}");
    let mut end = span.start;
    for child in children {
        check(text, child);
        if let Some(inner) = child.span.range() {
            assert!(
                end <= inner.start && inner.end <= span.end,
                "{text}\n{node:?}"
            );
            end = inner.end;
        }
    }
}

proptest! {
    #[test]
    fn every_value_is_where_its_span_says(values in proptest::collection::vec(some_value(), 1..4)) {
        let documents = values.iter().map(|lines| lines.join("\n") + "\n# behind\n");
        let text = documents.collect::<Vec<_>>().join("---\n");
        let parsed = parse(text.as_bytes());
        prop_assert_eq!(&parsed.errors, &[], "{}", text);
        for document in &parsed.documents {
            check(&text, document);
            let Some(span) = document.span.range() else { continue };
            let part = text[span].to_owned();
            // A text block that ends its document keeps its line feed only there.
            let again = parse(part.as_bytes()).documents;
            prop_assert_eq!(again.len(), 1, "{}\n{}", text, part);
        }
    }
}
