//! Long lists read as lines mean the same as read by the general parser.

use proptest::{prelude::*, sample::select};

use super::{
    super::{Piece, Value, YamlNode, builder, parse},
    Abridged, changed_lines,
};

/// How many items of the text's lists were not read one by one.
fn left_out(node: &YamlNode<'_>) -> usize {
    match &node.value {
        Value::Scalar(_) => 0,
        Value::Mapping(entries) => entries.iter().map(|entry| left_out(&entry.value)).sum(),
        Value::Sequence(list) => list
            .pieces()
            .map(|piece| match piece {
                Piece::Lines(lines) => lines.count,
                Piece::Nodes(nodes) => nodes.iter().map(left_out).sum(),
            })
            .sum(),
    }
}

/// Parses both ways, compares, and returns how many items were not read one by one.
fn same_both_ways(text: &str) -> usize {
    let general = builder::build(&Abridged::whole(text)).parsed;
    let quick = parse(text.as_bytes());
    assert_eq!(quick.errors, general.errors);
    let documents: Vec<_> = quick
        .documents
        .iter()
        .cloned()
        .map(YamlNode::expanded)
        .collect();
    assert_eq!(documents, general.documents);
    quick.documents.iter().map(left_out).sum()
}

fn items(indent: &str, count: usize) -> String {
    (0..count)
        .map(|n| format!("{indent}- 10.{}.{}.0/24\n", n / 256, n % 256))
        .collect()
}

#[test]
fn a_long_list_is_left_out_with_what_follows_in_its_place() {
    let text = format!(
        "a: 1\nspec:\n  nets:\n{}  other: x\n---\nb: [2]\nnets:\n{}- '::1'\n# end\n- 2001:db8::/32\n",
        items("  ", 700),
        items("", 600).replace("- ", "- '").replace('\n', "'\n")
    );
    assert_eq!(same_both_ways(&text), 698 + 599);
}

#[test]
fn what_only_looks_like_a_long_list_is_read_as_it_is() {
    let list = items("  ", 600);
    for text in [
        format!("nets: |\n{list}"),
        format!("nets: \"\n{list}  \"\n"),
        format!("nets: x\n{list}"),
        format!("nets: [\n{list}]\n"),
        format!(
            "nets:\n  -\n{}",
            items("    ", 600).replace("    - ", "    ")
        ),
        format!("names:\n{list}"),
        format!("nets: &a\n{list}copy: *a\n"),
        format!("nets:\n{list}nets: twice\n"),
        format!("nets:\n{list}  broken: here\n"),
        format!("nets:\n{list}   - 10.9.0.0/24\n"),
        format!("nets:\n{list}    and more\n"),
        format!("nets:\n{}", list.replace("10.1.0.0/24", "2001:db8::")),
        list.clone(),
    ] {
        let found = same_both_ways(&text);
        assert!(
            found == 0 || text.contains("db8"),
            "{found} of {}",
            &text[..30]
        );
    }
}

fn some_line() -> impl Strategy<Value = &'static str> {
    select(vec![
        "10.0.0.0/8",
        "'10.0.0.1'",
        "\"::1\"",
        "::",
        "a:",
        "- x",
        "10 # c",
        "[1]",
        "*a",
        "&a 1",
        "a b",
        "",
        "|",
        "12:30",
        "0x1",
        "!t 1",
        "? a",
        "a: b",
        "\u{e9}",
        "  1",
        "1 ",
        "\t1",
        "---",
        "...",
    ])
}

fn some_text() -> impl Strategy<Value = String> {
    let head = select(vec![
        "nets:\n",
        "spec:\n  nets:\n",
        "",
        "nets: |\n",
        "nets: '\n",
        "a: b\nnets:\n",
    ]);
    let block = (
        select(vec!["", " ", "  ", "    "]),
        505_usize..530,
        some_line(),
        some_line(),
    );
    let tail = select(vec!["", "x: 1\n", "  x: 1\n", "'\n", "---\nb: 2\n", "..."]);
    (head, proptest::collection::vec(block, 1..4), tail).prop_map(|(head, blocks, tail)| {
        let mut text = head.to_owned();
        for (indent, count, before, behind) in blocks {
            text += &format!(
                "{indent}- {before}\n{}{indent}- {behind}\n",
                items(indent, count)
            );
        }
        text + tail
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_text_means_the_same_both_ways(text in some_text()) {
        same_both_ways(&text);
    }

    #[test]
    fn differences_are_whole_lines_and_cover_all(one in "[ab\n]{0,12}", two in "[ab\n]{0,12}") {
        let (start, [end_one, end_two]) = changed_lines(one.as_bytes(), two.as_bytes());
        prop_assert_eq!(&one[..start], &two[..start]);
        prop_assert_eq!(&one[end_one..], &two[end_two..]);
        for (text, end) in [(&one, end_one), (&two, end_two)] {
            prop_assert!(start <= end);
            prop_assert!(start == 0 || text[..start].ends_with('\n'));
            prop_assert!(end == text.len() || end == start || text[..end].ends_with('\n'));
        }
    }
}
