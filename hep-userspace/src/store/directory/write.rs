//! Writes a confirmed policy into the policy directory.
//!
//! Only policy files are touched: they are replaced one by one, each whole, and policy files that the
//! confirmed policy does not have are removed. Everything else, the directory itself included, stays as
//! it is, so that mounts, working directories and version control are undisturbed. For a moment the
//! directory holds files of two policies, but the daemon never loads that state: it reads the directory
//! again when all files are in place, and if it dies before that, the journal makes the next daemon
//! finish the work before it reads the directory.
//!
//! Whoever can write to the directory could redirect these writes, so nothing is reached through a link,
//! and a directory that users other than root can write to is refused unless `hep run` allows it
//! ([`super::trusted`]).

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    io::{ErrorKind, Write as _},
    os::fd::AsFd as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode},
    rand::{GetRandomFlags, getrandom},
};

use super::{
    error::{DirectoryError, fail},
    trusted::{Directory, Trust},
};
use crate::{source, store::PolicySet};

/// Prefix of the directories in which files are written before they are renamed into place; the reader
/// of policy files skips hidden names.
const STAGING: &str = ".hep-install";
/// Permissions that a file may inherit from the one that it replaces: nobody but the owner may write.
const MODES: u32 = 0o755;

/// Checks that [`install`] could write to `directory`, which holds `files` or is to hold them.
///
/// # Errors
///
/// The first obstacle.
pub(super) fn check(
    directory: &Path,
    files: &[source::Unit],
    trust: Trust,
) -> Result<(), DirectoryError> {
    let root = Directory::open(directory, trust)?;
    let mut written = BTreeSet::from([PathBuf::new()]);
    for path in files.iter().filter_map(source::Unit::path) {
        let (parent, name) = split(directory, path);
        let parent_directory = match root.open_below(parent) {
            // `install` creates it, or it was removed with its files.
            Err(DirectoryError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                continue;
            }
            opened => opened?,
        };
        let stat = parent_directory.stat(name)?;
        if stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink) {
            return Err(DirectoryError::Link(path.to_path_buf()));
        }
        written.insert(parent.to_path_buf());
    }
    for path in written {
        Staging::make(&root.open_below(&path)?)?.remove();
    }
    Ok(())
}

/// Makes `directory` hold the policy's files and no other policy file; `present` are its policy files
/// now.
///
/// # Errors
///
/// The first obstacle; some files may be in place then.
pub(super) fn install(
    policy: &PolicySet,
    directory: &Path,
    present: &[source::Unit],
    trust: Trust,
) -> Result<(), DirectoryError> {
    let root = Directory::open(directory, trust)?;
    remove_old(&root)?;
    let staging = Staging::make(&root)?;
    let outcome = replace(policy, directory, present, (&root, &staging));
    staging.remove();
    outcome
}

fn replace(
    policy: &PolicySet,
    directory: &Path,
    present: &[source::Unit],
    (root, staging): (&Directory, &Staging<'_>),
) -> Result<(), DirectoryError> {
    let wanted = policy.rebased(directory);
    let mut moves = Vec::new();
    for (number, file) in wanted.files.iter().enumerate() {
        let Some(path) = file.path().filter(|_| !present.contains(file)) else {
            continue;
        };
        let staged = OsString::from(number.to_string());
        let mut out = staging.directory.create(&staged)?;
        out.write_all(&file.text).map_err(fail(path))?;
        let like = policy.files.get(number).and_then(source::Unit::path);
        let mode = mode(root, split(directory, path), like)?;
        rustix::fs::fchmod(out.as_fd(), Mode::from_raw_mode(mode)).map_err(fail(path))?;
        moves.push((staged, path));
    }
    root.sync()?;
    for (staged, path) in moves {
        let (parent, name) = split(directory, path);
        let parent = root.make_below(parent)?;
        staging.directory.rename(&staged, &parent, name)?;
    }
    let paths = |files| -> BTreeSet<&Path> {
        let files: &[source::Unit] = files;
        files.iter().filter_map(source::Unit::path).collect()
    };
    for path in paths(present).difference(&paths(&wanted.files)) {
        let (parent, name) = split(directory, path);
        root.open_below(parent)?.remove(name, AtFlags::empty())?;
    }
    root.sync()
}

/// Permissions of the file that is replaced, or of the file's source.
fn mode(
    root: &Directory,
    (parent, name): (&Path, &OsStr),
    source: Option<&Path>,
) -> Result<u32, DirectoryError> {
    let former = match root.open_below(parent) {
        Ok(parent) => parent.stat(name)?.map(|stat| stat.st_mode),
        // The directory is created later, or refused.
        Err(_) => None,
    };
    let of_source = || {
        let metadata = fs::metadata(source?).ok()?;
        Some(metadata.permissions().mode())
    };
    Ok(former.or_else(of_source).unwrap_or(0o600) & MODES)
}

/// Splits a path into its directory, relative to `directory`, and the file name.
fn split<'p>(directory: &Path, path: &'p Path) -> (&'p Path, &'p OsStr) {
    let relative = path.strip_prefix(directory).unwrap_or(path);
    let name = relative.file_name().unwrap_or_default();
    (relative.parent().unwrap_or(Path::new("")), name)
}

/// A staging directory that only root can access, with an unpredictable name.
struct Staging<'d> {
    directory: Directory,
    name: OsString,
    parent: &'d Directory,
}

impl<'d> Staging<'d> {
    fn make(parent: &'d Directory) -> Result<Self, DirectoryError> {
        let mut random = [0; 8];
        let filled = getrandom(&mut random, GetRandomFlags::empty());
        filled.map_err(fail(parent.path()))?;
        let name = OsString::from(format!("{STAGING}-{:016x}", u64::from_ne_bytes(random)));
        rustix::fs::mkdirat(parent, &name, Mode::from_raw_mode(0o700))
            .map_err(fail(&parent.path().join(&name)))?;
        let directory = parent.child(&name)?;
        // Whoever can write to the parent may have replaced it.
        let own = rustix::fs::fstat(&directory).map_err(fail(directory.path()))?;
        if own.st_uid != rustix::process::geteuid().as_raw() || own.st_mode & 0o077 != 0 {
            return Err(DirectoryError::Shared {
                path: directory.path().to_path_buf(),
                owner: own.st_uid,
                mode: own.st_mode & 0o7777,
            });
        }
        Ok(Self {
            directory,
            name,
            parent,
        })
    }

    /// Removes the directory with its content. Nothing reads it, so errors are ignored.
    fn remove(self) {
        empty(&self.directory);
        drop(self.parent.remove(&self.name, AtFlags::REMOVEDIR));
    }
}

/// Removes the staging directories of interrupted installs.
fn remove_old(directory: &Directory) -> Result<(), DirectoryError> {
    for name in directory.names()? {
        if !name.as_encoded_bytes().starts_with(STAGING.as_bytes()) {
            continue;
        }
        // A file or link of that name is not ours.
        if let Ok(old) = directory.child(&name) {
            empty(&old);
            drop(directory.remove(&name, AtFlags::REMOVEDIR));
        }
    }
    Ok(())
}

fn empty(directory: &Directory) {
    for name in directory.names().unwrap_or_default() {
        drop(directory.remove(&name, AtFlags::empty()));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("hep-install-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(path.join("p")).expect("can be made");
            Self(path)
        }

        fn directory(&self) -> PathBuf {
            self.0.join("p")
        }

        fn present(&self) -> Vec<source::Unit> {
            super::super::read(&self.directory()).expect("can be read")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn policy(files: &[(&str, &str)]) -> PolicySet {
        PolicySet::of("/new", files)
    }

    #[test]
    fn the_directory_holds_the_policy_and_what_is_no_policy() {
        let scratch = Scratch::new("whole");
        let directory = scratch.directory();
        fs::create_dir(directory.join("old")).expect("can be made");
        for (name, text) in [
            ("a.yaml", "old"),
            ("same.yaml", "same"),
            ("old/gone.yaml", "gone"),
            ("README", "no policy"),
            (".hidden.yaml", "no policy"),
        ] {
            fs::write(directory.join(name), text).expect("can be written");
        }
        let mode = |name: &str| {
            let metadata = fs::metadata(directory.join(name)).expect("is there");
            metadata.permissions().mode() & 0o777
        };
        let public = fs::Permissions::from_mode(0o640);
        fs::set_permissions(directory.join("a.yaml"), public).expect("can be set");
        let wanted = policy(&[("a.yaml", "new"), ("b/c.yaml", "c"), ("same.yaml", "same")]);
        check(&directory, &scratch.present(), Trust::Root).expect("can be written");
        for _twice in 0..2 {
            install(&wanted, &directory, &scratch.present(), Trust::Root).expect("can be written");
            assert_eq!(scratch.present(), wanted.rebased(&directory).files);
        }
        assert_eq!((mode("a.yaml"), mode("b/c.yaml")), (0o640, 0o600));
        for name in ["README", ".hidden.yaml"] {
            assert!(directory.join(name).exists(), "{name}");
        }
        let left = fs::read_dir(&directory).expect("is there").filter(|entry| {
            let name = entry.as_ref().expect("is there").file_name();
            name.to_string_lossy().starts_with(STAGING)
        });
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn what_others_manage_is_left_to_them() {
        let scratch = Scratch::new("links");
        let directory = scratch.directory();
        fs::create_dir(directory.join("..data")).expect("can be made");
        fs::write(directory.join("..data/a.yaml"), "x").expect("can be written");
        symlink("..data/a.yaml", directory.join("a.yaml")).expect("can be made");
        let refused = check(&directory, &scratch.present(), Trust::Root);
        assert!(matches!(refused, Err(DirectoryError::Link(path)) if path.ends_with("a.yaml")));
        let link = scratch.0.join("link");
        symlink(&directory, &link).expect("can be made");
        assert!(matches!(
            check(&link, &[], Trust::Root),
            Err(DirectoryError::Link(_))
        ));
        assert!(matches!(
            check(&scratch.0.join("missing"), &[], Trust::Root),
            Err(DirectoryError::Io { .. })
        ));
    }

    /// Whoever owns a directory, or the way to it, may not have root write there or elsewhere.
    #[test]
    fn what_others_can_change_is_refused_unless_they_are_trusted() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can give a directory away");
            return;
        }
        let scratch = Scratch::new("shared");
        let directory = scratch.directory();
        let below = directory.join("sub");
        fs::create_dir(&below).expect("can be made");
        fs::write(below.join("a.yaml"), "x").expect("can be written");
        let files = scratch.present();
        let mode = |path: &Path, mode| {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(path, permissions).expect("can be set");
        };
        let is_shared = || {
            let refused = check(&directory, &files, Trust::Root);
            check(&directory, &files, Trust::Anybody).expect("is allowed");
            matches!(refused, Err(DirectoryError::Shared { .. }))
        };
        assert!(!is_shared());
        for path in [&below, &directory, &scratch.0] {
            for (owner, bits) in [(65534, 0o755), (0, 0o775), (0, 0o777)] {
                chown(path, Some(owner), None).expect("can be given away");
                mode(path, bits);
                assert!(is_shared(), "{} {owner} {bits:o}", path.display());
                chown(path, Some(0), None).expect("can be taken back");
                mode(path, 0o755);
            }
        }
        assert!(!is_shared());
        let way = scratch.0.join("way");
        symlink(&scratch.0, &way).expect("can be made");
        check(&way.join("p"), &[], Trust::Root).expect("a link of root's is as good");
        std::os::unix::fs::lchown(&way, Some(65534), None).expect("can be given away");
        mode(&scratch.0, 0o1777);
        let refused = check(&way.join("p"), &[], Trust::Root);
        assert!(matches!(refused, Err(DirectoryError::Shared { .. })));
    }

    /// Links that come between the check and the install are not followed, whoever is trusted.
    #[test]
    fn nothing_is_written_through_a_link() {
        for trust in [Trust::Root, Trust::Anybody] {
            let scratch = Scratch::new(&format!("swap-{trust:?}"));
            let directory = scratch.directory();
            let victim = scratch.0.join("victim");
            fs::create_dir(&victim).expect("can be made");
            let secret = victim.join("secret");
            fs::write(&secret, "secret").expect("can be written");
            let untouched = || {
                let metadata = fs::metadata(&secret).expect("is there");
                let text = fs::read_to_string(&secret).expect("is there");
                let names = fs::read_dir(&victim).expect("is there").count();
                (text, metadata.mode(), metadata.ino(), names)
            };
            let before = untouched();
            // Where earlier versions staged files.
            symlink(&victim, directory.join(STAGING)).expect("can be made");
            symlink(&secret, directory.join("p.yaml")).expect("can be made");
            let flat = policy(&[("p.yaml", "new")]);
            install(&flat, &directory, &[], trust).expect("the link is replaced");
            assert!(!directory.join("p.yaml").is_symlink());
            symlink(&victim, directory.join("sub")).expect("can be made");
            let deep = policy(&[("sub/secret", "new"), ("sub/50-evil.yaml", "new")]);
            let refused = install(&deep, &directory, &[], trust);
            assert!(
                matches!(&refused, Err(DirectoryError::Link(path)) if path.ends_with("sub")),
                "{refused:?}"
            );
            let gone = source::Unit::file(directory.join("sub/secret"), Vec::new());
            let refused = install(&flat, &directory, &[gone], trust);
            assert!(
                matches!(refused, Err(DirectoryError::Link(_))),
                "{refused:?}"
            );
            assert_eq!(untouched(), before);
        }
    }
}
