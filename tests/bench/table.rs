//! Tables for people.

use crate::{
    interleave::Cost,
    live::{Score, compared, subject},
};

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

/// Prints what contenders cost, and how `hep` compares with each.
pub(crate) fn print_scores(title: &str, scores: &[Score], is_total: bool) {
    let hep = subject(scores).map_or(f64::NAN, |score| compared(score, is_total));
    println!("\n{title}");
    println!(
        "{:<40}{:>12}{:>12}{:>12}{:>12}{:>7}",
        "", "ns/packet", "added ns", "hep / this", "packets", "lost"
    );
    for score in scores {
        let name = score.contender.name();
        if let Some(reason) = &score.absent {
            println!("{name:<40}  not measured: {reason}");
            continue;
        }
        println!(
            "{name:<40}{:>12.1}{:>12.1}{:>12.4}{:>12}{:>7}",
            score.cost_ns,
            score.added_ns,
            hep / compared(score, is_total),
            score.packets,
            score.lost,
        );
    }
}
