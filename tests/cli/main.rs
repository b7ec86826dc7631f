//! The binary on fixture files: exit codes, JSON, and its messages about typical mistakes.

mod diff;
mod judge;
mod offline;
mod operator;
mod schemas;
mod validate;
mod warnings;

use hep_tests::{hep::Output, policy::Directory};

/// Runs `hep COMMAND… DIRECTORY`.
fn on(directory: &Directory, command: &[&str]) -> Output {
    let path = directory.path().to_string_lossy().into_owned();
    let mut arguments = command.to_vec();
    arguments.push(&path);
    hep_tests::hep::run(&arguments)
}
