//! Addresses that join a set in force, and resources that join a selector, by the library alone.

use std::time::Instant;

use anyhow::Result;
use hep_userspace::{
    compile::{Generation, Slots},
    datapath::Kernel,
    source::Unit,
    validate::Loader,
};

use super::{median, members};
use crate::{expectation::Figures, fixture, interrupt, policy};

/// Addresses that join a set, one after the other.
const JOINS: usize = 9;

/// Times what joins sets of growing size, prints it, and adds it to `figures`.
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
    println!("\nThe same, one resource of one address joins a selector, or leaves it");
    for is_endpoint in [false, true] {
        for v6 in [false, true] {
            resources(quick, is_endpoint, v6, figures)?;
        }
    }
    Ok(())
}

/// A host whose policy changes.
struct Host {
    kernel: Kernel,
    loader: Loader,
    former: Generation,
    phases: [Vec<f64>; 4],
    entries: [usize; 2],
}

impl Host {
    fn new(files: &[Unit]) -> Result<Self> {
        let mut kernel = fixture::empty()?;
        let mut loader = Loader::default();
        let snapshot = fixture::snapshot_by(&mut loader, files)?;
        let mut former = fixture::compile_for(&snapshot, fixture::IFINDEX, &Slots::default())?;
        kernel.apply(&mut former)?;
        Ok(Self {
            kernel,
            loader,
            former,
            phases: [const { Vec::new() }; 4],
            entries: [0; 2],
        })
    }

    /// Times how other files come into force.
    fn change(&mut self, files: &[Unit]) -> Result<()> {
        let started = Instant::now();
        let snapshot = fixture::snapshot_by(&mut self.loader, files)?;
        let validated = Instant::now();
        let mut next = fixture::compile_after(&snapshot, &self.former)?;
        let compiled = Instant::now();
        let applied = self.kernel.apply(&mut next)?;
        self.entries = applied.entries_written();
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        let compile = ms(validated, compiled);
        let apply = applied.in_force.as_secs_f64() * 1e3;
        let took = [ms(started, validated), compile, apply, compile + apply];
        for (phase, took) in self.phases.iter_mut().zip(took) {
            phase.push(took);
        }
        self.former = next;
        Ok(())
    }

    /// Prints what changes took; returns the time from the valid snapshot on.
    fn tell(self, name: &str) -> f64 {
        let [validate, compile, apply, in_force] = self.phases.map(median);
        let written = format!("{} of {}", self.entries[1], self.entries[0]);
        println!(
            "{name:<40}{validate:>10.1}{compile:>10.1}{apply:>10.1}{in_force:>12.1}{written:>20}"
        );
        in_force
    }
}

/// Times how addresses join one set.
fn join(members: usize, v6: bool, figures: &mut Figures) -> Result<()> {
    let text = policy::set_of(members, v6);
    let mut host = Host::new(&[fixture::file(text.clone())])?;
    for number in 0..JOINS {
        // What joined before leaves.
        host.change(&[fixture::file(policy::with_newcomer(&text, number, v6))])?;
    }
    let name = format!("set of {members}, {}", family(v6));
    let in_force = host.tell(&name);
    figures.insert(
        format!("{name}, one joins, snapshot to in force, ms"),
        in_force,
    );
    Ok(())
}

/// Times how one resource joins and leaves the selector of sets of growing size; the figure is the extra
/// time over the smallest set.
fn resources(quick: bool, is_endpoint: bool, v6: bool, figures: &mut Figures) -> Result<()> {
    let kind = if is_endpoint {
        "HostEndpoint"
    } else {
        "GlobalNetworkSet"
    };
    let newcomer = fixture::file_of("newcomer.yaml", policy::newcomer(is_endpoint, v6));
    let mut smallest = None;
    for members in members(quick) {
        interrupt::check()?;
        let set = fixture::file(policy::set_of(*members, v6));
        let mut host = Host::new(std::slice::from_ref(&set))?;
        for _join in 0..JOINS {
            host.change(&[set.clone(), newcomer.clone()])?;
            host.change(std::slice::from_ref(&set))?;
        }
        let in_force = host.tell(&format!("{kind}, {members}, {}", family(v6)));
        let more = in_force - *smallest.get_or_insert(in_force);
        figures.insert(
            format!(
                "set of {members}, {}, one {kind} joins or leaves, ms more than beside 1000",
                family(v6)
            ),
            more,
        );
    }
    Ok(())
}

const fn family(v6: bool) -> &'static str {
    if v6 { "IPv6" } else { "IPv4" }
}
