//! Loads from nothing, phase by phase, by the library alone.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result};
use hep_userspace::{compile::Slots, source};

use super::{median, members};
use crate::{
    expectation::Figures,
    fixture, interrupt,
    policy::{self, Shape},
    process,
};

/// One load to time.
struct Load {
    name: String,
    text: String,
}

/// Loads policies and sets of growing size, prints what each phase took, and adds all of it to
/// `figures`.
pub(super) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    let repeats = if quick { 3 } else { 5 };
    println!("\nControl plane, one load from nothing, milliseconds; medians of {repeats}");
    println!(
        "{:<32}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>10}",
        "", "parse", "validate", "compile", "load", "flip", "in force", "peak MB"
    );
    for load in loads(quick) {
        interrupt::check()?;
        forget_peak()?;
        let mut phases = [const { Vec::new() }; 6];
        for _repeat in 0..repeats {
            for (phase, took) in phases.iter_mut().zip(time(&load)?) {
                phase.push(took);
            }
        }
        let [parse, validate, compile, fill, flip, in_force] = phases.map(median);
        println!(
            "{:<32}{parse:>9.1}{validate:>9.1}{compile:>9.1}{fill:>9.1}{flip:>9.1}{in_force:>10.1}{:>10.0}",
            load.name,
            process::megabytes("self", "VmHWM")?,
        );
        figures.insert(
            format!("{}, text to in force, s", load.name),
            in_force / 1e3,
        );
    }
    Ok(())
}

/// Rules in policies of 1 000, as many policies of one rule, and sets, in order of size.
fn loads(quick: bool) -> Vec<Load> {
    let counts: &[usize] = if quick {
        &[1_000, 10_000]
    } else {
        &[100, 1_000, 10_000]
    };
    let mut loads = Vec::new();
    for v6 in [false, true] {
        let family = if v6 { "IPv6" } else { "IPv4" };
        for count in counts {
            loads.push(Load {
                name: format!("{count} uniform rules, {family}"),
                text: policy::resources(Shape::Uniform, *count, v6, "Allow"),
            });
        }
        for count in counts {
            loads.push(Load {
                name: format!("{count} policies, {family}"),
                text: policy::policies(*count, v6),
            });
        }
        for count in members(quick) {
            loads.push(Load {
                name: format!("set of {count}, {family}"),
                text: policy::set_of(*count, v6),
            });
        }
    }
    loads
}

/// Times one load: each phase, and all from text to in force.
fn time(load: &Load) -> Result<[f64; 6]> {
    let mut kernel = fixture::empty()?;
    let file = fixture::file(load.text.clone());
    let started = Instant::now();
    let parsed = source::parse(&file.text);
    let parse = started.elapsed();
    drop(parsed);

    let started = Instant::now();
    let snapshot = fixture::snapshot(file)?;
    let validated = started.elapsed();
    let mut generation = fixture::compile_for(&snapshot, fixture::IFINDEX, &Slots::default())?;
    let compiled = started.elapsed();
    let applied = kernel.apply(&mut generation)?;
    let phases = [
        parse,
        // It parses, too.
        validated.saturating_sub(parse),
        compiled - validated,
        applied.fill,
        applied.in_force - applied.fill,
        compiled + applied.in_force,
    ];
    Ok(phases.map(|phase| phase.as_secs_f64() * 1e3))
}

/// Has the kernel count this process's peak of memory from now on.
fn forget_peak() -> Result<()> {
    const PEAK: &str = "5";
    fs::write("/proc/self/clear_refs", PEAK).context("write /proc/self/clear_refs")
}
