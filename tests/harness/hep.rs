//! The `hep` binary.

use std::{
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

use crate::schema;

/// Names a ready-made binary; without it, the workspace's own is built.
const HEP_BIN: &str = "HEP_BIN";
/// Names a ready-made binary with another `ABI_VERSION`; without it, one is built.
const HEP_OTHER_ABI: &str = "HEP_OTHER_ABI";

/// The arguments of `hep show`.
pub const SHOWN: [&str; 8] = [
    "endpoints",
    "policies",
    "rules",
    "sets",
    "failsafe",
    "conntrack",
    "counters",
    "interfaces",
];

/// Where the binary is: `HEP_BIN`, or this workspace's, built as cargo builds these tests.
///
/// # Panics
///
/// If the build fails.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(HEP_BIN) {
        Some(path) => PathBuf::from(path),
        None => build("hep", &["--package", "hep-userspace"]),
    })
}

/// The same with another `ABI_VERSION`: `HEP_OTHER_ABI`, or this workspace's.
///
/// # Panics
///
/// If the build fails.
#[must_use]
pub fn other_abi() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(HEP_OTHER_ABI) {
        Some(path) => PathBuf::from(path),
        None => build(
            "hep-other-abi",
            &["--package", "hep-tests", "--features", "other-abi"],
        ),
    })
}

fn build(name: &str, options: &[&str]) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let profile = own
        .parent()
        .and_then(Path::parent)
        .expect("test binaries are in target/PROFILE/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--bin", name])
        .args(options);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("run cargo");
    assert!(status.success(), "cargo cannot build {name}");
    profile.join(name)
}

/// Output of a finished command.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line.
    pub command: String,
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Runs `command` to its end.
    ///
    /// # Panics
    ///
    /// If it cannot be run.
    #[must_use]
    pub fn by(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        let process::Output {
            status,
            stdout,
            stderr,
        } = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        Self {
            command: line,
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Asserts the exit code.
    ///
    /// # Panics
    ///
    /// If it was another one.
    #[track_caller]
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code: {self:#?}");
        self
    }

    /// Asserts that standard output or standard error holds `text`.
    ///
    /// # Panics
    ///
    /// If neither does.
    #[track_caller]
    #[must_use]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "should say {text:?}: {self:#?}"
        );
        self
    }

    /// Standard output as a document that matches the schema of this name.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    #[must_use]
    pub fn document(&self, schema: &str) -> Value {
        let document = self.json();
        schema::check(schema, &document);
        document
    }

    /// The items that `hep show WHAT` printed.
    ///
    /// # Panics
    ///
    /// If it failed, or they do not match their schema.
    #[track_caller]
    #[must_use]
    pub fn items(self, what: &str) -> Value {
        self.exits(0).document(&format!("show-{what}"))["items"].take()
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"))
    }
}

/// Runs `hep` with these arguments to its end.
#[must_use]
pub fn run(arguments: &[&str]) -> Output {
    Output::by(Command::new(binary()).args(arguments))
}
