//! Licences, sources and duplicates of what hep depends on, by cargo-deny.

use anyhow::Result;

use crate::{command, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also look for known weaknesses: downloads their database
    #[arg(long)]
    advisories: bool,
}

/// Installs cargo-deny where it is missing, which takes minutes, and runs it on `.deny.toml`.
///
/// # Errors
///
/// If it cannot be installed, or finds something.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::cargo_deny()?;
    let mut deny = command::program("cargo");
    deny.current_dir(crate::workspace());
    deny.args(["deny", "--config", ".deny.toml", "check"]);
    deny.args(["bans", "licenses", "sources"]);
    if arguments.advisories {
        deny.arg("advisories");
    }
    command::run(&mut deny)
}
