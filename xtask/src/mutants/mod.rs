//! Deliberate mistakes in the programs and in the compiler, one at a time: whether the fuzzer finds
//! them, and after how many packets; of those that only flows show, whether a test does.

mod list;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    command,
    setup::{self, Environment},
};
use list::{Finder, MISTAKES, Mistake};

/// Files and directories of the workspace that are copied.
const COPIED: [&str; 9] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "hep-common",
    "hep-ebpf",
    "hep-userspace",
    "rust-toolchain.toml",
    "tests",
    "xtask",
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only mistakes with this text in their description
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The first seed of each search
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Resource sets after which a mistake counts as not found
    #[arg(long, value_name = "NUMBER", default_value_t = 4000)]
    sets: u64,
}

/// Cost of a search in one family: resource sets and packets until the mistake was found.
#[derive(Clone, Copy)]
struct Effort {
    sets: u64,
    packets: u64,
}

/// Outcome of a mistake.
#[derive(Clone, Copy)]
enum Found {
    /// The fuzzer's searches, in IPv4 and in IPv6.
    ByFuzzer([Option<Effort>; 2]),
    /// Whether the test failed.
    ByTest(bool),
    /// It could not be made.
    Nothing,
}

/// Makes each mistake in a copy of the workspace, builds the fuzzer there, and has it search; or runs the
/// test that should find it.
///
/// # Errors
///
/// If a mistake is not found, cannot be made any more, or does not build.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("the fuzzer loads BPF programs, which")?;
    let environment = setup::run()?;
    let scratch = crate::workspace().join("target/mutants");
    let copy = scratch.join("workspace");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("remove {}", copy.display()))?;
    }
    for name in COPIED {
        copy_all(&crate::workspace().join(name), &copy.join(name))?;
    }
    let only = arguments.only.as_deref().unwrap_or_default();
    let mut table = Vec::new();
    let mut failed = Vec::new();
    for mistake in MISTAKES
        .iter()
        .filter(|mistake| mistake.what.contains(only))
    {
        let outcome = with_mistake(&copy, mistake, || {
            let target = scratch.join("target");
            if let Finder::Test(name) = mistake.finder {
                return fails(&environment, (&copy, &target), name).map(Found::ByTest);
            }
            let fuzzer = build(&environment, &copy, &target)?;
            hunt(&fuzzer, mistake, arguments).map(Found::ByFuzzer)
        });
        let found = outcome.unwrap_or_else(|problem| {
            println!("{}: {problem:#}", mistake.what);
            Found::Nothing
        });
        if !found.is_all_of(mistake.finder) {
            failed.push(mistake.what);
        }
        table.push((mistake, found));
    }
    print(&table);
    if !failed.is_empty() {
        bail!("not found: {}", failed.join("; "));
    }
    Ok(())
}

/// Copies a file or a directory.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let context = || format!("copy {}", from.display());
    if from.is_dir() {
        fs::create_dir_all(to).with_context(context)?;
        for entry in fs::read_dir(from).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            copy_all(&from.join(&name), &to.join(&name))?;
        }
    } else if from.exists() {
        fs::copy(from, to).with_context(context)?;
    }
    Ok(())
}

/// Runs `work` with the mistake made in the copy.
fn with_mistake<T>(copy: &Path, mistake: &Mistake, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let path = copy.join(mistake.file);
    let right = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let count = right.matches(mistake.right).count();
    if count != 1 {
        bail!(
            "{} has this text {count} times:\n{}",
            mistake.file,
            mistake.right
        );
    }
    let write =
        |text: &str| fs::write(&path, text).with_context(|| format!("write {}", path.display()));
    write(&right.replace(mistake.right, mistake.wrong))?;
    let outcome = work();
    write(&right)?;
    outcome
}

/// Builds the fuzzer of the copy.
fn build(environment: &Environment, copy: &Path, target: &Path) -> Result<PathBuf> {
    let mut cargo = environment.cargo();
    cargo.current_dir(copy).env("CARGO_TARGET_DIR", target);
    cargo.args(["build", "--package", "hep-tests", "--bin", "hep-fuzz"]);
    command::run_with_progress("build the fuzzer with a mistake", &mut cargo)?;
    Ok(target.join("debug/hep-fuzz"))
}

/// Whether a test of the suite `verdict` fails in the copy.
fn fails(environment: &Environment, (copy, target): (&Path, &Path), name: &str) -> Result<bool> {
    let suite = || {
        let mut cargo = environment.cargo();
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", target);
        cargo.args(["test", "--package", "hep-tests", "--test", "verdict"]);
        cargo
    };
    let step = "build the tests with a mistake";
    command::run_with_progress(step, suite().arg("--no-run"))?;
    let output = suite()
        .args(["--", "--exact", name])
        .output()
        .context("run the test")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains("running 1 test") {
        bail!("there is no test {name}");
    }
    Ok(!output.status.success())
}

/// Runs the fuzzer; returns its results in IPv4 and in IPv6.
fn hunt(fuzzer: &Path, mistake: &Mistake, arguments: &Arguments) -> Result<[Option<Effort>; 2]> {
    let output = command::program(&fuzzer.to_string_lossy())
        .args(["--hunt", mistake.finder.families()])
        .args(["--seed", &arguments.seed.to_string()])
        .args(["--sets", &arguments.sets.to_string()])
        .output()
        .context("run the fuzzer")?;
    let mut found = [None; 2];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).context("read the fuzzer's report")?;
        println!(
            "{}: {} packets of {}, {} resource sets: {}",
            mistake.what, line["packets"], line["family"], line["sets"], line["problem"]
        );
        let number = |field: &str| line[field].as_u64().context("read the fuzzer's report");
        found[usize::from(line["family"] == "IPv6")] = Some(Effort {
            sets: number("sets")?,
            packets: number("packets")?,
        });
    }
    if output.status.code() == Some(2) {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(found)
}

fn print(table: &[(&Mistake, Found)]) {
    let width = table
        .iter()
        .map(|(mistake, _)| mistake.what.len())
        .max()
        .unwrap_or(0);
    println!(
        "{:width$}  {:>9} {:>9}  {:>9} {:>9}",
        "mistake", "IPv4 sets", "packets", "IPv6 sets", "packets"
    );
    for (mistake, found) in table {
        let text = match found {
            Found::ByFuzzer(efforts) => efforts_text(efforts, mistake.finder),
            Found::ByTest(true) => "found by a test".to_owned(),
            Found::ByTest(false) | Found::Nothing => "not found".to_owned(),
        };
        println!("{:width$}  {text}", mistake.what);
    }
}

fn efforts_text(efforts: &[Option<Effort>; 2], finder: Finder) -> String {
    let cells = efforts
        .iter()
        .zip(finder.wanted())
        .map(|(found, wanted)| match found {
            Some(Effort { sets, packets }) => format!("{sets:>9} {packets:>9}"),
            None if wanted => format!("{:>9} {:>9}", "not", "found"),
            None => format!("{:>9} {:>9}", "-", "-"),
        });
    cells.collect::<Vec<_>>().join("  ")
}

impl Found {
    /// Whether that is all that was wanted.
    fn is_all_of(self, finder: Finder) -> bool {
        match self {
            Self::ByFuzzer(efforts) => {
                let mut families = finder.wanted().into_iter().zip(efforts);
                families.all(|(wanted, effort)| !wanted || effort.is_some())
            }
            Self::ByTest(fails) => fails,
            Self::Nothing => false,
        }
    }
}

impl Finder {
    /// The fuzzer's name of the families to search.
    const fn families(self) -> &'static str {
        match self {
            Self::Ipv6 => "ipv6",
            Self::Both | Self::Test(_) => "both",
        }
    }

    /// Whether IPv4 and IPv6 are among them.
    const fn wanted(self) -> [bool; 2] {
        match self {
            Self::Ipv6 => [false, true],
            Self::Both => [true, true],
            Self::Test(_) => [false, false],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::list::MISTAKES;

    /// A mistake whose text is gone from the sources, or occurs there twice, can no longer be made.
    #[test]
    fn every_mistake_can_be_made() {
        let stale = MISTAKES.iter().filter(|mistake| {
            let path = crate::workspace().join(mistake.file);
            let text = fs::read_to_string(path).unwrap_or_default();
            text.matches(mistake.right).count() != 1
        });
        let stale: Vec<&str> = stale.map(|mistake| mistake.what).collect();
        assert!(stale.is_empty(), "{stale:#?}");
    }
}
