//! Addresses that join a set in force, by the library alone.

use std::time::Instant;

use anyhow::Result;
use hep_userspace::{compile::Slots, validate::Loader};

use super::{median, members};
use crate::{bed, expectation::Figures, interrupt, policy};

/// Addresses that join a set, one after the other.
const JOINS: usize = 9;

/// Times addresses that join sets of growing size, prints it, and adds it to `figures`.
pub(super) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    println!(
        "\nControl plane, one address joins a set, milliseconds; medians of {JOINS}\n\
         {:<40}{:>10}{:>10}{:>10}{:>12}{:>20}",
        "", "validate", "compile", "apply", "in force", "entries written"
    );
    for members in members(quick) {
        for v6 in [false, true] {
            interrupt::check()?;
            join(*members, v6, figures)?;
        }
    }
    Ok(())
}

/// Times how addresses join one set: `in force` is from the valid snapshot on.
fn join(members: usize, v6: bool, figures: &mut Figures) -> Result<()> {
    let mut kernel = bed::empty()?;
    let mut loader = Loader::default();
    let text = policy::set_of(members, v6);
    let snapshot = bed::snapshot_by(&mut loader, bed::file(text.clone()))?;
    let mut former = bed::compile_for(&snapshot, bed::IFINDEX, &Slots::default())?;
    kernel.apply(&mut former)?;
    let mut phases = [const { Vec::new() }; 4];
    let mut entries = [0; 2];
    for number in 0..JOINS {
        // What joined before leaves.
        let longer = policy::with_newcomer(&text, number, v6);
        let started = Instant::now();
        let snapshot = bed::snapshot_by(&mut loader, bed::file(longer))?;
        let validated = Instant::now();
        let mut next = bed::compile_after(&snapshot, &former)?;
        let compiled = Instant::now();
        let applied = kernel.apply(&mut next)?;
        entries = applied.entries_written();
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        let compile = ms(validated, compiled);
        let apply = applied.in_force.as_secs_f64() * 1e3;
        let took = [ms(started, validated), compile, apply, compile + apply];
        for (phase, took) in phases.iter_mut().zip(took) {
            phase.push(took);
        }
        former = next;
    }
    let [validate, compile, apply, in_force] = phases.map(median);
    let family = if v6 { "IPv6" } else { "IPv4" };
    let name = format!("set of {members}, {family}");
    let written = format!("{} of {}", entries[1], entries[0]);
    println!("{name:<40}{validate:>10.1}{compile:>10.1}{apply:>10.1}{in_force:>12.1}{written:>20}");
    figures.insert(
        format!("{name}, one joins, snapshot to in force, ms"),
        in_force,
    );
    Ok(())
}
