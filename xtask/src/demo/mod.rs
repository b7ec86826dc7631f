//! The main job, shown on real traffic: a policy directory enforced by the shipped binary.
//!
//! Everything happens in network namespaces of the demo's own. Whatever ends it, an error, a panic
//! or Ctrl-C, what it made is taken away again by the `Drop` of what made it.

mod firewall;
mod live;
mod namespace;
mod probe;
mod probes;
mod service;

use std::{
    fs::File,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use self::{firewall::Firewall, probe::Probe, service::Services};
use crate::{command, setup};

/// Two demos at once would take each other's namespaces away.
const LOCK: &str = "/run/lock/hep-demo";

/// How many lines of the daemon's log are shown.
const LOG_LINES: usize = 30;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Show an unoptimised build, which takes less time to make
    #[arg(long)]
    dev: bool,
}

/// Runs the whole demo.
///
/// # Errors
///
/// If something cannot be set up, or a verdict is not the policy's.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("the demo makes network namespaces and loads BPF programs, which")?;
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("catch interrupts")?;
    let environment = setup::run()?;
    let (profile, directory) = if arguments.dev {
        ("dev", "debug")
    } else {
        ("release", "release")
    };
    command::run(
        environment
            .cargo()
            .args(["build", "--profile", profile])
            .args(["--package", "hep-userspace", "--bin", "hep"]),
    )?;
    let binary = crate::workspace()
        .join("target")
        .join(directory)
        .join("hep");
    interruption()?;

    let lock = lock(FlockOperation::NonBlockingLockExclusive).context("another demo is running")?;
    let shown = show(binary);
    let remaining = firewall::remaining();
    if remaining.is_empty() {
        println!("\nNothing is left behind.");
    }
    shown?;
    if !remaining.is_empty() {
        bail!("left behind: {}", remaining.join(", "));
    }
    drop(lock);
    Ok(())
}

/// Makes the demo's names ours until the file is dropped.
fn lock(operation: FlockOperation) -> Result<File> {
    let lock = File::create(LOCK).with_context(|| format!("make {LOCK}"))?;
    flock(&lock, operation)?;
    Ok(lock)
}

/// An error if the demo was interrupted.
fn interruption() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Removes the namespaces when the demo is over, after everything in them.
struct Network;

impl Drop for Network {
    fn drop(&mut self) {
        namespace::remove();
    }
}

fn show(binary: PathBuf) -> Result<()> {
    // A demo that was killed could not clean up.
    namespace::remove();
    firewall::remove_directory();

    heading("A host with two networks, in namespaces");
    let network = Network;
    namespace::create()?;
    let services = Services::start(probes::PROBES)?;
    println!("client eth0 ── eth0 host eth1 ── eth0 router; the host routes between the two");
    ask_all(probes::PROBES)?;
    println!(
        "without hep, each of the {} probes below is answered",
        probes::PROBES.len()
    );

    heading("hep, with the policies of hep-userspace/examples");
    let workspace = crate::workspace();
    let mut firewall = Firewall::prepare(binary, &workspace.join("hep-userspace/examples"))?;
    let taken = firewall.start()?;
    println!("ready after {taken:.0?}");
    firewall.show(&["status"])?;

    heading("What the policy says, and what happens");
    let mut surprises = compare(&firewall, probes::PROBES)?;

    heading("A policy file changes while traffic runs");
    surprises += live::change(&firewall)?;

    heading("A mistake: everything is denied, by the first policy of the first tier");
    surprises += live::deny_all(&firewall)?;

    heading("The daemon's log");
    let log = firewall::log_text();
    log.lines()
        .take(LOG_LINES)
        .for_each(|line| println!("{line}"));
    match log.lines().count().saturating_sub(LOG_LINES) {
        0 => {}
        more => println!("… and {more} more lines"),
    }
    drop(firewall);
    drop(services);
    drop(network);
    if surprises > 0 {
        bail!("{surprises} times something else happened than the policy says");
    }
    Ok(())
}

fn heading(text: &str) {
    println!("\n== {text} ==\n");
}

/// Sends every probe.
///
/// # Errors
///
/// If one is not answered: then it could show nothing.
fn ask_all(probes: &[Probe]) -> Result<()> {
    for probe in probes {
        interruption()?;
        if !probe.is_answered()? {
            bail!("{probe} is not answered although nothing is policed");
        }
    }
    Ok(())
}

/// Prints the table; the result is how many rows surprise.
fn compare(firewall: &Firewall, probes: &[Probe]) -> Result<usize> {
    let mut rows = vec![["probe", "policy says", "because", "happened"].map(str::to_owned)];
    let mut surprises = 0;
    for probe in probes {
        interruption()?;
        let opinion = firewall.explain(probe)?;
        let answered = probe.is_answered()?;
        let is_as_said = answered == opinion.allows;
        surprises += usize::from(!is_as_said);
        let mark = if is_as_said { "" } else { "  ← NOT AS SAID" };
        rows.push([
            probe.to_string(),
            if opinion.allows { "allow" } else { "deny" }.to_owned(),
            opinion.because,
            format!("{}{mark}", happened(answered)),
        ]);
    }
    print_table(&rows);
    Ok(surprises)
}

fn happened(answered: bool) -> &'static str {
    if answered { "answered" } else { "no answer" }
}

/// Prints rows in columns as wide as their widest cell.
fn print_table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::FlockOperation;

    use super::{Network, Services, ask_all, lock, namespace, probes};

    #[test]
    fn every_probe_is_answered_where_nothing_is_policed() {
        let lock = lock(FlockOperation::LockExclusive).expect("the demo's lock");
        namespace::remove();
        let network = Network;
        namespace::create().expect("the demo's network");
        let services = Services::start(probes::PROBES).expect("the demo's servers");
        let asked = ask_all(probes::PROBES);
        drop(services);
        drop(network);
        asked.expect("every probe is answered");
        assert_eq!(namespace::remaining(), Vec::<&str>::new());
        drop(lock);
    }
}
