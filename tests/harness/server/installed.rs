//! Servers that the set-up builds.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Names a folder of ready-made servers; without it, they are the workspace's own.
const HEP_SERVERS: &str = "HEP_SERVERS";

/// A server or tool that the set-up has built.
///
/// # Panics
///
/// If it has not.
pub(super) fn installed(name: &str) -> Command {
    let folder =
        env::var_os(HEP_SERVERS).map_or_else(|| workspace("target/servers"), PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask setup`, or set {HEP_SERVERS} to a folder that has it",
        path.display()
    );
    Command::new(path)
}

/// A path in this workspace.
pub(super) fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
