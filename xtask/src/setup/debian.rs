//! Debian packages: which are missing, and their installation.

mod services;

use std::{env, ffi::OsStr, fs, path::Path};

use anyhow::{Context as _, Result, bail};

use super::is_root;
use crate::command;

/// A Debian package and the file or program by which it is recognised.
pub(super) struct Package {
    pub(super) name: &'static str,
    /// A program's name, or an absolute path.
    pub(super) mark: &'static str,
}

/// The packages whose marks are not there.
pub(super) fn missing<'a>(packages: impl IntoIterator<Item = &'a Package>) -> Vec<&'static str> {
    packages
        .into_iter()
        .filter(|package| !is_present(package.mark))
        .map(|package| package.name)
        .fold(Vec::new(), |mut names, name| {
            if !names.contains(&name) {
                names.push(name);
            }
            names
        })
}

/// Whether a path exists or a program is on the `PATH`.
fn is_present(mark: &str) -> bool {
    if mark.starts_with('/') {
        return Path::new(mark).exists();
    }
    env::split_paths(&command::path()).any(|directory| directory.join(mark).is_file())
}

/// Installs the packages that are missing.
pub(super) fn install<'a>(packages: impl IntoIterator<Item = &'a Package> + Clone) -> Result<()> {
    let names = missing(packages.clone());
    if names.is_empty() {
        return Ok(());
    }
    let list = names.join(" ");
    if !is_present("apt-get") {
        bail!(
            "this machine lacks what Debian packages as: {list}; it has no apt-get, so install them by hand"
        );
    }
    if !is_root() {
        bail!(
            "Debian packages are missing: {list}; run `cargo xtask setup` as root, or install them by hand"
        );
    }
    apt("set-up: refresh Debian's package lists", ["update"])?;
    if !names.iter().all(|name| is_offered(name)) && add_security_suite()? {
        apt("set-up: refresh Debian's package lists", ["update"])?;
    }
    let arguments = ["install", "--yes", "--no-install-recommends"];
    let held = services::hold()?;
    apt(
        &format!("set-up: install {list}"),
        arguments.into_iter().chain(names.iter().copied()),
    )?;
    drop(held);
    services::disable(&names)?;
    let still = missing(packages);
    if !still.is_empty() {
        bail!(
            "{} installed, but not where it was expected",
            still.join(" ")
        );
    }
    Ok(())
}

/// Whether a package can be installed.
fn is_offered(package: &str) -> bool {
    let policy = command::answer(command::program("apt-cache").args(["policy", package]));
    policy.is_some_and(|text| text.contains("Candidate: ") && !text.contains("Candidate: (none)"))
}

/// Has apt look into Debian's security suite, too, which installers enable and a bare `debootstrap`
/// does not; whether it was added.
fn add_security_suite() -> Result<bool> {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let folder = Path::new("/etc/apt/sources.list.d");
    let mut sources = read(Path::new("/etc/apt/sources.list"));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        sources.push_str(&read(&entry.path()));
    }
    let release = read(Path::new("/etc/os-release"));
    let Some(line) = security_suite(&sources, &release) else {
        return Ok(false);
    };
    let path = folder.join("hep-debian-security.list");
    println!("set-up: add Debian's security suite as {}", path.display());
    fs::write(&path, line).with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

/// The line that adds the security suite of this release, from the mirror that `sources` have; `None` if
/// they have it already, or this is not Debian.
fn security_suite(sources: &str, release: &str) -> Option<String> {
    if !release.lines().any(|line| line == "ID=debian") || sources.contains("-security") {
        return None;
    }
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    let mirror = sources
        .split_whitespace()
        .map(|word| word.trim_end_matches('/'))
        .find(|word| word.contains("://") && word.ends_with("/debian"))?;
    Some(format!("deb {mirror}-security {codename}-security main\n"))
}

/// Runs `apt-get` without questions.
fn apt<A: AsRef<OsStr>>(step: &str, arguments: impl IntoIterator<Item = A>) -> Result<()> {
    command::run_with_progress(
        step,
        command::program("apt-get")
            .args([
                "--quiet",
                "-o",
                "Dpkg::Use-Pty=0",
                "-o",
                "DPkg::Lock::Timeout=300",
            ])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

#[cfg(test)]
mod tests {
    use super::security_suite;

    #[test]
    fn the_security_suite_is_added_where_it_is_missing() {
        let release = "ID=debian\nVERSION_CODENAME=bookworm\n";
        let bare = "deb http://mirror.example/debian bookworm main\n";
        let line = security_suite(bare, release).expect("it is missing");
        assert_eq!(
            line,
            "deb http://mirror.example/debian-security bookworm-security main\n"
        );
        assert_eq!(security_suite(&line, release), None);
        assert_eq!(security_suite(bare, "ID=other\n"), None);
    }
}
