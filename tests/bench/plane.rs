//! The control plane: from text to a generation in force.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use hep_userspace::{compile::Slots, source::File, validate::Loader};

use crate::{
    bed,
    policy::{self, Shape},
};

/// One load to time.
struct Load {
    name: String,
    text: String,
}

/// Loads policies and sets of growing size and prints what each phase took.
pub(crate) fn run(quick: bool) -> Result<()> {
    println!("\nControl plane, one load from nothing, milliseconds");
    println!(
        "{:<40}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "", "validate", "compile", "apply", "total", "peak MiB"
    );
    for load in loads(quick) {
        time(&load)?;
    }
    println!(
        "\nControl plane, one address joins a set, milliseconds; median of {JOINS}\n\
         {:<40}{:>10}{:>10}{:>10}{:>12}{:>20}",
        "", "validate", "compile", "apply", "in force", "entries written"
    );
    for members in members(quick) {
        for v6 in [false, true] {
            join(*members, v6)?;
        }
    }
    Ok(())
}

/// Addresses that join a set, one after the other.
const JOINS: usize = 9;

/// Times how addresses join a set that is in force: `in force` is from the valid snapshot on.
fn join(members: usize, v6: bool) -> Result<()> {
    let mut kernel = bed::empty()?;
    let mut loader = Loader::default();
    let text = policy::set_of(members, v6);
    let snapshot = bed::snapshot_by(&mut loader, file(text.clone()))?;
    let mut former = bed::compile_for(&snapshot, bed::IFINDEX, &Slots::default())?;
    kernel.apply(&mut former)?;
    let mut phases = [const { Vec::new() }; 4];
    let mut entries = [0; 2];
    for number in 0..JOINS {
        let mut longer = text.clone();
        // In the middle of the list; what joined before leaves.
        let line = longer[text.len() / 2..].find('\n').context("a line ends")?;
        let newcomer = if v6 {
            format!("  - 2001:db8:7fff:{number:x}::1\n")
        } else {
            format!("  - 100.77.{number}.1\n")
        };
        longer.insert_str(text.len() / 2 + line + 1, &newcomer);
        let started = Instant::now();
        let snapshot = bed::snapshot_by(&mut loader, file(longer))?;
        let validated = Instant::now();
        let mut next = bed::compile_after(&snapshot, &former)?;
        let compiled = Instant::now();
        let applied = kernel.apply(&mut next)?;
        entries = applied.entries_written();
        let compile = ms(validated, compiled);
        let apply = applied.in_force.as_secs_f64() * 1e3;
        let took = [ms(started, validated), compile, apply, compile + apply];
        for (phase, took) in phases.iter_mut().zip(took) {
            phase.push(took);
        }
        former = next;
    }
    let [validate, compile, apply, in_force] = phases.map(|mut phase| {
        phase.sort_by(f64::total_cmp);
        phase[JOINS / 2]
    });
    let family = if v6 { "IPv6" } else { "IPv4" };
    let written = format!("{} of {}", entries[1], entries[0]);
    println!(
        "{:<40}{validate:>10.1}{compile:>10.1}{apply:>10.1}{in_force:>12.1}{written:>20}",
        format!("set of {members}, {family}"),
    );
    Ok(())
}

fn file(text: String) -> File {
    File {
        path: Arc::from(Path::new("bench.yaml")),
        text: text.into(),
    }
}

fn ms(from: Instant, to: Instant) -> f64 {
    (to - from).as_secs_f64() * 1e3
}

/// Sizes of sets.
const fn members(quick: bool) -> &'static [usize] {
    if quick {
        &[1_000, 100_000]
    } else {
        &[1_000, 100_000, 1_000_000]
    }
}

/// Policies of 1 000 rules each, then sets, in order of size.
fn loads(quick: bool) -> Vec<Load> {
    let (rules, members) = ([100, 1_000, 10_000], members(quick));
    let mut loads = Vec::new();
    for v6 in [false, true] {
        let family = if v6 { "IPv6" } else { "IPv4" };
        for count in &rules {
            loads.push(Load {
                name: format!("{count} uniform rules, {family}"),
                text: policy::resources(Shape::Uniform, *count, v6, "Allow"),
            });
        }
        for count in members {
            loads.push(Load {
                name: format!("set of {count}, {family}"),
                text: policy::set_of(*count, v6),
            });
        }
    }
    loads
}

/// Times one load, phase by phase.
fn time(load: &Load) -> Result<()> {
    let mut kernel = bed::empty()?;
    let file = file(load.text.clone());
    let started = Instant::now();
    let snapshot = bed::snapshot(file)?;
    let validated = Instant::now();
    let mut generation = bed::compile_for(&snapshot, bed::IFINDEX, &Slots::default())?;
    let compiled = Instant::now();
    kernel.apply(&mut generation)?;
    let applied = Instant::now();
    println!(
        "{:<40}{:>10.1}{:>10.1}{:>10.1}{:>10.1}{:>12.0}",
        load.name,
        ms(started, validated),
        ms(validated, compiled),
        ms(compiled, applied),
        ms(started, applied),
        peak_mib()?,
    );
    Ok(())
}

/// The most memory that this process ever had resident, MiB.
fn peak_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM in /proc/self/status")?;
    let kib: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .with_context(|| format!("VmHWM {line}"))?;
    Ok(kib / 1024.0)
}
