//! The figures that must hold: `tests/bench/expectations.json`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The committed expectations, by name of the figure.
const EXPECTATIONS: &str = include_str!("expectations.json");

/// What was measured, by name: mostly ratios, otherwise in the unit that the name says.
pub(crate) type Figures = BTreeMap<String, f64>;

/// What a figure should be, and what it may be.
struct Expectation {
    /// What the figure is to reach.
    goal: f64,
    /// A regression if above: what was reached, with a margin for a busy machine.
    accepted: f64,
    /// Not measured with `--quick`.
    full: bool,
}

/// Compares what was measured with what is expected.
///
/// # Errors
///
/// If a figure is above what is accepted, or, in a `whole` run, an expected one was not measured.
pub(crate) fn check(figures: &Figures, quick: bool, whole: bool) -> Result<()> {
    println!(
        "\n{:<13}{:<72}{:>10}{:>9}{:>10}",
        "", "", "measured", "goal", "accepted"
    );
    let mut failed = 0_usize;
    for (name, expectation) in expectations()? {
        let value = figures.get(&name).copied();
        if value.is_none() && (!whole || quick && expectation.full) {
            continue;
        }
        let word = match value {
            None => "NOT MEASURED",
            Some(value) if value > expectation.accepted => "ABOVE",
            Some(value) if value > expectation.goal => "above goal",
            Some(_) => "holds",
        };
        failed += usize::from(matches!(word, "NOT MEASURED" | "ABOVE"));
        println!(
            "{word:<13}{name:<72}{:>10.4}{:>9.4}{:>10.4}",
            value.unwrap_or(f64::NAN),
            expectation.goal,
            expectation.accepted
        );
    }
    if failed > 0 {
        bail!("{failed} figures are not as expected");
    }
    Ok(())
}

/// Reads the committed file.
fn expectations() -> Result<BTreeMap<String, Expectation>> {
    let file: BTreeMap<String, Value> =
        serde_json::from_str(EXPECTATIONS).context("read expectations.json")?;
    file.into_iter()
        .map(|(name, value)| {
            let number = |field: &str| {
                value[field]
                    .as_f64()
                    .with_context(|| format!("expectations.json: {name}: no number {field}"))
            };
            let expectation = Expectation {
                goal: number("goal")?,
                accepted: number("accepted")?,
                full: value["full"] == Value::Bool(true),
            };
            Ok((name, expectation))
        })
        .collect()
}
