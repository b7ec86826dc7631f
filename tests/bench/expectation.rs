//! The figures that must hold: `tests/bench/expectations.json`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The committed expectations, by name of the figure.
const EXPECTATIONS: &str = include_str!("expectations.json");

/// Measured values, by name: mostly ratios, otherwise in the unit of the name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Goal and limit of a figure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    /// The value to reach, if there is one.
    goal: Option<f64>,
    /// A regression if above: what was reached, with a margin for a busy machine.
    accepted: f64,
    /// Not measured with `--quick`.
    #[serde(default)]
    full: bool,
}

impl Expectation {
    /// Whether a measured value reaches the goal, in a word.
    fn of_goal(&self, value: f64) -> &'static str {
        match self.goal {
            Some(goal) if value <= goal => "reached",
            Some(_) => "missed",
            None => "",
        }
    }

    /// The message about a measured value if it is a regression.
    fn regression(&self, name: &str, value: f64) -> Option<String> {
        let is_regression = value.is_nan() || value > self.accepted;
        is_regression.then(|| {
            let percent = (value / self.accepted - 1.0) * 100.0;
            format!(
                "{name}: {} is {percent:.0} % above the {} that is accepted",
                number(value),
                number(self.accepted)
            )
        })
    }
}

/// Prints each measured value beside its goal and what is accepted; returns a message for each regression,
/// and in a `whole` run for each expected figure that was not measured.
///
/// # Errors
///
/// If the committed expectations cannot be read.
pub(crate) fn compare(figures: &Figures, quick: bool, whole: bool) -> Result<Vec<String>> {
    println!(
        "\n{:<76}{:>10}{:>10} {:<9}{:>10}",
        "Figures that are expected", "measured", "goal", "", "accepted"
    );
    let mut wrong = Vec::new();
    let expectations: BTreeMap<String, Expectation> =
        serde_json::from_str(EXPECTATIONS).context("read expectations.json")?;
    for (name, expectation) in expectations {
        let Some(value) = figures.get(&name).copied() else {
            if whole && !(quick && expectation.full) {
                wrong.push(format!("{name}: was not measured"));
            }
            continue;
        };
        let regression = expectation.regression(&name, value);
        println!(
            "{name:<76}{:>10}{:>10} {:<9}{:>10}{}",
            number(value),
            expectation.goal.map_or_else(String::new, number),
            expectation.of_goal(value),
            number(expectation.accepted),
            regression.as_ref().map_or("", |_| "  REGRESSED"),
        );
        wrong.extend(regression);
    }
    Ok(wrong)
}

/// Passes if nothing is `wrong`.
///
/// # Errors
///
/// If something is: all of it.
pub(crate) fn check(wrong: &[String]) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "{} of the figures in tests/bench/expectations.json do not hold:\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    );
}

/// A figure with the digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 10.0 => format!("{value:.1}"),
        middle if middle >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}
