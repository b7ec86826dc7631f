//! The statements of the selector specification, and the conformance cases.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{MAX_CHARACTERS, MAX_DEPTH, Selector, SelectorError};

fn parse(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn reject(text: &str) -> String {
    match Selector::parse(text) {
        Ok(selector) => panic!("{text} was accepted as {selector}"),
        Err(error) => error.to_string(),
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// SL-016, SL-017, SL-036, SL-040.
#[test]
fn canonical_text_of_the_check_vectors() {
    for (text, canonical) in [
        ("", "all()"),
        (" \t", "all()"),
        (" (all() )", "all()"),
        ("! (has( b)||! has(a ))", "!(has(b) || !has(a))"),
        (
            "! (a == \"b\"&&! c != \"d\")",
            "!(a == \"b\" && !c != \"d\")",
        ),
        ("a startswith '\"'", "a starts with '\"'"),
        ("a!='\"'", "a != '\"'"),
        (
            "a in {\"z\", \"z\", \"x\", \"y\", \"x\", \"a\"}",
            "a in {\"a\", \"x\", \"y\", \"z\"}",
        ),
        ("a notin{'b',}", "a not in {\"b\"}"),
        ("a in {}", "a in {}"),
        ("!!!has(a)", "!has(a)"),
        ("!!has(a)", "has(a)"),
        ("!(!has(a))", "has(a)"),
        ("(((a endswith 'x')))", "a ends with \"x\""),
        (
            "a=='b'&&c=='d'&&has(e)",
            "(a == \"b\" && c == \"d\" && has(e))",
        ),
        (
            "(has(a) && has(b)) && has(c)",
            "((has(a) && has(b)) && has(c))",
        ),
        (
            "has(a) || has(b) && has(c)",
            "(has(a) || (has(b) && has(c)))",
        ),
        ("global( )", "global()"),
    ] {
        let selector = parse(text);
        assert_eq!(selector.canonical(), canonical, "{text}");
        assert_eq!(parse(canonical).canonical(), canonical, "SL-037: {text}");
    }
}

/// SL-038, SL-041.
#[test]
fn identity_of_the_check_vectors() {
    for (text, id) in [
        ("all()", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug"),
        ("a == \"b\"", "s:flMh0m0X_BowkAK_W3j3MgH8oQOsj3WxGDoXCQ"),
        (
            "a == 'b' && c == 'd'",
            "s:ZBcARiK7HJo4sz0nADMeJFL33YHRGbl8lpExOw",
        ),
        (
            "!(has(b) || !has(a))",
            "s:Iss0uCleLYv1GSv_pNm7hAO58kE9jAx1NKyG3Q",
        ),
        (
            "!(a == \"b\" && !c != \"d\")",
            "s:lh3haoY1ikTRkd4UZu0nWSaIBknYLPJLX16d-w",
        ),
    ] {
        assert_eq!(parse(text).id(), id, "{text}");
    }
}

/// SL-020, SL-002, SL-014, SL-018.
#[test]
fn what_must_be_rejected_is() {
    for text in [
        "b == b",
        "b contains b",
        "'b1' == b",
        "b",
        "a b",
        "!",
        "foo == \"bar\" &",
        "foo == \"bar\" |",
        "foo != ||",
        "foo in {\"\", ||",
        "foo in \"\"",
        "\"FOO",
        "\"FOO'",
        "(",
        "(a == \"foo\"",
        ")",
        "()",
        "%",
        "a == \"b\" && %",
        "a ",
        "has(foo) &&",
        "a == 'b'\n",
        "\u{a0}all()",
        "a = 'b'",
        "Has(a)",
        "a IN {'b'}",
        "a in {,}",
        "a in {'b',,}",
        "a inx {'b'}",
        "has()",
        "has (a)",
        "all(x)",
        "all() all()",
        "a == 'b' c",
    ] {
        reject(text);
    }
}

/// SL-006, SL-013: operators and function names are label keys where they cannot be anything else.
#[test]
fn keywords_are_usable_as_keys() {
    for key in [
        "in", "has", "all", "not", "contains", "starts", "global", "-", "/x", "1", "a..b",
    ] {
        let selector = parse(&format!("{key} == 'x'"));
        assert!(selector.matches(&labels(&[(key, "x")])), "{key}");
        assert!(!selector.matches(&labels(&[])), "{key}");
    }
}

/// SL-002: the message names the column and what was expected there.
#[test]
fn errors_say_where_and_what_was_expected() {
    for (text, column, part) in [
        (
            "role = 'x'",
            6,
            "expected an operator after the label key: ==",
        ),
        (
            "role == x",
            9,
            "expected a string in quotes, found label key x",
        ),
        ("has(a) & has(b)", 8, "expected '&&', found '&'"),
        ("role == 'x", 9, "is not closed"),
        ("a == 'b'\n&& c == 'd'", 9, "a line break"),
        ("a == 'b' && ", 13, "found the end of the selector"),
        ("a == '\u{e9}' \u{e9}", 11, "byte 0xc3"),
        ("a in 'b'", 6, "expected a set"),
    ] {
        let error = Selector::parse(text).expect_err(text);
        assert_eq!(error.column(), column, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

/// RS-018, RS-302, SL-001, SL-004, SL-019.
#[test]
fn lengths_and_depths_have_limits() {
    let padding = |length: usize| format!("has(a){}", " ".repeat(length - 6));
    parse(&padding(MAX_CHARACTERS));
    assert!(matches!(
        Selector::parse(&padding(MAX_CHARACTERS + 1)),
        Err(SelectorError::TooLong { characters }) if characters == MAX_CHARACTERS + 1
    ));
    parse(&format!("has({})", "k".repeat(512)));
    reject(&format!("has({})", "k".repeat(513)));
    let nested = |depth: usize| format!("{}has(a){}", "(".repeat(depth), ")".repeat(depth));
    parse(&nested(MAX_DEPTH));
    assert!(matches!(
        Selector::parse(&nested(MAX_DEPTH + 1)),
        Err(SelectorError::TooDeep { column: 65 })
    ));
}

/// SL-021 to SL-034: (selector, without the label, with `k: ""`, with `k: "value"`).
#[test]
fn operators_on_absent_empty_and_present_labels() {
    for (text, absent, empty, present) in [
        ("k == 'value'", false, false, true),
        ("k != 'value'", true, true, false),
        ("k in {'value', 'x'}", false, false, true),
        ("k in {}", false, false, false),
        ("k not in {'value', 'x'}", true, true, false),
        ("k not in {}", true, true, true),
        ("has(k)", false, true, true),
        ("!has(k)", true, false, false),
        ("k contains 'alu'", false, false, true),
        ("k contains ''", false, true, true),
        ("!k contains 'alu'", true, true, false),
        ("k starts with 'va'", false, false, true),
        ("k starts with 'al'", false, false, false),
        ("k ends with 'ue'", false, false, true),
        ("k ends with 'lu'", false, false, false),
        ("k == 'VALUE'", false, false, false),
        ("all()", true, true, true),
        ("global()", true, true, true),
        ("!k == 'value' && has(k)", false, true, false),
    ] {
        let selector = parse(text);
        assert_eq!(selector.matches_unlabelled(), absent, "{text}, absent");
        assert_eq!(
            selector.matches(&labels(&[("k", "")])),
            empty,
            "{text}, empty"
        );
        assert_eq!(
            selector.matches(&labels(&[("k", "value")])),
            present,
            "{text}, present"
        );
    }
}

/// SL-015.
#[test]
fn not_binds_tighter_than_and_and_and_than_or() {
    assert_eq!(
        parse("!a == 'b' && c == 'd'"),
        parse("(!(a == 'b')) && (c == 'd')")
    );
    assert_eq!(
        parse("has(a) || has(b) && has(c)"),
        parse("has(a) || (has(b) && has(c))")
    );
}

/// SL-057.
#[test]
fn selector_and_not_selector_merge_into_one() {
    let merged = parse("role == 'web'").except(&parse("env == 'dev' || has(old)"));
    assert_eq!(
        merged.canonical(),
        "(role == \"web\" && !(env == \"dev\" || has(old)))"
    );
    assert_eq!(
        merged,
        parse("(role == 'web') && (!(env == 'dev' || has(old)))")
    );
    assert!(merged.matches(&labels(&[("role", "web")])));
    assert!(!merged.matches(&labels(&[("role", "web"), ("old", "")])));
    assert_eq!(
        parse("has(a)").except(&parse("!has(b)")).canonical(),
        "(has(a) && has(b))"
    );
}

#[derive(Deserialize)]
struct Case {
    id: String,
    selector: String,
    labels: BTreeMap<String, String>,
    expect: String,
}

#[test]
fn conformance_cases() {
    let text = include_str!("../../../tests/cases/selectors.jsonl");
    let mut failures = Vec::new();
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("the case file holds cases");
        let got = match Selector::parse(&case.selector) {
            Err(_) => "invalid",
            Ok(selector) if selector.matches(&case.labels) => "match",
            Ok(_) => "nomatch",
        };
        if got != case.expect {
            failures.push(format!("{}: expected {}, got {got}", case.id, case.expect));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[ab01 \t(){}!&|=,'\"]{0,80}|.{0,80}|(has\\(|all\\(\\)|in|not in|'a'|!|&&|\\(|\\)| ){0,60}") {
        if let Ok(selector) = Selector::parse(&text) {
            let again = Selector::parse(selector.canonical());
            proptest::prop_assert_eq!(again.as_ref().map(Selector::canonical), Ok(selector.canonical()));
        }
    }
}

/// SL-003, SL-005, SL-007 to SL-012.
#[test]
fn tokens_stand_where_their_boundary_is_clear() {
    for (text, canonical) in [
        ("a==\"b\"&&c!='d'", "(a == \"b\" && c != \"d\")"),
        ("a in{'x','y'}", "a in {\"x\", \"y\"}"),
        ("has( x )||all( )", "(has(x) || all())"),
        ("a == 'two \"words\"'", "a == 'two \"words\"'"),
        ("a == 'line\nbreak'", "a == \"line\nbreak\""),
        ("a == ''", "a == \"\""),
        ("a startswith 'b'", "a starts with \"b\""),
        ("a starts\twith 'b'", "a starts with \"b\""),
        ("a notin {'b'}", "a not in {\"b\"}"),
        ("in in {'in'}", "in in {\"in\"}"),
        ("!global( )", "!global()"),
    ] {
        assert_eq!(parse(text).canonical(), canonical, "{text}");
    }
    for text in [
        "a = 'b'",
        "has(a) & has(b)",
        "has(a) | has(b)",
        "has (a)",
        "has()",
        "all (",
        "global(a)",
        "a containsx 'b'",
        "a in.x {'b'}",
        "contains 'b'",
        "a == 'b\"",
        "a in {'b' 'c'}",
    ] {
        reject(text);
    }
}

/// SL-035, SL-047.
#[test]
fn every_object_is_matched_or_not_whatever_its_keys() {
    let objects = [
        labels(&[]),
        labels(&[("projectcalico.org/role", "db")]),
        labels(&[("role", "")]),
    ];
    for (text, expected) in [
        ("projectcalico.org/role == 'db'", [false, true, false]),
        ("!(role contains 'x')", [true, true, true]),
        ("role ends with ''", [false, false, true]),
        (
            "has(projectcalico.org/role) || role == ''",
            [false, true, true],
        ),
    ] {
        let got = objects.each_ref().map(|labels| parse(text).matches(labels));
        assert_eq!(got, expected, "{text}");
    }
}
