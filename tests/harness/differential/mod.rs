//! Random resources and packets, judged by the reference evaluator and by the kernel.
//!
//! Everything follows from a seed. The two engines have to agree on the verdict and on the rule that
//! decides; where they do not, [`shrink`] reduces the case to a file that `hep test` runs.

mod addresses;
mod compare;
mod felix;
mod generate;
mod packets;
mod policies;
mod selectors;
mod shrink;

pub use compare::{Found, Hunt, Outcome, Tally, run_seed};
pub use generate::{PACKETS_PER_SET, generate};
pub use shrink::shrink;

use fastrand::Rng;

/// True in `percent` of 100 cases.
fn chance(rng: &mut Rng, percent: u8) -> bool {
    rng.u8(0..100) < percent
}

/// One of the items.
fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> &'a T {
    &items[rng.usize(0..items.len())]
}

/// Up to `most` of `make`'s results.
fn some<T>(rng: &mut Rng, most: usize, mut make: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(0..=most)).map(|_| make(rng)).collect()
}
