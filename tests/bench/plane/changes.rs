//! Small changes of small and large directories, through the daemon as shipped.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use hep_tests::daemon::Daemon;
use hep_userspace::datapath::Maps;

use super::median;
use crate::{expectation::Figures, fixture, interrupt, policy, process};

/// Files of ten rules in the large directory.
const FILES: usize = 1000;
/// Changes of each kind.
const CHANGES: usize = 9;
/// Between two looks at the generation in force.
const LOOK: Duration = Duration::from_micros(100);
/// How long a load may take.
const LIMIT: Duration = Duration::from_secs(60);
/// For what the daemon does after a load, and for stamps of files to settle.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a directory settles after a file took the place of another.
const SETTLE_MS: f64 = 10.0;

/// Times one rule and one address that change in a directory of one file and of a thousand, prints it,
/// and adds it to `figures`.
pub(super) fn run(figures: &mut Figures) -> Result<()> {
    println!(
        "\nThe daemon, from the renamed file to in force beyond the {SETTLE_MS} ms for which a directory \
         settles,\nmilliseconds; medians of {CHANGES}\n{:<40}{:>14}{:>14}   the last load",
        "", "one rule", "one address"
    );
    for v6 in [false, true] {
        let family = if v6 { "IPv6" } else { "IPv4" };
        let mut small = None;
        for files in [1, FILES] {
            interrupt::check()?;
            let name = format!("{files} files of 10 rules, {family}");
            let took = time(files, v6, &name)?;
            let small = *small.get_or_insert(took);
            for ((what, took), small) in ["one rule", "one address"].iter().zip(took).zip(small) {
                figures.insert(
                    format!("{name}, {what} changes, file to in force beyond {SETTLE_MS} ms, ms"),
                    took,
                );
                if files > 1 {
                    figures.insert(
                        format!("{name}, {what} changes, against 1 file"),
                        (SETTLE_MS + took) / (SETTLE_MS + small),
                    );
                }
            }
        }
    }
    Ok(())
}

/// Time until a changed rule and a changed address are in force, beyond the time for which a directory
/// settles.
fn time(files: usize, v6: bool, name: &str) -> Result<[f64; 2]> {
    let host = fixture::host("plane");
    let mut daemon = Daemon::prepare(&host, &[]);
    let directory = daemon.directory().path().to_owned();
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    };
    write("base.yaml", &policy::endpoint())?;
    write("set.yaml", &policy::set_of_one(0, v6))?;
    for file in 0..files {
        write(&format!("{file}.yaml"), &policy::ten_rules(file, 0, v6))?;
    }
    daemon.spawn();
    daemon.wait_for(1);
    let (mut rules, mut addresses) = (Vec::new(), Vec::new());
    for change in 1..=CHANGES {
        let middle = files / 2;
        let text = policy::ten_rules(middle, change, v6);
        rules.push(replace(&daemon, &format!("{middle}.yaml"), &text)?);
        let text = policy::set_of_one(change, v6);
        addresses.push(replace(&daemon, "set.yaml", &text)?);
    }
    let took = [rules, addresses].map(|took| median(took) - SETTLE_MS);
    let phases = process::phases(&daemon)?;
    let phases: Vec<String> = phases
        .iter()
        .map(|(phase, ms)| format!("{phase} {ms}"))
        .collect();
    println!(
        "{name:<40}{:>14.1}{:>14.1}   {}",
        took[0],
        took[1],
        phases.join(", ")
    );
    Ok(took)
}

/// Renames another text into the place of a file; milliseconds until it is in force.
fn replace(daemon: &Daemon, name: &str, text: &str) -> Result<f64> {
    thread::sleep(PAUSE);
    let directory = daemon.directory().path();
    let staging = directory.with_extension("new");
    fs::write(&staging, text).with_context(|| format!("write {}", staging.display()))?;
    let maps = Maps::open(daemon.bpffs())?;
    let before = maps.control()?.generation;
    let started = Instant::now();
    fs::rename(&staging, directory.join(name)).context("rename the file")?;
    while maps.control()?.generation == before {
        if started.elapsed() > LIMIT {
            bail!("the changed file did not come into force");
        }
        thread::sleep(LOOK);
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
