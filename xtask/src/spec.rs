//! Which tests prove which statement of `tests/spec/`.
//!
//! A statement is declared where its number is in bold (`**EV-053**`); elsewhere a number is a reference. A
//! test proves it by naming it: in the name of the test function (`ev_053_…`), in the comments before it,
//! in its body, in a table of a test file, or in a case file; `EV-104 to EV-106` names all three.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// The families of statements: the first letters of their numbers, and how many digits follow.
const FAMILIES: [(&str, usize); 5] = [("DS", 3), ("EV", 3), ("EX", 2), ("RS", 3), ("SL", 3)];
/// Families in the making: a statement without a test is listed as open, and no failure.
const OPEN: [&str; 2] = ["DS", "EX"];
/// Follows the number of a statement that needs no test.
const INFORMATIVE: &str = " (informative)";
/// A longer range of numbers describes the subject of a suite, and proves none of them.
const LONGEST_RANGE: usize = 16;

/// Prints every statement with the tests that cite it.
///
/// # Errors
///
/// If a statement is cited by no test, or anything in the workspace names one that does not exist.
pub(crate) fn run() -> Result<()> {
    let workspace = crate::workspace();
    let Declared {
        all: statements,
        informative,
    } = declared(&workspace.join("tests/spec"))?;
    let mut citations = BTreeMap::<String, BTreeSet<String>>::new();
    let mut unknown = BTreeSet::new();
    for path in sources(&workspace)? {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let shown = path.strip_prefix(&workspace).unwrap_or(&path);
        for (id, place) in cited(shown, &text) {
            citations.entry(id).or_default().insert(place);
        }
        unknown.extend(undeclared(shown, &text, &statements));
    }
    for path in files_below(&workspace.join("tests/spec"))? {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let shown = path.strip_prefix(&workspace).unwrap_or(&path);
        unknown.extend(undeclared(shown, &text, &statements));
    }

    let binding = statements.difference(&informative);
    let (cited, uncited): (Vec<_>, Vec<_>) = binding.partition(|id| citations.contains_key(*id));
    for id in &cited {
        println!("{id}  {} tests", citations[*id].len());
        for place in &citations[*id] {
            println!("        {place}");
        }
    }
    let (open, uncited): (Vec<_>, Vec<_>) = uncited
        .into_iter()
        .partition(|id| OPEN.iter().any(|family| id.starts_with(family)));
    for id in &uncited {
        println!("{id}  NO TEST");
    }
    for id in &open {
        println!("{id}  open");
    }
    println!(
        "{} of {} statements are cited by a test, {} are open",
        cited.len(),
        cited.len() + uncited.len() + open.len(),
        open.len()
    );
    for place in &unknown {
        println!("not in tests/spec: {place}");
    }
    match (uncited.len(), unknown.len()) {
        (0, 0) => Ok(()),
        (without, unknown) => {
            bail!("{without} statements are cited by no test, {unknown} places name unknown ones")
        }
    }
}

/// Where a text names statements that are not declared; numbers inside a range may be gaps.
fn undeclared(path: &Path, text: &str, statements: &BTreeSet<String>) -> Vec<String> {
    text.lines()
        .enumerate()
        .flat_map(|(index, line)| named(line).into_iter().map(move |named| (index, named)))
        .map(|(index, Named { family, number, .. })| (index, id(&family, number)))
        .filter(|(_, id)| !statements.contains(id))
        .map(|(index, id)| format!("{}:{}: {id}", path.display(), index + 1))
        .collect()
}

/// The numbers of statements.
#[derive(Default)]
struct Declared {
    all: BTreeSet<String>,
    /// Those that need no test.
    informative: BTreeSet<String>,
}

/// The numbers of the statements declared in a directory of Markdown files.
fn declared(directory: &Path) -> Result<Declared> {
    let mut declared = Declared::default();
    for path in files_below(directory)? {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let mut parts = text.split("**").skip(1);
        while let (Some(bold), behind) = (parts.next(), parts.next()) {
            let [id] = &ids(bold)[..] else { continue };
            if bold.len() != id.len() {
                continue;
            }
            if !declared.all.insert(id.clone()) {
                bail!("{}: {bold} is declared twice", path.display());
            }
            if behind.is_some_and(|behind| behind.starts_with(INFORMATIVE)) {
                declared.informative.insert(id.clone());
            }
        }
    }
    Ok(declared)
}

/// The files that may contain tests: Rust sources, and case files of the tests.
fn sources(workspace: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for directory in [
        "hep-common/src",
        "hep-ebpf/src",
        "hep-userspace",
        "tests",
        "xtask/src",
    ] {
        for path in files_below(&workspace.join(directory))? {
            let extension = path.extension().and_then(|extension| extension.to_str());
            let is_case = path.starts_with(workspace.join("tests"))
                && matches!(extension, Some("yaml" | "json" | "jsonl"));
            // This file speaks of numbers in general.
            if (extension == Some("rs") && !path.ends_with("xtask/src/spec.rs")) || is_case {
                sources.push(path);
            }
        }
    }
    Ok(sources)
}

/// Every file below a directory, in order.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Citations of a file: each number with the test or line that cites it.
fn cited(path: &Path, text: &str) -> Vec<(String, String)> {
    if path.extension().is_some_and(|extension| extension == "rs") {
        cited_by_tests(path, text)
    } else {
        text.lines()
            .enumerate()
            .flat_map(|(index, line)| {
                let place = format!("{}:{}", path.display(), index + 1);
                ids(line).into_iter().map(move |id| (id, place.clone()))
            })
            .collect()
    }
}

/// Citations of the tests of a Rust source. In a crate's own source only what is below `#[cfg(test)]`
/// counts; the package `tests` and files named `tests` are tests throughout. A file's own description
/// (`//!`) proves nothing.
fn cited_by_tests(path: &Path, text: &str) -> Vec<(String, String)> {
    let mut in_tests = path.starts_with("tests")
        || path.file_stem().is_some_and(|stem| stem == "tests")
        || path.components().any(|part| part.as_os_str() == "tests");
    let mut citations = Vec::new();
    // Numbers in the comments and attributes above an item belong to that item.
    let mut above = Vec::new();
    let mut item = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        in_tests |= trimmed.starts_with("#[cfg(test)]");
        if !in_tests || trimmed.starts_with("//!") {
            continue;
        }
        if trimmed.starts_with("//") || trimmed.starts_with("#[") {
            above.extend(ids(trimmed));
            continue;
        }
        if let Some(name) = item_name(trimmed) {
            item = Some(name.to_owned());
        }
        let place = match &item {
            Some(name) => format!("{}: {name}", path.display()),
            None => path.display().to_string(),
        };
        for id in above.drain(..).chain(ids(trimmed)) {
            citations.push((id, place.clone()));
        }
    }
    citations
}

/// The name of the function or constant that a line begins.
fn item_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    ["fn ", "const ", "static "]
        .into_iter()
        .find_map(|keyword| line.strip_prefix(keyword))?
        .split(|character: char| !character.is_alphanumeric() && character != '_')
        .next()
}

/// A number in a text.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    family: String,
    number: usize,
    begin: usize,
    end: usize,
}

/// The numbers that a text names: `EV-053`, or `ev_053` in the name of a test.
fn named(text: &str) -> Vec<Named> {
    let upper = text.to_ascii_uppercase();
    upper
        .match_indices(['-', '_'])
        .filter_map(|(at, _)| {
            let (family, number) = id_around(&upper, at)?;
            Some(Named {
                family: family.to_owned(),
                number,
                begin: at - family.len(),
                end: at + 1 + digits(family),
            })
        })
        .collect()
}

/// The numbers that a text means: those that it names, and all of `EV-104 to EV-106`.
fn ids(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut last: Option<Named> = None;
    for next in named(text) {
        if let Some(last) = last
            && last.family == next.family
            && text.get(last.end..next.begin) == Some(" to ")
            && next.number.saturating_sub(last.number) < LONGEST_RANGE
        {
            ids.extend((last.number + 1..next.number).map(|between| id(&next.family, between)));
        }
        ids.push(id(&next.family, next.number));
        last = Some(next);
    }
    ids
}

fn id(family: &str, number: usize) -> String {
    let width = digits(family);
    format!("{family}-{number:0width$}")
}

/// How many digits the numbers of a family have; none if there is no such family.
fn digits(family: &str) -> usize {
    let mut families = FAMILIES.iter();
    families
        .find(|(known, _)| *known == family)
        .map_or(0, |(_, digits)| *digits)
}

/// The family and the number around a dash or underscore, if there are both.
fn id_around(upper: &str, at: usize) -> Option<(&str, usize)> {
    let begin = at.checked_sub(2)?;
    let (before, family, after) = (
        upper.get(..begin)?,
        upper.get(begin..at)?,
        upper.get(at + 1..)?,
    );
    let width = after.chars().take_while(char::is_ascii_digit).count();
    let is_word = !before.ends_with(|last: char| last.is_alphanumeric());
    if !is_word || width == 0 || width != digits(family) {
        return None;
    }
    Some((family, after.get(..width)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::{cited, ids, undeclared};

    #[test]
    fn numbers_are_found_in_prose_and_in_names() {
        assert_eq!(
            ids("(EV-053, RS-001): see SL-9 and REV-100"),
            ["EV-053", "RS-001"]
        );
        assert_eq!(ids("fn ev_053_and_sl_022_hold()"), ["EV-053", "SL-022"]);
        assert_eq!(
            ids("EV-104 to EV-106, RS-001 to EV-003"),
            ["EV-104", "EV-105", "EV-106", "RS-001", "EV-003"]
        );
        assert_eq!(ids("RS-001 to RS-131"), ["RS-001", "RS-131"]);
        assert_eq!(ids("EX-01 to EX-03"), ["EX-01", "EX-02", "EX-03"]);
        assert_eq!(ids("EV-0531 EX-001 AES-128 §"), Vec::<String>::new());
    }

    #[test]
    fn a_number_belongs_to_the_test_below_it_and_source_outside_tests_proves_nothing() {
        let text = "//! EV-001\n/// EV-002\nfn code() {}\n#[cfg(test)]\nmod tests {\n    /// EV-003\n    \
                    #[test]\n    fn ev_004() {\n        check(\"EV-005\");\n    }\n}\n";
        let citations = cited(Path::new("crate/src/file.rs"), text);
        let names: Vec<_> = citations
            .iter()
            .map(|(id, place)| (id.as_str(), place.as_str()))
            .collect();
        let place = "crate/src/file.rs: ev_004";
        assert_eq!(
            names,
            [("EV-003", place), ("EV-004", place), ("EV-005", place)]
        );
    }

    #[test]
    fn a_number_that_no_statement_has_is_told_with_its_place() {
        let statements = BTreeSet::from(["EV-001".to_owned(), "EV-003".to_owned()]);
        assert_eq!(
            undeclared(
                Path::new("a.rs"),
                "/// EV-001 to EV-003\nfn ev_004() {}\n",
                &statements
            ),
            ["a.rs:2: EV-004"]
        );
    }

    #[test]
    fn a_case_file_is_cited_by_line() {
        let citations = cited(Path::new("tests/cases/a.yaml"), "- id: x\n  why: RS-024\n");
        assert_eq!(
            citations,
            [("RS-024".to_owned(), "tests/cases/a.yaml:2".to_owned())]
        );
    }
}
