//! Formatting, Clippy for the host and for the BPF target, rustdoc: all without a warning.

use anyhow::Result;

use crate::{command, setup::Environment};

/// Runs every check.
///
/// # Errors
///
/// At the first check that finds something.
pub(crate) fn run(environment: &Environment) -> Result<()> {
    command::run(environment.cargo().args(["fmt", "--all", "--check"]))?;
    command::run(
        environment
            .cargo()
            .args(["clippy", "--quiet", "--workspace", "--exclude", "hep-ebpf"])
            .args(["--all-targets", "--", "-D", "warnings"]),
    )?;
    if environment.toolchain_has_source() {
        command::run(
            environment
                .cargo()
                .args(["clippy", "--quiet", "--release", "--package", "hep-ebpf"])
                .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
                .args(["--", "-D", "warnings"])
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_ENCODED_RUSTFLAGS", bpf_flags()),
        )?;
    } else {
        println!("hep-ebpf is not linted: Clippy needs the toolchain's own rust-src component");
    }
    command::run(
        environment
            .cargo()
            .args([
                "doc",
                "--quiet",
                "--no-deps",
                "--workspace",
                "--exclude",
                "hep-ebpf",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Which registers a traced function's arguments are in: asked for by aya-ebpf.
fn bpf_flags() -> String {
    format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH)
}
