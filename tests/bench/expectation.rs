//! The ratios that must hold: `tests/bench/expectations.json`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

/// The committed ratios, by name of the figure.
const EXPECTATIONS: &str = include_str!("expectations.json");

/// A figure: its name and the ratio of medians that was measured.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Compares what was measured with what is expected.
///
/// # Errors
///
/// If a figure is above its expectation, or an expected one was not measured.
pub(crate) fn check(figures: &Figures) -> Result<()> {
    let expected: BTreeMap<String, f64> =
        serde_json::from_str(EXPECTATIONS).context("read expectations.json")?;
    println!();
    let mut missed = 0_usize;
    for (name, limit) in &expected {
        let (word, value) = match figures.get(name) {
            Some(value) if value <= limit => ("holds", *value),
            Some(value) => ("ABOVE", *value),
            None => ("NOT MEASURED", f64::NAN),
        };
        missed += usize::from(word != "holds");
        println!("{word:<13}{name:<56}{value:>8.2}  at most {limit:.2}");
    }
    if missed > 0 {
        bail!("{missed} of {} figures are not as expected", expected.len());
    }
    Ok(())
}
