//! The rules of the house; formatting, Clippy for the host and for the BPF target, rustdoc: all without a
//! warning.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    command,
    setup::{self, Environment},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the rules of the house: seconds, without set-up
    #[arg(long)]
    house: bool,
    /// Only record the layouts of a new ABI_VERSION, in hep-common/abi.txt
    #[arg(long)]
    record_abi: bool,
    /// Only write the definitions of Calico's kinds, in hep-userspace/deploy/crds
    #[arg(long)]
    record_crds: bool,
}

/// Checks what the arguments ask for.
///
/// # Errors
///
/// If any check finds something.
pub(crate) fn main(arguments: &Arguments) -> Result<()> {
    if arguments.record_abi {
        return crate::house::abi::record(&crate::workspace());
    }
    if arguments.record_crds {
        return crate::crds::record(&crate::workspace());
    }
    if arguments.house {
        return crate::house::run();
    }
    run(&setup::run()?)
}

/// Runs every check, also after one that finds something.
///
/// # Errors
///
/// If any check finds something, with the number of those that do.
pub(crate) fn run(environment: &Environment) -> Result<()> {
    let mut found = 0_usize;
    if let Err(problem) = crate::house::run() {
        eprintln!("xtask: lint: {problem:#}");
        found += 1;
    }
    for mut check in checks(environment) {
        if let Err(problem) = command::run(&mut check) {
            eprintln!("xtask: lint: {problem:#}");
            found += 1;
        }
    }
    if found > 0 {
        bail!("{found} checks found something");
    }
    Ok(())
}

/// The checks, cheapest first.
fn checks(environment: &Environment) -> Vec<Command> {
    let mut format = environment.cargo();
    format.args(["fmt", "--all", "--check"]);

    let mut host = environment.cargo();
    host.args(["clippy", "--quiet", "--workspace", "--exclude", "hep-ebpf"])
        .args(["--all-targets", "--", "-D", "warnings"]);

    let mut bpf = environment.cargo();
    bpf.args(["clippy", "--quiet", "--release", "--package", "hep-ebpf"])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        .args(["--", "-D", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1")
        // Which registers a traced function's arguments are in: asked for by aya-ebpf.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH),
        );

    let mut documentation = environment.cargo();
    documentation
        .args(["doc", "--quiet", "--no-deps", "--workspace"])
        .args(["--exclude", "hep-ebpf"])
        .env("RUSTDOCFLAGS", "-D warnings");

    let mut checks = vec![format, host];
    if environment.toolchain_has_source() {
        checks.push(bpf);
    } else {
        println!("hep-ebpf is not linted: Clippy needs the toolchain's own rust-src component");
    }
    checks.push(documentation);
    checks
}
