//! Fuzzing with nftables as the judge.

use std::time::Duration;

use anyhow::Result;
use hep_tests::oracle::{self, Outcome};

use super::Plan;

/// Whether nothing got past.
pub(super) fn run(plan: &Plan) -> Result<bool> {
    println!("seeds from {} on", plan.seed);
    let outcomes = oracle::run(
        &oracle::Plan {
            frames: plan.frames.unwrap_or(u64::MAX),
            limit: plan.limit(),
            seed: plan.seed,
            only: plan.link.clone(),
        },
        |link| println!("{link}: this kernel has none"),
        tell,
    );
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let time: Duration = outcomes.iter().map(|outcome| outcome.time).sum();
    let is_clean = outcomes.iter().all(|outcome| outcome.past.is_none());
    println!(
        "{} frames over {} kinds of links, {} judged by hep, seen {} times behind it, {:.1} s: {}",
        sum(|outcome| outcome.sent),
        outcomes.len(),
        sum(Outcome::judged),
        sum(|outcome| outcome.seen),
        time.as_secs_f64(),
        if is_clean { "0 past" } else { "GOT PAST" },
    );
    Ok(is_clean)
}

fn tell(outcome: &Outcome) {
    let judged: Vec<String> = outcome
        .judged
        .iter()
        .map(|(reason, packets)| format!("{reason} {packets}"))
        .collect();
    println!(
        "{}: {} frames, {} judged ({}), seen {} times, {:.1} s",
        outcome.link,
        outcome.sent,
        outcome.judged(),
        judged.join(", "),
        outcome.seen,
        outcome.time.as_secs_f64(),
    );
    if let Some(past) = &outcome.past {
        println!("past hep, though denied: {past}\n{}", outcome.text());
    }
}
