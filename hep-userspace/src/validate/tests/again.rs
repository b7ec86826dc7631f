//! Loading again: cached state of a loader never shows in its result.

use std::fmt::Write as _;

use proptest::{prelude::*, sample::select};

use super::*;
use crate::validate::Loader;

/// A change of a text: of its list of members, or of the rest.
#[derive(Clone, Debug)]
enum Change {
    /// Puts a line at a place of the list.
    Insert(usize, &'static str),
    /// Takes a line out.
    Remove(usize),
    /// Writes another comment in front, which moves all lines.
    Comment(usize),
    /// Gives the set another name.
    Rename(bool),
}

fn some_change() -> impl Strategy<Value = Change> {
    let line = select(vec![
        "10.200.0.1",
        "10.200.0.0/16",
        "10.0.3.0/24",
        "2001:db8::/32",
        "2001:db8::1",
        "10.0.0.0/33",
        "x",
        "'10.201.0.1'",
    ]);
    prop_oneof![
        6 => (0..700_usize, line).prop_map(|(at, line)| Change::Insert(at, line)),
        3 => (0..700_usize).prop_map(Change::Remove),
        1 => (0..3_usize).prop_map(Change::Comment),
        1 => any::<bool>().prop_map(Change::Rename),
    ]
}

fn text(comments: usize, name: &str, lines: &[String]) -> String {
    let mut text = "# x\n".repeat(comments);
    let _infallible = write!(
        text,
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: {name}}}\nspec:\n  nets:\n"
    );
    for line in lines {
        let _infallible = writeln!(text, "  - {line}");
    }
    text + "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: after}\n\
            spec: {nets: [192.0.2.1]}\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// RS-006: the result is that of a load from nothing, positions included.
    #[test]
    fn a_loader_finds_what_a_first_load_finds(changes in proptest::collection::vec(some_change(), 1..12)) {
        let mut lines: Vec<String> = (0..650).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect();
        let (mut comments, mut name) = (0, "a");
        let mut loader = Loader::default();
        for change in changes {
            match change {
                Change::Insert(at, line) => lines.insert(at.min(lines.len()), line.to_owned()),
                Change::Remove(at) => drop(lines.remove(at.min(lines.len() - 1))),
                Change::Comment(count) => comments = count,
                Change::Rename(other) => name = if other { "after" } else { "a" },
            }
            let files = [file("a.yaml", text(comments, name, &lines)), file("b.yaml", "# nothing\n")];
            let again = loader.load(&files, &node(), Scope::Directory);
            let first = load(&files, &node(), Scope::Directory);
            prop_assert_eq!(again.problems, first.problems);
            let sets = |loaded: &Option<crate::model::Snapshot>| loaded.as_ref().map(|snapshot| snapshot.sets.clone());
            prop_assert_eq!(sets(&again.snapshot), sets(&first.snapshot));
        }
    }
}
