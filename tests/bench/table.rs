//! Tables for people.

use crate::turns::Cost;

/// Prints costs, and how many times the first one they are.
pub(crate) fn print(title: &str, costs: &[Cost]) {
    let Some(unit) = costs.first() else { return };
    println!("\n{title}");
    println!(
        "{:<56}{:>9}{:>9}{:>8}{:>8}",
        "", "min ns", "med ns", "min x", "med x"
    );
    for cost in costs {
        println!(
            "{:<56}{:>9.1}{:>9.1}{:>8.2}{:>8.2}",
            cost.name,
            cost.minimum_ns,
            cost.median_ns,
            cost.minimum_ns / unit.minimum_ns,
            cost.median_ns / unit.median_ns,
        );
    }
}
