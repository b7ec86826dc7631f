//! Whole generations, judged by walking their tables as the programs do.

mod fixture;

mod walker;
mod worked_cases;
