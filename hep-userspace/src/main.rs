//! The `hep` command.

fn main() {}
