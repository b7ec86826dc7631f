//! Kernels as Debian packages them: found, unpacked below `target/kernels/`, never installed.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use crate::command;

/// Modules without which the guest has no root; what they depend on is loaded before them.
const ROOT_MODULES: [&str; 3] = ["virtio_pci", "virtiofs", "overlay"];

/// The guest's init: loads `/modules` in order, mounts RAM over the shared root, and continues there with
/// the run's script, whose directory is in `heprun`.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
for kind in proc sysfs devtmpfs; do
    $b mkdir -p /at/$kind
    $b mount -t $kind $kind /at/$kind
done
for module in /modules/*; do
    $b insmod "$module"
done
$b mkdir -p /host /ram /root
$b mount -t virtiofs -o ro host /host
$b mount -t tmpfs -o mode=755 ram /ram
$b mkdir /ram/new /ram/work
$b mount -t overlay -o lowerdir=/host,upperdir=/ram/new,workdir=/ram/work root /root
$b mount --move /at/proc /root/proc
$b mount --move /at/sysfs /root/sys
$b mount --move /at/devtmpfs /root/dev
exec $b switch_root /root /bin/sh "$heprun/boot.sh"
"#;

/// A kernel line that hep is tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Line {
    /// Debian 12's own: no TCX
    #[value(name = "6.1")]
    V6_1,
    /// Debian 12's newer one: TCX
    #[value(name = "6.12")]
    V6_12,
}

impl Line {
    pub(crate) const ALL: [Self; 2] = [Self::V6_1, Self::V6_12];

    /// The package that depends on the newest kernel of this line.
    const fn metapackage(self) -> &'static str {
        match self {
            Self::V6_1 => "linux-image-cloud-amd64",
            Self::V6_12 => "linux-image-6.12-cloud-amd64",
        }
    }
}

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Output of `uname -r`.
    pub(crate) release: String,
    /// The image to boot.
    pub(crate) image: PathBuf,
    /// Its modules, indexed.
    pub(crate) modules: PathBuf,
    /// The initramfs.
    pub(crate) initramfs: PathBuf,
}

impl Kernel {
    /// Downloads and unpacks the newest kernel of a line, unless it is there.
    ///
    /// # Errors
    ///
    /// If Debian's archive has it not, or it is not laid out as Debian's kernels are.
    pub(crate) fn prepare(line: Line, directory: &Path) -> Result<Self> {
        let package = newest(line)?;
        let home = directory.join(&package);
        if !home.exists() {
            download(&package, directory)?;
        }
        let release = package
            .strip_prefix("linux-image-")
            .context("a kernel's package is called linux-image-…")?
            .to_owned();
        let modules = ["lib/modules", "usr/lib/modules"]
            .map(|path| home.join(path).join(&release))
            .into_iter()
            .find(|path| path.exists())
            .with_context(|| format!("{package} has no modules"))?;
        let kernel = Self {
            image: home.join(format!("boot/vmlinuz-{release}")),
            initramfs: home.join("initramfs"),
            modules,
            release,
        };
        let base = kernel.modules_base()?;
        command::run(
            command::program("depmod")
                .arg("-b")
                .arg(&base)
                .arg(&kernel.release),
        )?;
        kernel.pack_initramfs(&base, &home.join("initramfs.d"))?;
        Ok(kernel)
    }

    /// The directory that holds `lib/modules`.
    fn modules_base(&self) -> Result<PathBuf> {
        let base = self.modules.ancestors().nth(3);
        Ok(base
            .context("modules are in lib/modules/RELEASE")?
            .to_owned())
    }

    /// Builds the initramfs: busybox, the modules of the root file system, and [`INIT`].
    fn pack_initramfs(&self, base: &Path, staging: &Path) -> Result<()> {
        if staging.exists() {
            fs::remove_dir_all(staging)?;
        }
        fs::create_dir_all(staging.join("bin"))?;
        fs::create_dir(staging.join("modules"))?;
        fs::copy("/bin/busybox", staging.join("bin/busybox")).context("busybox-static")?;
        for (index, module) in self.root_modules(base)?.iter().enumerate() {
            let target = staging.join(format!("modules/{index:02}.ko"));
            unpack_module(module, &target)?;
        }
        let init = staging.join("init");
        fs::write(&init, INIT)?;
        command::run_quietly(command::program("chmod").arg("755").arg(&init))?;
        archive(staging, &self.initramfs)?;
        fs::remove_dir_all(staging)?;
        Ok(())
    }

    /// Files of [`ROOT_MODULES`] and of what they need, each after its needs.
    fn root_modules(&self, base: &Path) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for name in ROOT_MODULES {
            let listed = command::answer(command::program("modprobe").arg("-d").arg(base).args([
                "-S",
                &self.release,
                "--show-depends",
                name,
            ]))
            .with_context(|| format!("{} has no module {name}", self.release))?;
            for line in listed.lines() {
                let file = line
                    .strip_prefix("insmod ")
                    .map(|rest| PathBuf::from(rest.trim()));
                files.extend(file.filter(|file| !files.contains(file)));
            }
        }
        Ok(files)
    }
}

/// The package of the newest kernel, which the metapackage depends on.
fn newest(line: Line) -> Result<String> {
    let metapackage = line.metapackage();
    let ask = || {
        let listed = command::answer(command::program("apt-cache").args(["depends", metapackage]))?;
        listed
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: ").map(str::to_owned))
    };
    if let Some(package) = ask() {
        return Ok(package);
    }
    command::run_with_progress(
        "kernels: refresh Debian's package lists",
        command::program("apt-get").args(["--quiet", "update"]),
    )?;
    ask().with_context(|| format!("Debian's archive has no {metapackage}"))
}

/// Downloads a package and unpacks it into a directory of its name.
fn download(package: &str, directory: &Path) -> Result<()> {
    let packages = directory.join("packages");
    fs::create_dir_all(&packages)?;
    let mut apt = command::program("apt-get");
    apt.args(["--quiet", "download", package])
        .current_dir(&packages);
    let step = format!("kernels: download {package}");
    if command::run_with_progress(&step, &mut apt).is_err() {
        // The lists on this machine may name a version that the archive has replaced.
        command::run_with_progress(
            "kernels: refresh Debian's package lists",
            command::program("apt-get").args(["--quiet", "update"]),
        )?;
        command::run_with_progress(&step, &mut apt)?;
    }
    let prefix = format!("{package}_");
    let file = fs::read_dir(&packages)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&prefix))
        })
        .with_context(|| format!("apt-get left no {package} behind"))?;
    let unpacked = directory.join(format!("{package}.partial"));
    command::run_quietly(command::program("dpkg").arg("-x").arg(&file).arg(&unpacked))?;
    fs::rename(&unpacked, directory.join(package))?;
    fs::remove_file(&file)?;
    Ok(())
}

/// Copies a module, uncompressed: the guest's busybox loads no others.
fn unpack_module(module: &Path, target: &Path) -> Result<()> {
    let extension = module.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("ko") => {
            fs::copy(module, target)?;
        }
        Some("xz") => {
            let mut xz = command::program("xz");
            xz.arg("--decompress").arg("--stdout").arg(module);
            command::run_quietly(xz.stdout(File::create(target)?))?;
        }
        _ => bail!("{}: packed in an unknown way", module.display()),
    }
    Ok(())
}

/// Packs a directory in the kernel's initramfs format.
fn archive(directory: &Path, target: &Path) -> Result<()> {
    let names = ["bin", "bin/busybox", "init", "modules"].map(str::to_owned);
    let mut modules: Vec<String> = fs::read_dir(directory.join("modules"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|name| format!("modules/{name}"))
        .collect();
    modules.sort();
    let mut cpio = command::program("cpio")
        .args(["--create", "--format=newc", "--owner=0:0", "--quiet"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(File::create(target)?)
        .spawn()
        .context("run cpio")?;
    let mut input = cpio.stdin.take().context("cpio has no input")?;
    for name in names.into_iter().chain(modules) {
        writeln!(input, "{name}")?;
    }
    drop(input);
    if !cpio.wait()?.success() {
        bail!("cpio packed no initramfs");
    }
    Ok(())
}
