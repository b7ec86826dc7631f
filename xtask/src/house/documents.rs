//! Facts in documents: pins, verbs, maps, functions, modules and versions that exist as they are named.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use super::read;

/// Documents whose facts are checked.
const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
];
/// The command line, whose subcommands are variants of these enums.
const COMMANDS: (&str, [&str; 2]) = (
    "hep-userspace/src/cli/command.rs",
    ["enum Command {", "enum Verb {"],
);

/// Facts of all documents that are none.
///
/// # Errors
///
/// If a file cannot be read.
pub(super) fn check(root: &Path, found: &mut Vec<String>) -> Result<()> {
    let version = abi_version(root)?;
    let commands = read(&root.join(COMMANDS.0))?;
    let commands = COMMANDS.1.iter().flat_map(|head| variants(&commands, head));
    let verbs = [
        ("hep", commands.filter(|name| name != "verb").collect()),
        ("cargo xtask", tasks()),
    ];
    for name in DOCUMENTS {
        let text = read(&root.join(name))?;
        stale_pins(name, &text, &version, found);
        for (program, known) in &verbs {
            unknown_verbs(name, &text, program, known, found);
        }
        if name == "README.md" {
            for (program, known) in &verbs {
                unnamed_verbs(&text, program, known, found);
            }
        }
    }
    architecture(root, found)?;
    versions(root, found)
}

/// Verbs of this program.
fn tasks() -> BTreeSet<String> {
    let command = crate::Arguments::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    names.map(str::to_owned).collect()
}

/// Names of the variants of an enum in a source, as clap spells them.
fn variants(source: &str, head: &str) -> BTreeSet<String> {
    let body = source.split_once(head).map_or("", |(_, behind)| behind);
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    body.lines()
        .filter_map(|line| line.trim().split_once('(').map(|(name, _)| name))
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .map(str::to_lowercase)
        .collect()
}

/// Words that follow the name of a program in code: in backticks, or on an indented line.
fn named_verbs(text: &str, program: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let all = [line];
        let spans: Vec<&str> = if line.starts_with("    ") && !fenced {
            all.to_vec()
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for span in spans
            .iter()
            .flat_map(|span| span.split(['#', ';', '&', '·']))
        {
            let behind = span.trim_start().strip_prefix(program);
            let Some(words) = behind.and_then(|behind| behind.strip_prefix(' ')) else {
                continue;
            };
            let end = words.find(|letter: char| !(letter.is_ascii_lowercase() || letter == '-'));
            let verb = &words[..end.unwrap_or(words.len())];
            if !verb.is_empty() && !verb.starts_with('-') {
                found.insert(verb.to_owned());
            }
        }
    }
    found
}

fn unknown_verbs(
    name: &str,
    text: &str,
    program: &str,
    known: &BTreeSet<String>,
    found: &mut Vec<String>,
) {
    for verb in named_verbs(text, program).difference(known) {
        found.push(format!(
            "{name}: names `{program} {verb}`, which does not exist"
        ));
    }
}

fn unnamed_verbs(text: &str, program: &str, known: &BTreeSet<String>, found: &mut Vec<String>) {
    for verb in known.difference(&named_verbs(text, program)) {
        if verb != "help" {
            found.push(format!("README.md: does not name `{program} {verb}`"));
        }
    }
}

/// The version in the sources.
///
/// # Errors
///
/// If there is none.
pub(super) fn abi_version(root: &Path) -> Result<String> {
    let source = read(&root.join("hep-common/src/lib.rs"))?;
    version_in(&source).context("hep-common has no ABI_VERSION")
}

fn version_in(source: &str) -> Option<String> {
    let (_, behind) = source.split_once("pub const ABI_VERSION")?;
    let (_, value) = behind.split_once("else { ")?;
    Some(digits(value))
}

fn digits(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

/// Directories of pins that are of another version.
fn stale_pins(name: &str, text: &str, version: &str, found: &mut Vec<String>) {
    for (number, line) in (1..).zip(text.lines()) {
        let named = line.split("/hep/v").skip(1).map(digits);
        for other in named.filter(|named| !named.is_empty() && named != version) {
            found.push(format!(
                "{name}:{number}: names the pins of version {other}; it is {version}"
            ));
        }
    }
}

/// Words in backticks in the first cells of the table whose head begins so.
fn first_cells(text: &str, head: &str) -> Vec<String> {
    let table = text.lines().skip_while(|line| !line.starts_with(head));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// Maps, functions and modules in ARCHITECTURE's tables, in both directions where the table is complete.
fn architecture(root: &Path, found: &mut Vec<String>) -> Result<()> {
    let text = read(&root.join("ARCHITECTURE.md"))?;
    let mut programs = String::new();
    for path in super::files_below(root.join("hep-ebpf/src"))? {
        programs.push_str(&read(&path)?);
    }
    let names = read(&root.join("hep-userspace/src/datapath/object/names.rs"))?;
    for map in first_cells(&text, "| map |") {
        if !has_word(&programs, &map) && !has_word(&names, &map) {
            found.push(format!("ARCHITECTURE.md: there is no map {map}"));
        }
    }
    for step in first_cells(&text, "| step |") {
        let versions = [step.clone(), format!("{step}4"), format!("{step}6")];
        if !versions.iter().any(|name| has_word(&programs, name)) {
            found.push(format!("ARCHITECTURE.md: there is no function {step}"));
        }
    }
    for (head, folder) in [
        ("| module |", "hep-userspace/src"),
        ("| module of `hep-ebpf` |", "hep-ebpf/src"),
    ] {
        let named = first_cells(&text, head);
        for module in &named {
            let path = root.join(folder).join(module);
            if !path.is_dir() && !path.with_extension("rs").exists() {
                found.push(format!(
                    "ARCHITECTURE.md: there is no module {module} in {folder}"
                ));
            }
        }
        for module in modules(&root.join(folder))? {
            if !named.contains(&module) {
                found.push(format!(
                    "ARCHITECTURE.md: does not name the module {module} of {folder}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether an identifier occurs in a source.
fn has_word(source: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    source.match_indices(word).any(|(at, _)| {
        !source[..at].ends_with(is_part) && !source[at + word.len()..].starts_with(is_part)
    })
}

/// Modules at the top of a crate.
fn modules(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        found.insert(name.trim_end_matches(".rs").to_owned());
    }
    for root in ["lib", "main", "bench"] {
        found.remove(root);
    }
    Ok(found)
}

/// Versions of the kernel and of Rust: those that documents and CI name are those of the sources.
fn versions(root: &Path, found: &mut Vec<String>) -> Result<()> {
    let between = |file: &str, before: &str, after: char| -> Result<String> {
        let text = read(&root.join(file))?;
        let (_, behind) = text
            .split_once(before)
            .with_context(|| format!("{file} lacks `{before}`"))?;
        Ok(behind.split(after).next().unwrap_or_default().to_owned())
    };
    let oldest = between(
        "hep-userspace/src/datapath/load/features.rs",
        "OLDEST: &str = \"",
        '"',
    )?;
    let rust = between("Cargo.toml", "rust-version = \"", '"')?;
    for (file, before, after, right) in [
        ("README.md", "needs Linux ", ' ', &oldest),
        ("README.md", "hep needs Linux ", ' ', &oldest),
        (".github/workflows/ci.yml", "image: rust:", '-', &rust),
    ] {
        let named = between(file, before, after)?;
        if named != *right {
            found.push(format!("{file}: `{before}{named}`, but it is {right}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_the_pins_that_there_are() {
        let abi = "pub const ABI_VERSION: u32 = if cfg!(feature = \"other-abi\") { 8 } else { 7 };";
        let version = version_in(abi).expect("has one");
        let mut found = Vec::new();
        stale_pins("a", "in /sys/fs/bpf/hep/v7/links", &version, &mut found);
        assert!(found.is_empty(), "{found:?}");
        stale_pins("a", "in /sys/fs/bpf/hep/v6/links", &version, &mut found);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn verbs_are_words_behind_the_program_in_code() {
        let text = "Run `hep status` or hep nothing, `hep.service`, `hep_x`.\n\n    hep try --x  # hep y\n\
                    \u{20}   cd /; hep down\n| `hep panic` · `hep resume` |";
        let found: Vec<_> = named_verbs(text, "hep").into_iter().collect();
        assert_eq!(found, ["down", "panic", "resume", "status", "try", "y"]);
    }

    #[test]
    fn variants_are_the_verbs() {
        let source = "enum Command {\n    /// Words (more).\n    Run(run::Arguments),\n    Down(down::A),\n}\nX(";
        let found: Vec<_> = variants(source, "enum Command {").into_iter().collect();
        assert_eq!(found, ["down", "run"]);
    }

    #[test]
    fn tables_have_their_first_cells() {
        let text = "| map | kind |\n| --- | --- |\n| `A` `B` | `c` |\n| `D` | |\n\n| `E` | |";
        assert_eq!(first_cells(text, "| map |"), ["A", "B", "D"]);
        assert!(has_word("static WORK4: X", "WORK4") && !has_word("WORK46 MYWORK4", "WORK4"));
    }
}
