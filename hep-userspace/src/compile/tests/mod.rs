//! Whole generations, judged by walking their tables as the programs do.

mod binding;
mod changes;
mod deltas;
mod differential;
mod felix;
mod files;
pub(super) mod fixture;
mod generators;
mod limits;
mod lists;
mod packets;
mod rules;
pub(super) mod walker;
mod warnings;
mod worked_cases;
