//! Requirements of building, testing and showing hep, installed where they are missing.
//!
//! The machine itself is inspected, never a package index, so a machine that has everything needs no
//! network and prints nothing.

mod debian;
mod servers;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use self::debian::{Package, install, missing};
use crate::command;

/// The linker of the BPF target, and the first version that reads this compiler's bitcode.
const LINKER: &str = "bpf-linker";
/// The first version of [`LINKER`] that reads this compiler's bitcode.
const LINKER_VERSION: [u32; 3] = [0, 13, 0];
/// The LLVM that the linker is built against: Debian 12 has it in its security suite.
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Needed to build anything.
const COMPILERS: [Package; 3] = [
    Package {
        name: "gcc",
        mark: "cc",
    },
    Package {
        name: "libc6-dev",
        mark: "/usr/include/stdio.h",
    },
    // The client of etcd is made from etcd's own descriptions of its messages.
    Package {
        name: "protobuf-compiler",
        mark: "protoc",
    },
];

/// Needed to build the linker, and for nothing after that.
const LINKER_BUILD: [Package; 4] = [
    Package {
        name: "g++",
        mark: "c++",
    },
    Package {
        name: "llvm-22-dev",
        mark: "/usr/lib/llvm-22/bin/llvm-config",
    },
    Package {
        name: "libpolly-22-dev",
        mark: "/usr/lib/llvm-22/lib/libPolly.a",
    },
    Package {
        name: "libzstd-dev",
        mark: "/usr/include/zstd.h",
    },
];

/// Debian's compiler.
const DEBIAN_COMPILER: &str = "/usr/bin/rustc";
/// Debian's compiler with its library source, for a toolchain whose own source is not available.
const COMPILER: [Package; 2] = [
    Package {
        name: "rustc-web",
        mark: DEBIAN_COMPILER,
    },
    Package {
        name: "rust-web-src",
        mark: "/usr/lib/rustlib/src/rust/library/core/src/lib.rs",
    },
];

/// Needed to boot other kernels.
const VIRTUAL_MACHINES: [Package; 5] = [
    Package {
        name: "qemu-system-x86",
        mark: "qemu-system-x86_64",
    },
    Package {
        name: "busybox-static",
        mark: "busybox",
    },
    Package {
        name: "cpio",
        mark: "cpio",
    },
    Package {
        name: "kmod",
        mark: "depmod",
    },
    Package {
        name: "xz-utils",
        mark: "xz",
    },
];

/// The programs that suites and benches run, with their packages: a line each, of a program, its
/// package, and `tests` or `bench`.
const PROGRAMS: &str = include_str!("../../tests/programs.txt");

/// Who runs a program of [`PROGRAMS`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum User {
    Tests,
    Bench,
}

/// The programs of one user.
fn programs(user: User) -> Vec<Package> {
    let lines = PROGRAMS.lines().filter(|line| !line.starts_with('#'));
    let listed = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let (mark, name) = (words.next()?, words.next()?);
        let listed_for = match words.next()? {
            "bench" => User::Bench,
            _ => User::Tests,
        };
        (listed_for == user).then_some(Package { name, mark })
    });
    listed.collect()
}

/// Settings for the commands that build hep.
#[derive(Default)]
pub(crate) struct Environment {
    /// The compiler of the kernel programs, if it is not the one that compiles the rest.
    bpf_compiler: Option<PathBuf>,
    /// Builds are without the kernel programs.
    without_programs: bool,
}

impl Environment {
    /// `cargo`, in the workspace, with what the set-up found.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = command::program("cargo");
        cargo.current_dir(crate::workspace());
        if let Some(compiler) = &self.bpf_compiler {
            cargo.env("HEP_BPF_RUSTC", compiler);
        }
        if self.without_programs {
            cargo.env("HEP_WITHOUT_BPF", "1");
        }
        cargo
    }

    /// Builds the firewall, for development.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(crate) fn build_hep(&self) -> Result<()> {
        command::run(
            self.cargo()
                .args(["build", "--package", "hep-userspace", "--bin", "hep"]),
        )
    }

    /// Whether the toolchain in use can compile for the BPF target itself.
    pub(crate) fn toolchain_has_source(&self) -> bool {
        self.bpf_compiler.is_none()
    }
}

/// Installs what is missing.
///
/// # Errors
///
/// If something is missing and cannot be installed: no network, not root, not Debian.
pub(crate) fn run() -> Result<Environment> {
    let has_linker = linker_version().is_some_and(|version| version >= LINKER_VERSION);
    let linker_build: &[Package] = if has_linker { &[] } else { &LINKER_BUILD };
    let programs = programs(User::Tests);
    install(COMPILERS.iter().chain(linker_build).chain(&programs))?;
    let environment = library_source()?;
    if !has_linker {
        build_linker()?;
    }
    Ok(environment)
}

/// Settings for builds with what this machine has: without the kernel programs if it lacks their tools.
pub(crate) fn present() -> Environment {
    let linker = linker_version().filter(|version| *version >= LINKER_VERSION);
    let compiler = linker.and_then(|_version| source_present());
    compiler.unwrap_or_else(|| {
        println!(
            "without the kernel programs: `cargo xtask setup` installs bpf-linker and rust-src"
        );
        Environment {
            without_programs: true,
            ..Environment::default()
        }
    })
}

/// Installs what is missing for booting other kernels.
///
/// # Errors
///
/// If something is missing and cannot be installed: no network, not root, not Debian.
pub(crate) fn virtual_machines() -> Result<()> {
    install(&VIRTUAL_MACHINES)
}

/// Builds the store servers of the tests that are missing.
///
/// # Errors
///
/// If one cannot be built: no network, no space.
pub(crate) fn store_servers() -> Result<()> {
    servers::build()
}

/// Installs the firewalls that hep is compared with, where they are missing.
///
/// # Errors
///
/// If one is missing and cannot be installed: no network, not root, not Debian.
pub(crate) fn peers() -> Result<()> {
    install(&programs(User::Bench))
}

/// Says what only root can do, before anything else is tried.
///
/// # Errors
///
/// If this is not root.
pub(crate) fn require_root(purpose: &str) -> Result<()> {
    if !is_root() {
        bail!(
            "{purpose} needs root; run it as root (for example: `sudo -E env PATH=\"$PATH\" cargo xtask …`)"
        );
    }
    Ok(())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The compiler that has its library source, from which `core` is compiled for the BPF target.
fn source_present() -> Option<Environment> {
    let with = |compiler: OsString| Environment {
        bpf_compiler: Some(compiler.into()),
        ..Environment::default()
    };
    if let Some(compiler) = env::var_os("HEP_BPF_RUSTC") {
        return Some(with(compiler));
    }
    if toolchain_source().is_ok_and(|source| source.exists()) {
        return Some(Environment::default());
    }
    missing(&COMPILER)
        .is_empty()
        .then(|| with(DEBIAN_COMPILER.into()))
}

/// Where the toolchain keeps its library source.
fn toolchain_source() -> Result<PathBuf> {
    let sysroot = command::answer(command::program("rustc").args(["--print", "sysroot"]))
        .context("`rustc --print sysroot` fails; install Rust with rustup")?;
    Ok(Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/src/lib.rs"))
}

/// Installs library source, of the toolchain or else of Debian's compiler, if there is none.
fn library_source() -> Result<Environment> {
    if let Some(present) = source_present() {
        return Ok(present);
    }
    let source = toolchain_source()?;
    let component = command::run_with_progress(
        "set-up: the toolchain's rust-src component",
        command::program("rustup").args(["component", "add", "rust-src"]),
    );
    // rustup may believe that a component is there whose files are not.
    if component.is_ok() && source.exists() {
        return Ok(Environment::default());
    }
    println!("set-up: rustup has no rust-src; Debian's compiler has its source packaged");
    install(&COMPILER)?;
    println!("set-up: set HEP_BPF_RUSTC={DEBIAN_COMPILER} where you run cargo without xtask");
    source_present().context("no compiler has its library source")
}

/// Builds the BPF linker.
fn build_linker() -> Result<()> {
    let [major, minor, patch] = LINKER_VERSION;
    let package = format!("{LINKER}@{major}.{minor}.{patch}");
    command::run_with_progress(
        &format!("set-up: build and install {package}"),
        command::program("cargo")
            .args(["install", &package, "--locked", "--force"])
            .args(["--no-default-features", "--features", "llvm-22"])
            .env("LLVM_SYS_221_PREFIX", LLVM_PREFIX)
            .env("LLVM_PREFIX", LLVM_PREFIX)
            // Flags meant for this workspace are not the linker's.
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    if linker_version().is_none() {
        bail!("{LINKER} is installed but not on the PATH; add cargo's bin directory to it");
    }
    Ok(())
}

/// Installs cargo-deny where it is missing.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn cargo_deny() -> Result<()> {
    if command::answer(command::program("cargo-deny").arg("--version")).is_some() {
        return Ok(());
    }
    command::run_with_progress(
        "set-up: build and install cargo-deny",
        command::program("cargo").args(["install", "cargo-deny", "--locked"]),
    )
}

/// The version of the linker on the `PATH`.
fn linker_version() -> Option<[u32; 3]> {
    let text = command::answer(command::program(LINKER).arg("--version"))?;
    version(text.strip_prefix(LINKER)?)
}

/// The version `1.2.3` in a text, whatever follows it.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text
        .trim()
        .split(|character: char| !character.is_ascii_digit())
        .map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{PROGRAMS, User, programs};

    #[test]
    fn every_listed_program_is_installed_for_somebody() {
        let listed = PROGRAMS.lines().filter(|line| !line.starts_with('#'));
        let known = programs(User::Tests).len() + programs(User::Bench).len();
        assert_eq!(known, listed.count());
        for line in PROGRAMS.lines().filter(|line| !line.starts_with('#')) {
            let last = line.split_whitespace().nth(2);
            assert!(matches!(last, Some("tests" | "bench")), "{line}");
        }
    }

    /// Every program that a suite runs by its bare name must be in the set-up's lists.
    #[test]
    fn suites_run_programs_by_the_list_only() {
        let mut folders = vec![crate::workspace().join("tests")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("the folder of tests") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension() == Some("rs".as_ref()) && runs_by_name(&path) {
                    found.push(path);
                }
            }
        }
        assert!(found.is_empty(), "use harness::program in {found:?}");
    }

    fn runs_by_name(path: &Path) -> bool {
        let text = fs::read_to_string(path).expect("readable");
        text.contains("Command::new(\"")
    }
}
