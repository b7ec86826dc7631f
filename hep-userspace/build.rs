//! Builds the kernel programs and leaves the object in `OUT_DIR` for the library to embed.
//!
//! The programs are a crate of their own for another target, so cargo is run once more, with its
//! own target directory (the outer cargo holds the lock of the usual one). The target has no
//! pre-built `core`: it is compiled from the `rust-src` component, which takes an unstable option,
//! and `RUSTC_BOOTSTRAP` lets the stable compiler accept it for this child alone.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The crate of the kernel programs, and the name of the object.
const PACKAGE: &str = "hep-ebpf";
/// The object of the benches' yardsticks; their build script learns its path as
/// `DEP_HEP_EBPF_YARDSTICKS`.
const YARDSTICKS: &str = "hep-bench-base";
/// Little-endian BPF: the byte order of every host that hep supports.
const TARGET: &str = "bpfel-unknown-none";
/// Names the compiler to use for the programs instead of the one that compiles the rest.
const COMPILER: &str = "HEP_BPF_RUSTC";
/// Set to `1`, leaves the kernel programs out: an empty object, for `cargo check`, Clippy and the library's
/// tests on a machine without the tools for them. Such a build refuses to enforce anything.
const WITHOUT: &str = "HEP_WITHOUT_BPF";
/// Advice for a machine that lacks a tool for the kernel programs.
const ADVICE: &str = "the kernel programs need the rust-src component of the toolchain and \
     bpf-linker on the PATH; `cargo xtask setup` installs both; HEP_WITHOUT_BPF=1 does without the \
     programs, to check and to test the library";

fn main() {
    if let Err(problem) = build() {
        println!("cargo::error={problem}");
    }
}

/// Builds the object and copies it to `OUT_DIR`.
fn build() -> Result<(), String> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let workspace = manifest_dir
        .parent()
        .ok_or("hep-userspace stands in no workspace")?;
    for input in [
        "hep-ebpf/src",
        "hep-ebpf/Cargo.toml",
        "hep-common/src",
        "hep-common/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    println!("cargo::rerun-if-env-changed={COMPILER}");
    println!("cargo::rerun-if-env-changed={WITHOUT}");
    println!("cargo::rustc-check-cfg=cfg(hep_without_bpf)");
    if variable("CARGO_CFG_TARGET_ENDIAN")? != "little" {
        return Err("hep runs on little-endian hosts only".to_owned());
    }
    if env::var_os(WITHOUT).is_some_and(|value| value == "1") {
        return leave_out(&out_dir);
    }

    let target_dir = out_dir.join("bpf");
    let output = cargo(workspace, &target_dir)?
        .output()
        .map_err(|error| format!("run cargo for {PACKAGE}: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        for line in messages.lines() {
            println!("cargo::warning={line}");
        }
        return Err(format!("{PACKAGE} does not build for {TARGET}; {ADVICE}"));
    }
    for line in messages.lines().filter(|line| line.starts_with("warning")) {
        println!("cargo::warning={line}");
    }

    let objects = target_dir.join(TARGET).join("release");
    println!(
        "cargo::metadata=yardsticks={}",
        objects.join(YARDSTICKS).display()
    );
    let object = objects.join(PACKAGE);
    fs::copy(&object, out_dir.join(PACKAGE))
        .map_err(|error| format!("copy {}: {error}", object.display()))?;
    Ok(())
}

/// Leaves empty objects in place of the programs; never in an optimised build, which somebody may install.
fn leave_out(out_dir: &Path) -> Result<(), String> {
    if variable("PROFILE")? != "debug" {
        return Err(format!(
            "{WITHOUT} is for development: unset it to build a release"
        ));
    }
    println!("cargo::rustc-cfg=hep_without_bpf");
    for name in [PACKAGE, YARDSTICKS] {
        let path = out_dir.join(name);
        fs::write(&path, []).map_err(|error| format!("write {}: {error}", path.display()))?;
    }
    let yardsticks = out_dir.join(YARDSTICKS);
    println!("cargo::metadata=yardsticks={}", yardsticks.display());
    Ok(())
}

/// The command that builds the object.
fn cargo(workspace: &Path, target_dir: &Path) -> Result<Command, String> {
    let compiler = env::var_os(COMPILER).unwrap_or(variable("RUSTC")?);
    let architecture = variable("CARGO_CFG_TARGET_ARCH")?;
    let architecture = architecture.to_string_lossy();
    let flags = [
        // Which registers a traced function's arguments are in: asked for by aya-ebpf.
        format!("--cfg=bpf_target_arch=\"{architecture}\""),
        // The instruction set of Linux 5.1 and later.
        "-Ctarget-cpu=v3".to_owned(),
        // BTF is made from the debug information.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
    ];
    let mut command = Command::new(variable("CARGO")?);
    command
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            PACKAGE,
        ])
        .args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"])
        .arg(target_dir)
        .env("RUSTC", compiler)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    Ok(command)
}

/// A variable that cargo sets for build scripts.
fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set"))
}
