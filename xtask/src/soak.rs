//! Soaks: builds the firewall and the soaks of the `tests` package, and runs one.

use std::ffi::OsString;

use anyhow::Result;

use crate::{command, setup, test};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Which soak, and its options; `--help` lists both
    #[arg(
        value_name = "SOAK",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    soak: Vec<OsString>,
}

/// Sets up, builds, and runs a soak.
///
/// # Errors
///
/// If it cannot be built or run, or a figure is missed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("the soaks load BPF programs and make network namespaces, which")?;
    let environment = setup::run()?;
    let build = |arguments: &[&str]| command::run(environment.cargo().arg("build").args(arguments));
    let hep = ["--package", "hep-userspace", "--bin", "hep"];
    build(&[&hep[..], &["--release"]].concat())?;
    // To take over from: another build of the same sources.
    build(&hep)?;
    build(&test::OTHER_ABI)?;
    let soak = ["--package", "hep-tests", "--bin", "hep-soak", "--release"];
    build(&soak)?;
    let target = crate::workspace().join("target");
    let mut soak = command::program(&target.join("release/hep-soak").to_string_lossy());
    soak.args(&arguments.soak)
        .env("HEP_BIN", target.join("release/hep"))
        .env("HEP_OTHER_BUILD", target.join("debug/hep"))
        .env("HEP_OTHER_ABI", target.join("debug/hep-other-abi"));
    command::run(&mut soak)
}
