//! The userspace half of hep: YAML in, maps out.
//!
//! Each module imports only from those above it: `printable` escapes foreign text, `source` reads
//! files into documents, `model` and `selector` give them types, `validate` checks what spans
//! resources, `compile` turns a snapshot into tables, `datapath` loads them into the kernel,
//! `reference` judges packets without it, `preview` tells what a load would change, `cases` puts
//! policy under test by both engines, `daemon` keeps everything current, and `cli` is the command
//! line.

#![deny(unsafe_code)]

pub mod cases;
pub mod cli;
pub mod compile;
pub mod daemon;
pub mod datapath;
pub mod model;
pub mod preview;
pub mod printable;
pub mod reference;
pub mod selector;
pub mod source;
pub mod validate;
