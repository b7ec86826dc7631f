//! House rules beyond Clippy: which module imports which, which may wait, how long files and comments are.

pub(crate) mod abi;
mod circles;
mod documents;
mod functions;
mod modules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// Rooms of `hep-userspace` that may use tokio.
const MAY_WAIT: [&str; 6] = ["cases", "cli", "daemon", "datapath", "resources", "store"];
/// Most lines of a file.
const MOST_LINES: usize = 400;
/// Most characters of a line that is a comment.
const MOST_COLUMNS: usize = 110;
/// First words of a doc comment that say nothing of its subject.
const VAGUE_OPENINGS: [&str; 2] = ["What ", "As ["];
/// Most characters of a commit's subject.
const MOST_SUBJECT: usize = 72;

/// Checks everything.
///
/// # Errors
///
/// If anything breaks a rule, with every place.
pub(crate) fn run() -> Result<()> {
    let root = crate::workspace();
    let architecture = read(&root.join("ARCHITECTURE.md"))?;
    let rooms = rooms(&architecture);
    let mut found = Vec::new();
    for path in sources(&root)? {
        let text = read(&path)?;
        let name = path.strip_prefix(&root).unwrap_or(&path);
        let name = name.to_string_lossy();
        check(&name, &text, &rooms, &mut found);
        let long = functions::long(&name, &text);
        found.extend(long.with_context(|| format!("parse {name}"))?);
    }
    circles::check(&root, &mut found)?;
    documents::check(&root, &mut found)?;
    abi::check(&root, &mut found)?;
    crate::crds::check(&root, &mut found);
    found.extend(subject(&root));
    for problem in &found {
        eprintln!("{problem}");
    }
    if !found.is_empty() {
        bail!("{} places break rules of the house", found.len());
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// Every source file of the workspace.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for folder in ["hep-common", "hep-ebpf", "hep-userspace", "tests", "xtask"] {
        sources.extend(files_below(root.join(folder))?);
    }
    Ok(sources)
}

/// Every source file below a folder, sorted.
fn files_below(folder: PathBuf) -> Result<Vec<PathBuf>> {
    let mut folders = vec![folder];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some("rs".as_ref()) {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// The modules of `hep-userspace`, each of which may import from those before it, as in the table of
/// ARCHITECTURE.md.
fn rooms(architecture: &str) -> Vec<String> {
    let table = architecture
        .lines()
        .skip_while(|line| !line.starts_with("Modules of `hep-userspace`"))
        .skip_while(|line| !line.starts_with("| `"))
        .take_while(|line| line.starts_with("| `"));
    table
        .filter_map(|line| line.split('`').nth(1).map(str::to_owned))
        .collect()
}

fn check(name: &str, text: &str, rooms: &[String], found: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > MOST_LINES {
        found.push(format!(
            "{name}: has {lines} lines, more than {MOST_LINES}: divide it by subjects"
        ));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("//") && line.chars().count() > MOST_COLUMNS {
            found.push(format!(
                "{name}:{number}: the comment is longer than {MOST_COLUMNS} columns"
            ));
        }
    }
    found.extend(openings(name, text));
    let Some(inside) = name.strip_prefix("hep-userspace/src/") else {
        return;
    };
    let room = inside
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    if matches!(room, "lib" | "main") {
        return;
    }
    let Some(own) = rooms.iter().position(|known| known == room) else {
        found.push(format!(
            "{name}: ARCHITECTURE.md's table of modules lacks {room}"
        ));
        return;
    };
    if inside.contains("/tests") {
        return;
    }
    for other in imports(text) {
        let place = rooms.iter().position(|known| *known == other);
        if place.is_some_and(|place| place > own) {
            found.push(format!(
                "{name}: {room} imports {other}, which is above it in ARCHITECTURE.md"
            ));
        }
    }
    if text.contains("tokio::") && !MAY_WAIT.contains(&room) {
        found.push(format!("{name}: only {} use tokio", MAY_WAIT.join(", ")));
    }
}

/// The modules at the top of the crate that a file names: those after `crate::`, and those in the braces
/// after it.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for behind in text.split("crate::").skip(1) {
        if let Some(group) = behind.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => found.extend(first(&std::mem::take(&mut word))),
                    _ if depth == 1 => word.push(character),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            found.extend(first(&word));
        } else {
            found.extend(first(behind));
        }
    }
    found
}

/// The identifier that a path begins with.
fn first(path: &str) -> Option<String> {
    let path = path.trim_start();
    let end = path.find(|character: char| !(character.is_alphanumeric() || character == '_'));
    let name = &path[..end.unwrap_or(path.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// Doc comments whose first word is no noun and no verb, or that only refer to another one.
fn openings(name: &str, text: &str) -> Vec<String> {
    let doc = |line: &str| {
        let line = line.trim_start();
        let words = line.strip_prefix("///").or(line.strip_prefix("//!"))?;
        Some(words.trim_start().to_owned())
    };
    let mut found = Vec::new();
    let mut before = None;
    for (number, line) in (1..).zip(text.lines()) {
        let words = doc(line);
        let opens = words.as_deref().filter(|_| before.is_none());
        if opens.is_some_and(|words| VAGUE_OPENINGS.iter().any(|start| words.starts_with(start))) {
            found.push(format!(
                "{name}:{number}: the doc comment does not open with a noun or a verb"
            ));
        }
        before = words;
    }
    found
}

/// The mistake in the newest commit's subject, if any, where there is a repository; merges, whose subjects
/// tools write, are left out.
fn subject(root: &Path) -> Option<String> {
    let output = crate::command::program("git")
        .current_dir(root)
        .args(["log", "-1", "--no-merges", "--format=%s"])
        .output()
        .ok()?;
    let subject = String::from_utf8_lossy(&output.stdout);
    let length = subject.trim().chars().count();
    (length > MOST_SUBJECT)
        .then(|| format!("the newest commit's subject has {length} characters: {MOST_SUBJECT} do"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_behind_a_path_and_in_braces_are_imports() {
        let text =
            "use crate::{\n model::{Rule, a::B},\n selector,\n};\nlet x = crate::daemon::run();";
        let found: Vec<_> = imports(text).into_iter().collect();
        assert_eq!(found, ["daemon", "model", "selector"]);
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let rooms = ["model", "compile", "daemon"].map(str::to_owned);
        let broken = |name: &str, text: &str| {
            let mut found = Vec::new();
            check(name, text, &rooms, &mut found);
            found.len()
        };
        let model = "hep-userspace/src/model/rule.rs";
        assert_eq!(broken(model, "use crate::compile::Generation;"), 1);
        assert_eq!(broken(model, "use tokio::time::sleep;"), 1);
        assert_eq!(
            broken("hep-userspace/src/daemon/x.rs", "use crate::model::Rule;"),
            0
        );
        assert_eq!(
            broken("hep-userspace/src/daemon/x.rs", "use tokio::time::sleep;"),
            0
        );
        assert_eq!(broken("hep-userspace/src/attic/x.rs", ""), 1);
        assert_eq!(broken("tests/x.rs", &"\n".repeat(MOST_LINES)), 0);
        assert_eq!(broken("tests/x.rs", &"\n".repeat(MOST_LINES + 1)), 1);
        assert_eq!(
            broken("tests/x.rs", &format!("// {}", "x".repeat(MOST_COLUMNS))),
            1
        );
        assert_eq!(broken("tests/x.rs", "/// What it is."), 1);
        assert_eq!(broken("tests/x.rs", "//! As [`X`]."), 1);
        assert_eq!(
            broken("tests/x.rs", "/// The sum.\n/// What else there is."),
            0
        );
    }

    #[test]
    fn the_table_of_modules_is_read_in_its_order() {
        let rooms = rooms(&read(&crate::workspace().join("ARCHITECTURE.md")).expect("readable"));
        let place = |room: &str| rooms.iter().position(|known| known == room);
        assert!(place("model") < place("compile") && place("compile") < place("cli"));
        assert!(place("model").is_some());
    }
}
