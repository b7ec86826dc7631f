//! The control plane: from text to a generation in force.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use hep_userspace::{compile::Slots, source::File};

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
    Ok(())
}

/// Policies of 1 000 rules each, then sets, in order of size.
fn loads(quick: bool) -> Vec<Load> {
    let (rules, members): (&[usize], &[usize]) = if quick {
        (&[100, 1_000, 10_000], &[1_000, 100_000])
    } else {
        (&[100, 1_000, 10_000], &[1_000, 100_000, 1_000_000])
    };
    let mut loads = Vec::new();
    for v6 in [false, true] {
        let family = if v6 { "IPv6" } else { "IPv4" };
        for count in rules {
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
    let file = File {
        path: Arc::from(Path::new("bench.yaml")),
        text: load.text.as_bytes().to_vec().into(),
    };
    let started = Instant::now();
    let snapshot = bed::snapshot(file)?;
    let validated = Instant::now();
    let mut generation = bed::compile_for(&snapshot, bed::IFINDEX, &Slots::default())?;
    let compiled = Instant::now();
    kernel.apply(&mut generation)?;
    let applied = Instant::now();
    let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
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
