//! Whole generations, judged by walking their tables as the programs do.

mod differential;
pub(super) mod fixture;

pub(super) mod walker;
mod worked_cases;
