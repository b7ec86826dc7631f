//! Hostile and ordinary files.

use std::time::Duration;

use super::*;

fn one(text: &str) -> YamlNode<'_> {
    let parsed = parse(text.as_bytes());
    assert_eq!(parsed.errors, [], "{text}");
    let [document] = <[YamlNode<'_>; 1]>::try_from(parsed.documents).expect("one document");
    document
}

fn error(text: impl AsRef<[u8]>) -> SyntaxError {
    let parsed = parse(text.as_ref());
    parsed.errors.into_iter().next().expect("an error")
}

fn scalar(text: &str) -> Scalar<'_> {
    let Value::Scalar(scalar) = one(text).value else {
        panic!("{text} is no scalar");
    };
    scalar
}

/// RS-002.
#[test]
fn one_file_holds_many_documents_and_json_is_yaml() {
    let parsed = parse(b"---\na: 1\n---\n# nothing\n---\n- b\n...\n---\n{\"c\": [1, \"x\"]}\n");
    assert_eq!(parsed.errors, []);
    assert_eq!(parsed.documents.len(), 3);
    assert!(parse(b"").documents.is_empty());
    assert!(parse(b"# only a comment\n").errors.is_empty());
}

#[test]
fn nodes_and_keys_know_their_place() {
    let Value::Mapping(entries) = one("a: x\n\u{e9}\u{e9}:\n  - 'y'\n").value else {
        panic!("a mapping");
    };
    assert_eq!((entries[0].line, entries[0].column), (1, 1));
    assert_eq!((entries[0].value.line, entries[0].value.column), (1, 4));
    let Value::Sequence(items) = &entries[1].value.value else {
        panic!("a sequence");
    };
    let items = items.items().expect("a short list");
    assert_eq!((items[0].line, items[0].column), (3, 5));
}

#[test]
fn plain_scalars_resolve_as_go_resolves_them() {
    for text in ["true", "True", "yes", "on"] {
        assert_eq!(scalar(text).as_bool(), Some(true), "{text}");
    }
    assert_eq!(scalar("'true'").as_bool(), None);
    let known = |number| Some(Number::Known(number));
    for (text, number) in [
        ("\"22\"", None),
        ("22", known(22.0)),
        ("-1", known(-1.0)),
        ("0x16", known(22.0)),
        ("08", known(8.0)),
        ("1_000", known(1000.0)),
        ("1e3", known(1000.0)),
        ("-.5", known(-0.5)),
        ("-.inf", known(f64::NEG_INFINITY)),
        ("!!str 22", None),
        ("!!int \"22\"", known(22.0)),
    ] {
        assert_eq!(scalar(text).as_number(), number, "{text}");
    }
    for (text, calico, decimal) in [
        ("022", 18.0, 22.0),
        ("-010", -8.0, -10.0),
        ("0_10", 8.0, 10.0),
    ] {
        assert_eq!(
            scalar(text).as_number(),
            Some(Number::Octal { calico, decimal }),
            "{text}"
        );
    }
    assert_eq!(whole(80.0), Some(80));
    assert_eq!(whole(0.5), None);
    assert_eq!(whole(1e300), None);
    for text in [
        "web",
        "10.0.0.0/8",
        "::/0",
        "80:443",
        "infinity",
        "nan",
        "-x",
        "1.2.3",
    ] {
        assert!(scalar(text).is_text(), "{text}");
    }
    for text in ["null2", "'~'", "\"\"", "'1'"] {
        assert!(scalar(text).is_text(), "{text}");
    }
    for text in ["1", "1.5", "no", "+.inf", "0"] {
        assert!(!scalar(text).is_text(), "{text}");
    }
}

#[test]
fn common_mistakes_are_told_with_their_place() {
    for (text, line, column, part) in [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "already defined in line 1"),
        ("interfaceName: *\n", 1, 16, "in quotes"),
        ("selector: !has(a)\n", 1, 11, "in quotes"),
        ("a:\n\tb: 1\n", 2, 1, "not tabs"),
        ("a: b: c\n", 1, 5, "quotes"),
        ("a: 'b\n", 1, 4, "quotes"),
        ("x: &a 1\ny:\n  <<: *a\n", 3, 3, "merged"),
        ("? [a]\n: b\n", 1, 3, "cannot be a key"),
        ("a: &x [*x]\n", 1, 8, "inside the value"),
    ] {
        let error = error(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.column.abs_diff(column) <= 4, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

/// RS-306, RS-310: the mapping at `d` of each, with its keys in order.
#[test]
fn merge_keys_give_what_is_not_written_out() {
    let keys = |text: &str| -> Vec<(String, String)> {
        let Value::Mapping(entries) = one(text).value else {
            panic!("{text}: a mapping");
        };
        let last = entries.into_iter().find(|entry| entry.key == "d");
        let Some(Value::Mapping(entries)) = last.map(|entry| entry.value.value) else {
            panic!("{text}: a mapping at d");
        };
        let text = |entry: Entry<'_>| match entry.value.value {
            Value::Scalar(scalar) => (entry.key.to_string(), scalar.text.to_string()),
            Value::Sequence(_) | Value::Mapping(_) => panic!("a text"),
        };
        entries.into_iter().map(text).collect()
    };
    let anchors = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n";
    for (text, expected) in [
        ("d: {<<: *x}\n", "a1 b1"),
        ("d: {<<: *x, b: 3}\n", "a1 b3"),
        ("d: {b: 3, <<: *x}\n", "b3 a1"),
        ("d: {<<: [*x, *y]}\n", "a1 b1 c2"),
        ("d: {<<: [*y, *x], e: 5}\n", "b2 c2 a1 e5"),
        ("d:\n  <<: {f: 6}\n  b: 3\n", "f6 b3"),
        ("z: &z {<<: *x, g: 7}\nd: {<<: *z}\n", "a1 b1 g7"),
        ("d: {<<: []}\n", ""),
        ("d: {'<<': 8}\n", "<<8"),
    ] {
        let got = keys(&format!("{anchors}{text}"));
        let got: Vec<String> = got
            .iter()
            .map(|(key, value)| format!("{key}{value}"))
            .collect();
        assert_eq!(got.join(" "), expected, "{text}");
    }
    for text in ["<<: null", "<<: x", "<<: [*x, y]", "<<: [[*x]]"] {
        assert!(
            error(format!("{anchors}d: {{{text}}}\n"))
                .message
                .contains("merged"),
            "{text}"
        );
    }
    error(format!("{anchors}d: {{<<: *x, <<: *y}}\n"));
}

/// RS-306: a tab separates tokens, and indents inside of brackets alone.
#[test]
fn tabs_separate_tokens_and_indent_nothing() {
    let plain = one("a: b\nc: [d, {e: f}]\ng:\n  - h\n  - i\n");
    let values = |node: &YamlNode<'_>| format!("{:?}", without_places(node));
    for text in [
        "a:\tb\nc:\t[d,\t{e:\tf}]\ng:\t\n  -\th\n  - \ti\t# j\n",
        "a: \tb\t\nc: [\td\t,\t{\te: f\t}\t]\ng:\n  - h\t\n\t\n  - i\n\t\n",
        "a: b\nc: [\n\td,\n\t{\n\t\te: f\n\t}\n\t]\ng:\n  - h\n  - i\n",
        "a: b\t# j\nc:\n - d\n - {\n\te:\n\tf\n   }\ng:\n  - h\n  - i\n",
    ] {
        assert_eq!(values(&one(text)), values(&plain), "{text:?}");
    }
    for text in ["a:\n\tb: c\n", "a:\n  b: c\n\td: e\n", "\ta: b\nc: d\n"] {
        error(text);
    }
    let quoted = one("a: \"x:\ty\"\nb: 'x:\ty'\n");
    assert!(values(&quoted).matches("x:\\ty").count() == 2, "{quoted:?}");
}

/// A document's texts without their places.
fn without_places(node: &YamlNode<'_>) -> Vec<String> {
    match &node.value {
        Value::Scalar(scalar) => vec![scalar.text.to_string()],
        Value::Sequence(list) => {
            let items = list.items().expect("a short list");
            items.iter().flat_map(without_places).collect()
        }
        Value::Mapping(entries) => {
            let inside = |entry: &Entry<'_>| {
                [vec![entry.key.to_string()], without_places(&entry.value)].concat()
            };
            entries.iter().flat_map(inside).collect()
        }
    }
}

/// RS-306.
#[test]
fn each_document_may_begin_with_a_byte_order_mark() {
    for text in [
        "\u{feff}a: 1\nb: 2\n---\n\u{feff}a: 1\nb: 2\n",
        "a: 1\nb: 2\n--- # c\n\n\u{feff}a: 1\nb: 2\n",
        "a: 1\nb: 2\n...\n\u{feff}---\na: 1\nb: 2\n",
        "a: 1\nb: 2\n---\r\n\u{feff}a: 1\r\nb: 2\r\n",
        "{a: 1, b: 2}\n---\n\u{feff}{a: 1, b: 2}\n",
    ] {
        let parsed = parse(text.as_bytes());
        assert_eq!(parsed.errors, [], "{text:?}");
        let documents: Vec<_> = parsed.documents.iter().map(without_places).collect();
        assert_eq!(
            documents,
            [["a", "1", "b", "2"], ["a", "1", "b", "2"]],
            "{text:?}"
        );
    }
    for text in [
        "a: 1\n\u{feff}b: 2\n",
        "a: \u{feff}1\n",
        "--- a\n\u{feff}b\n",
    ] {
        error(text);
    }
}

/// RS-301: what ends a line in YAML 1.1 alone, and what YAML has no use for.
#[test]
fn characters_that_readers_take_otherwise_are_refused() {
    for text in [
        "a: x\u{85}b: y\n",
        "a: 'x\u{2028}y'\n",
        "a: 1\n# c\u{2029}b: 2\n",
        "a: 'x\u{81}'\n",
        "a: 'x\u{fffe}'\n",
        "a: x\u{7f}\n",
    ] {
        error(text);
    }
    for text in ["a: 1\n# c \u{85}\n", "a: \"x\\u2028y\"\n", "a: é☃\n"] {
        assert_eq!(parse(text.as_bytes()).errors, [], "{text:?}");
    }
}

/// A scalar must fit its tag.
#[test]
fn tags_of_the_core_schema_are_checked() {
    for text in ["!!int x", "!!float x", "!!bool 1", "!!null x"] {
        error(format!("a: {text}\n"));
    }
    assert_eq!(scalar("!!bool y").as_bool(), Some(true));
    assert!(scalar("!!str y").is_text());
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let bad = error(b"a: 1\nb: \xc3\xa9\xff\n");
    assert_eq!((bad.line, bad.column), (2, 5));
    let bad = error(b"a: 1\n---\x00\nb: 2\n");
    assert_eq!((bad.line, bad.column), (2, 4));
    assert!(parse(b"\xef\xbb\xbfa: 1\n").errors.is_empty());
}

/// A mistake does not hide the documents before it.
#[test]
fn documents_before_a_mistake_are_kept() {
    let parsed = parse(b"a: 1\n---\nb: [\n");
    assert_eq!((parsed.documents.len(), parsed.errors.len()), (1, 1));
}

/// Anchors inside of each other, around `items` empty mappings.
fn nested_anchors(levels: usize, items: usize) -> String {
    let open: String = (0..levels).map(|level| format!("&a{level} [")).collect();
    let items = vec!["{}"; items].join(",");
    format!("a: {open}{items}{}\n", "]".repeat(levels))
}

/// CPU time of this thread, which other load on the machine does not change.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("not negative")
}

#[test]
fn anchors_cost_a_multiple_of_their_file() {
    let start = cpu_time();
    for (levels, items) in [(60, 50_000), (60, 10_000), (2, 400_000)] {
        let message = error(nested_anchors(levels, items)).message;
        assert!(
            message.contains("with anchors"),
            "{levels} {items}: {message}"
        );
    }
    for anchored in [nested_anchors(60, 100), nested_anchors(1, 30_000)] {
        assert_eq!(parse(anchored.as_bytes()).errors, []);
    }
    let nets: String = (0..200_000)
        .map(|n| format!("  - 10.{n}.0.0/16\n"))
        .collect();
    assert_eq!(parse(format!("nets: &all\n{nets}").as_bytes()).errors, []);
    assert!(cpu_time() - start < Duration::from_secs(20));
}

#[test]
fn repeated_keys_are_told_up_to_a_number() {
    let errors = parse("a: 1\n".repeat(20_000).as_bytes()).errors;
    assert_eq!(errors.len(), MAX_SYNTAX_ERRORS);
}

#[test]
fn deep_nesting_and_alias_bombs_end_early() {
    let start = cpu_time();
    error("[".repeat(1 << 20));
    error("- ".repeat(1 << 20));
    error("{a: ".repeat(1 << 18));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let refs = vec![format!("*a{}", level - 1); 8].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    assert!(error(&bomb).message.contains("aliases"));
    let mut tower = "a0: &a0 [[[[[[[[x]]]]]]]]\n".to_owned();
    for level in 1..40 {
        tower.push_str(&format!("a{level}: &a{level} [[[[*a{}]]]]\n", level - 1));
    }
    assert!(error(&tower).message.contains("levels of nested lists"));
    let long = "x".repeat(1 << 20);
    let copies = "- *a\n".repeat(1000);
    assert!(
        error(format!("- &a {long}\n{copies}"))
            .message
            .contains("aliases")
    );
    assert!(cpu_time() - start < Duration::from_secs(20));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        drop(parse(&bytes));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-a:?&*!|>'\"%@{}\\[\\],# \n\t\\\\]{0,60}") {
        drop(parse(text.as_bytes()));
    }
}
