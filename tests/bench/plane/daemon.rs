//! The same through the daemon as shipped: its memory, and files that change.

use std::{
    fs, slice, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use hep_tests::daemon::Daemon;
use hep_userspace::datapath::Maps;

use super::median;
use crate::{expectation::Figures, fixture, interrupt, policy, process};

/// Between two looks at the generation in force.
const LOOK: Duration = Duration::from_micros(200);
/// How long a load may take.
const LIMIT: Duration = Duration::from_secs(60);
/// For what the daemon does after a load: it keeps the policy for a later start.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the daemon on policies and sets, prints what that took and what it takes to add an address
/// to a set, and adds it to `figures`.
pub(super) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    let (members, joins) = if quick { (100_000, 3) } else { (1_000_000, 5) };
    println!(
        "\nThe daemon, `hep run`: its first load, its memory at most, and from the renamed file to in \
         force when one\naddress joins the set, median of {joins}\n\
         {:<40}{:>14}{:>12}{:>14}{:>20}",
        "", "first load ms", "peak MB", "one joins ms", "peak MB after it"
    );
    for v6 in [false, true] {
        let family = if v6 { "IPv6" } else { "IPv4" };
        for (name, text, is_set) in [
            (
                "10000 policies".to_owned(),
                policy::policies(10_000, v6),
                false,
            ),
            (
                format!("set of {members}"),
                policy::set_of(members, v6),
                true,
            ),
        ] {
            interrupt::check()?;
            let name = format!("{name}, {family}");
            let host = fixture::host("plane");
            let daemon = Daemon::start(&host, slice::from_ref(&text));
            let first: f64 = process::phases(&daemon)?.iter().map(|(_, ms)| ms).sum();
            let peak = process::daemon_megabytes(&daemon, "VmHWM")?;
            print!("{name:<40}{first:>14.1}{peak:>12.0}");
            figures.insert(format!("daemon, {name}, peak MB"), peak);
            if is_set {
                let joins = (0..joins)
                    .map(|number| join(&daemon, &policy::with_newcomer(&text, number, v6)))
                    .collect::<Result<Vec<f64>>>()?;
                let in_force = median(joins);
                print!(
                    "{in_force:>14.1}{:>20.0}",
                    process::daemon_megabytes(&daemon, "VmHWM")?
                );
                figures.insert(
                    format!("daemon, {name}, one joins, file to in force, ms"),
                    in_force,
                );
            }
            println!();
        }
    }
    Ok(())
}

/// Renames another text into the place of the daemon's file; milliseconds until it is in force.
fn join(daemon: &Daemon, text: &str) -> Result<f64> {
    thread::sleep(PAUSE);
    let directory = daemon.directory().path();
    let staging = directory.with_extension("new");
    fs::write(&staging, text).with_context(|| format!("write {}", staging.display()))?;
    let maps = Maps::open(daemon.bpffs())?;
    let before = maps.control()?.generation;
    let started = Instant::now();
    fs::rename(&staging, directory.join("all.yaml")).context("rename the file")?;
    while maps.control()?.generation == before {
        if started.elapsed() > LIMIT {
            bail!("the changed set did not come into force");
        }
        thread::sleep(LOOK);
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
