//! The pin directory: where maps and links outlive the daemon.
//!
//! ```text
//! <pins>/            an instance's own directory, below a bpffs
//!   v<ABI_VERSION>/  one file per map
//!     links/         what `attach` pins, one file per link
//!     flows-<N>/     records the layout of the flows for other versions
//! ```

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use hep_common::conntrack::LAYOUT_VERSION;
use rustix::{
    fs::{FlockOperation, flock, statfs},
    mount::{MountFlags, UnmountFlags, mount, unmount},
};

use crate::datapath::KernelError;

/// `statfs` type of a bpffs.
const BPF_FS_MAGIC: u32 = 0xcafe_4a11;
/// Where a bpffs customarily is.
const CUSTOMARY: &str = "/sys/fs/bpf";
/// Source of the mounts we make, by which `remove` recognises them.
const MOUNT_SOURCE: &str = "hep";
/// Entries that the kernel itself makes in a new bpffs.
const KERNELS: [&str; 2] = ["maps.debug", "progs.debug"];
/// Prefix of the name of the directory that records the layout of the flows.
pub(crate) const LAYOUT: &str = "flows-";
/// Appended to the name of a pin that is being replaced.
const ASIDE: &str = "_old";

/// The directory with the maps of this version.
#[must_use]
pub fn version_directory(pins: &Path) -> PathBuf {
    pins.join(format!("v{}", hep_common::ABI_VERSION))
}

/// The directory with the links of this version.
#[must_use]
pub fn links_directory(pins: &Path) -> PathBuf {
    version_directory(pins).join("links")
}

/// The directories with links of all versions that are there.
///
/// # Errors
///
/// [`KernelError::Directory`] if the pin directory cannot be listed.
pub fn all_links_directories(pins: &Path) -> Result<Vec<PathBuf>, KernelError> {
    let versions = version_directories(pins)?;
    Ok(versions
        .into_iter()
        .map(|version| version.join("links"))
        .filter(|links| links.is_dir())
        .collect())
}

/// The directories of all versions that are there.
pub(crate) fn version_directories(pins: &Path) -> Result<Vec<PathBuf>, KernelError> {
    let fail = KernelError::directory(pins);
    let entries = match fs::read_dir(pins) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    Ok(entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix('v'));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        })
        .map(|entry| entry.path())
        .collect())
}

/// The pin directory, locked against other writers for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Pins {
    maps: PathBuf,
    _lock: File,
}

impl Pins {
    /// Mounts a bpffs if the directory is not on one, makes the directories and locks them.
    pub(crate) fn prepare(pins: &Path) -> Result<Self, KernelError> {
        mount_if_needed(pins)?;
        let maps = version_directory(pins);
        make_directory(&links_directory(pins))?;
        let lock = lock(&maps, pins)?;
        note_layout(&maps)?;
        Ok(Self { maps, _lock: lock })
    }

    /// Path of a map's pin.
    pub(crate) fn path(&self, map: &str) -> PathBuf {
        self.maps.join(map)
    }

    fn aside(&self, map: &str) -> PathBuf {
        self.maps.join(format!("{map}{ASIDE}"))
    }

    /// Puts a pin aside, to make room for its successor.
    pub(crate) fn put_aside(&self, map: &str) -> Result<(), KernelError> {
        let path = self.path(map);
        fs::rename(&path, self.aside(map)).map_err(KernelError::directory(&path))
    }

    /// Removes the pin that [`Self::put_aside`] put aside.
    pub(crate) fn discard_aside(&self, map: &str) -> Result<(), KernelError> {
        let aside = self.aside(map);
        ignore_missing(fs::remove_file(&aside)).map_err(KernelError::directory(&aside))
    }

    /// Undoes [`Self::put_aside`]; also after a crash between the two.
    pub(crate) fn restore_aside(&self, map: &str) -> Result<(), KernelError> {
        let aside = self.aside(map);
        ignore_missing(fs::rename(&aside, self.path(map))).map_err(KernelError::directory(&aside))
    }
}

/// Locks the directory of a version against other writers for as long as the file is open.
pub(crate) fn lock(version: &Path, pins: &Path) -> Result<File, KernelError> {
    let lock = File::open(version).map_err(KernelError::directory(version))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(KernelError::Busy(pins.to_owned())),
        Err(error) => Err(KernelError::directory(version)(error.into())),
    }
}

pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn make_directory(path: &Path) -> Result<(), KernelError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(KernelError::directory(path))
}

/// Records the layout of this version's flows in its directory.
fn note_layout(directory: &Path) -> Result<(), KernelError> {
    make_directory(&directory.join(format!("{LAYOUT}{LAYOUT_VERSION}")))
}

/// The part of `path` that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"))
}

fn is_bpffs(path: &Path) -> Result<bool, KernelError> {
    let found = statfs(path).map_err(|error| KernelError::directory(path)(error.into()))?;
    Ok(u32::try_from(found.f_type) == Ok(BPF_FS_MAGIC))
}

/// Mounts a bpffs for `pins` unless it is on one: at the customary place if that is above `pins`,
/// else at `pins` itself, where it hides nothing of anybody's.
fn mount_if_needed(pins: &Path) -> Result<(), KernelError> {
    if is_bpffs(existing(pins))? {
        return Ok(());
    }
    let customary = Path::new(CUSTOMARY);
    let at = if pins.starts_with(customary) && customary.exists() {
        customary
    } else {
        make_directory(pins)?;
        pins
    };
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RELATIME;
    mount(MOUNT_SOURCE, at, "bpf", flags, Some(c"mode=0700")).map_err(|error| KernelError::Mount {
        path: at.to_owned(),
        source: error.into(),
    })
}

/// Removes every pin and directory of this instance, of all versions, and unmounts what hep mounted for it if
/// nothing else is in there. Links that only their pins held are thereby detached. Nothing to remove is fine.
///
/// # Errors
///
/// [`KernelError::Busy`] if a daemon holds the directory; [`KernelError::Directory`] or
/// [`KernelError::Mount`] with the kernel's error.
pub fn remove(pins: &Path) -> Result<(), KernelError> {
    if !pins.exists() {
        return Ok(());
    }
    let versions = version_directories(pins)?;
    let locks: Result<Vec<_>, _> = versions.iter().map(|version| lock(version, pins)).collect();
    let locks = locks?;
    for version in &versions {
        fs::remove_dir_all(version).map_err(KernelError::directory(version))?;
    }
    drop(locks);
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").map_err(KernelError::directory(pins))?;
    let is_ours = |path: &Path| mounts.lines().any(|line| is_our_mount(line, path));
    if is_ours(pins) {
        unmount_at(pins)?;
    }
    ignore_missing(fs::remove_dir(pins)).map_err(KernelError::directory(pins))?;
    let customary = Path::new(CUSTOMARY);
    if pins.starts_with(customary) && is_ours(customary) && is_unused(customary) {
        unmount_at(customary)?;
    }
    Ok(())
}

/// Whether a bpffs holds nothing but the kernel's own entries.
fn is_unused(bpffs: &Path) -> bool {
    let is_kernels = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| KERNELS.iter().any(|name| entry.file_name() == *name))
    };
    fs::read_dir(bpffs).is_ok_and(|mut entries| entries.all(is_kernels))
}

fn unmount_at(path: &Path) -> Result<(), KernelError> {
    unmount(path, UnmountFlags::NOFOLLOW).map_err(|error| KernelError::Mount {
        path: path.to_owned(),
        source: error.into(),
    })
}

/// Whether a line of `/proc/self/mountinfo` describes a bpffs that hep mounted at `path`.
fn is_our_mount(line: &str, path: &Path) -> bool {
    let Some((place, source)) = line.split_once(" - ") else {
        return false;
    };
    let at = place.split(' ').nth(4);
    let mut source = source.split(' ');
    at.map(Path::new) == Some(path)
        && source.next() == Some("bpf")
        && source.next() == Some(MOUNT_SOURCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bpffs_that_we_mounted_there_is_ours() {
        let ours = "36 25 0:32 / /run/hep rw,nosuid - bpf hep rw,mode=700";
        let systemds = "36 25 0:32 / /sys/fs/bpf rw,nosuid shared:9 - bpf bpf rw,mode=700";
        assert!(is_our_mount(ours, Path::new("/run/hep")));
        assert!(!is_our_mount(ours, Path::new("/run")));
        assert!(!is_our_mount(systemds, Path::new("/sys/fs/bpf")));
        assert!(!is_our_mount(
            "36 25 0:32 / /run/hep rw - tmpfs hep rw",
            Path::new("/run/hep")
        ));
    }

    #[test]
    fn the_directory_is_named_after_the_layout() {
        let directory = version_directory(Path::new("/sys/fs/bpf/hep"));
        let expected = format!("/sys/fs/bpf/hep/v{}", hep_common::ABI_VERSION);
        assert_eq!(directory, Path::new(&expected));
    }
}
