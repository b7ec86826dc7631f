//! The userspace half of hep: YAML in, maps out.
//!
//! Modules in order of dependency; each imports only from earlier ones: `printable` escapes foreign text,
//! `model` and `selector` are the resources as types, `source` reads texts into documents, `store` reads,
//! follows and writes the places where they are kept, `validate` checks rules that span resources,
//! `resources` is what the verbs (`hep get`, `hep apply`, …) do to a store,
//! `compile` turns a snapshot into tables, `datapath` loads them into the kernel, `reference` judges
//! packets without the kernel, `preview` computes what a load would change, `cases` runs policy tests on
//! both engines, `daemon` keeps the kernel in step with files and interfaces, `view` makes models of what
//! commands show, and `cli` is the command line.

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
pub mod resources;
pub mod selector;
pub mod source;
pub mod store;
pub mod validate;
pub mod view;
