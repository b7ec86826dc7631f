//! The control plane: from text to a generation in force.

mod changes;
mod daemon;
mod joins;
mod loads;

use anyhow::Result;

use crate::expectation::Figures;

/// Measures loads from nothing, addresses and resources that join a set, and all of it through the daemon.
pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    loads::run(quick, figures)?;
    joins::run(quick, figures)?;
    changes::run(figures)?;
    daemon::run(quick, figures)
}

/// Sizes of sets.
const fn members(quick: bool) -> &'static [usize] {
    if quick {
        &[1_000, 100_000]
    } else {
        &[1_000, 100_000, 1_000_000]
    }
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
