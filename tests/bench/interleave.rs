//! Running programs in turns and timing them.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Turns of each program.
    pub(crate) rounds: usize,
    /// Time of one turn.
    pub(crate) turn: Duration,
}

/// For a look.
pub(crate) const QUICK: Effort = Effort {
    rounds: 5,
    turn: Duration::from_millis(20),
};
/// For figures to keep.
pub(crate) const FULL: Effort = Effort {
    rounds: 15,
    turn: Duration::from_millis(60),
};

/// A program with its packet; `run` has it judged this many times.
pub(crate) struct Runner<'a> {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(u32) -> Result<()> + 'a>,
}

/// Cost of a program in nanoseconds per packet, the loop of `BPF_PROG_TEST_RUN` included.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) name: String,
    pub(crate) minimum_ns: f64,
    pub(crate) median_ns: f64,
}

/// Runs all `runners` in turns.
pub(crate) fn measure(runners: &[Runner<'_>], effort: Effort) -> Result<Vec<Cost>> {
    let repeats = runners
        .iter()
        .map(|runner| repeats(runner, effort.turn))
        .collect::<Result<Vec<u32>>>()?;
    let mut rounds = vec![Vec::with_capacity(effort.rounds); runners.len()];
    for _round in 0..effort.rounds {
        for ((runner, repeat), costs) in runners.iter().zip(&repeats).zip(&mut rounds) {
            let spent = turn(runner, *repeat)?;
            costs.push(spent.as_secs_f64() * 1e9 / f64::from(*repeat));
        }
    }
    Ok(runners
        .iter()
        .zip(rounds)
        .map(|(runner, mut costs)| {
            costs.sort_by(f64::total_cmp);
            Cost {
                name: runner.name.clone(),
                minimum_ns: costs.first().copied().unwrap_or(f64::NAN),
                median_ns: costs.get(costs.len() / 2).copied().unwrap_or(f64::NAN),
            }
        })
        .collect())
}

/// How many packets fill one turn.
fn repeats(runner: &Runner<'_>, turn_time: Duration) -> Result<u32> {
    const PROBE: u32 = 2_000;
    turn(runner, PROBE)?;
    let spent = turn(runner, PROBE)?;
    let wanted = turn_time.as_secs_f64() / spent.as_secs_f64().max(1e-9) * f64::from(PROBE);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32"
    )]
    Ok(wanted.clamp(f64::from(PROBE), 5e6) as u32)
}

/// Runs one program `repeat` times.
fn turn(runner: &Runner<'_>, repeat: u32) -> Result<Duration> {
    let started = Instant::now();
    (runner.run)(repeat)?;
    Ok(started.elapsed())
}
