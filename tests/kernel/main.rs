//! The loader on the real kernel: opening, adopting, bringing generations into force, faults, limits.
//!
//! Needs root. Every test has a pin directory of its own, with a bpffs of its own.

mod adopt;
mod apply;
mod counters;
mod dump;
mod fixture;
mod flows;
mod former_layout;
mod test_run;
