//! The comparisons made, in order, and their figures.

use std::{path::Path, time::Duration};

use anyhow::Result;

use super::{
    comparison::{Comparison, Expect, Score, subject},
    contender::Contender,
    generator::Generator,
    plan::{Chart, plans},
};
use crate::{expectation::Figures, fixture::Yardsticks, interleave::Effort, table};

/// For a look.
const QUICK: Effort = Effort {
    rounds: 5,
    turn: Duration::from_millis(12),
};
/// For figures to keep.
const FULL: Effort = Effort {
    rounds: 9,
    turn: Duration::from_millis(50),
};

/// A comparison that was made.
pub(crate) struct Outcome {
    pub(crate) chart: Chart,
    pub(crate) size: usize,
    pub(crate) v6: bool,
    pub(crate) scores: Vec<Score>,
}

/// Makes all comparisons with `only` in their title, prints them, and adds the ratios of `hep` to
/// each contender to `figures`. Where `hep` takes part, `other` is a build of it that does as well.
pub(crate) fn run(
    quick: bool,
    only: &str,
    other: Option<&Path>,
    yardsticks: &mut Yardsticks,
    figures: &mut Figures,
) -> Result<Vec<Outcome>> {
    let mut generator = Generator::load()?;
    let effort = if quick { QUICK } else { FULL };
    let mut outcomes = Vec::new();
    for v6 in [false, true] {
        for plan in plans(quick, v6) {
            let family = if v6 { "IPv6" } else { "IPv4" };
            let title = format!("{}, {family}", plan.title);
            if !title.contains(only) {
                continue;
            }
            let comparison = Comparison {
                title: &title,
                policy: plan.policy,
                flows: plan.flows(),
                expect: plan.expect,
                contenders: plan.contenders,
                other,
            };
            let scores = comparison.run(&mut generator, yardsticks, effort)?;
            let is_total = plan.expect == Expect::Denied;
            table::print_scores(&format!("End to end: {title}"), &scores, is_total);
            add_ratios(&plan.title, family, is_total, &scores, figures);
            outcomes.push(Outcome {
                chart: plan.chart,
                size: plan.size,
                v6,
                scores,
            });
        }
    }
    add_flatness(&outcomes, figures);
    Ok(outcomes)
}

/// The compared cost of a packet: beyond a packet without a filter, or the total of a denied one.
pub(crate) fn compared(score: &Score, is_total: bool) -> f64 {
    if is_total {
        score.cost_ns
    } else {
        score.added_ns
    }
}

/// The ratio of `hep` to each contender.
fn add_ratios(title: &str, family: &str, is_total: bool, scores: &[Score], figures: &mut Figures) {
    let Some(hep) = subject(scores) else {
        return;
    };
    for score in scores {
        if [hep.contender, Contender::Nobody].contains(&score.contender) || score.absent.is_some() {
            continue;
        }
        let ratio = compared(hep, is_total) / compared(score, is_total);
        let name = score.contender.name();
        figures.insert(format!("{title}, against {name}, {family}"), ratio);
        if matches!(score.contender, Contender::NftSet | Contender::NftMap) {
            let best = format!("{title}, against nftables at its best, {family}");
            let best = figures.entry(best).or_insert(ratio);
            *best = best.max(ratio);
        }
    }
}

/// Cost that 10 000 uniform rules add, in multiples of the cost that 10 add.
fn add_flatness(outcomes: &[Outcome], figures: &mut Figures) {
    for v6 in [false, true] {
        let added = |rules: usize| {
            outcomes
                .iter()
                .find(|outcome| {
                    outcome.chart == Chart::Rules && outcome.size == rules && outcome.v6 == v6
                })
                .and_then(|outcome| {
                    outcome
                        .scores
                        .iter()
                        .find(|score| score.contender == Contender::Hep)
                })
                .map(|score| score.added_ns)
        };
        if let (Some(few), Some(many)) = (added(10), added(10_000)) {
            let family = if v6 { "IPv6" } else { "IPv4" };
            figures.insert(
                format!("10000 uniform rules against 10, {family}"),
                many / few,
            );
        }
    }
}
