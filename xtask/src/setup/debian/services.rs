//! Services that packages bring along: none starts, at the installation or at a later boot.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::command;

/// The program that packages run before they start a service, and its answer "no".
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// A [`POLICY`] that refuses every action.
const REFUSE: &str = "#!/bin/sh\nexit 101\n";
/// Packages with a service, by name. Tests start servers of their own.
const SERVICES: [(&str, &str); 1] = [("etcd-server", "etcd")];

/// The refusal of starts; the packages' own behaviour is back when it is dropped.
pub(super) struct Held(Option<PathBuf>);

/// Has packages start no service. A policy of the administrator stays as it is.
///
/// # Errors
///
/// If the policy cannot be written.
pub(super) fn hold() -> Result<Held> {
    let path = Path::new(POLICY);
    if path.exists() {
        return Ok(Held(None));
    }
    let write = || {
        fs::write(path, REFUSE)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    };
    write().with_context(|| format!("write {POLICY}"))?;
    Ok(Held(Some(path.to_owned())))
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            println!("set-up: {} stays behind: {error}", path.display());
        }
    }
}

/// Has the next boot start no service of these packages.
///
/// # Errors
///
/// If one cannot be disabled.
pub(super) fn disable(installed: &[&str]) -> Result<()> {
    for (package, service) in SERVICES {
        if installed.contains(&package) {
            command::run_quietly(command::program("update-rc.d").args([service, "disable"]))?;
        }
    }
    Ok(())
}
