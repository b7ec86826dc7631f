//! Putting a confirmed policy into the policy directory.
//!
//! Only policy files are touched: they are replaced one by one, each whole, and those that the
//! policy does not have are removed. Everything else, the directory itself included, stays what it
//! is, so that mounts, working directories and version control go on. That the directory holds files
//! of two policies for a moment is seen by nobody who matters: the daemon looks again when all are
//! in place, and if it ends before that, the journal has the next one finish the work before it
//! reads the directory.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::state::Policy;
use crate::source;

/// Where files are written before they are renamed into place; the reader of policy files passes
/// over hidden names.
const STAGING: &str = ".hep-install";

/// Why policy files cannot be put into a directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    /// The system refused.
    #[error("{}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Something else manages the files.
    #[error("{} is a symbolic link, so something else puts the files there", .0.display())]
    Link(PathBuf),
}

fn fail(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_path_buf();
    move |source| InstallError::Io { path, source }
}

/// Whether [`install`] could write to `directory`, which holds `files`.
pub(super) fn check(directory: &Path, files: &[source::File]) -> Result<(), InstallError> {
    let mut checked = BTreeSet::new();
    let on_the_way = files.iter().flat_map(|file| {
        let below = file.path.ancestors();
        below.take_while(|path| path.starts_with(directory))
    });
    for path in on_the_way.chain([directory]) {
        if !checked.insert(path) {
            continue;
        }
        let metadata = fs::symlink_metadata(path).map_err(fail(path))?;
        if metadata.is_symlink() {
            return Err(InstallError::Link(path.to_path_buf()));
        }
        if metadata.is_dir() {
            prepare(path)?;
            remove_staging(path)?;
        }
    }
    Ok(())
}

/// Makes `directory` hold the policy's files and no other policy file; `present` are those that are
/// there now.
pub(super) fn install(
    policy: &Policy,
    directory: &Path,
    present: &[source::File],
) -> Result<(), InstallError> {
    let wanted = policy.rebased(directory);
    let staging = prepare(directory)?;
    let mut moves = Vec::new();
    for (number, file) in wanted.files.iter().enumerate() {
        if present.contains(file) {
            continue;
        }
        let path = staging.join(number.to_string());
        fs::write(&path, &file.text).map_err(fail(&path))?;
        // As the file was, or as its source is.
        let source = policy.files.get(number).map(|file| &file.path);
        let like =
            fs::metadata(&file.path).or_else(|error| source.map_or(Err(error), fs::metadata));
        let mode = like.map_or(0o600, |metadata| metadata.permissions().mode());
        let permissions = fs::Permissions::from_mode(mode & 0o777);
        fs::set_permissions(&path, permissions).map_err(fail(&path))?;
        moves.push((path, &file.path));
    }
    sync(&staging)?;
    for (from, to) in moves {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(fail(parent))?;
        }
        fs::rename(&from, to).map_err(fail(to))?;
    }
    let keeps: BTreeSet<&Path> = wanted.files.iter().map(|file| &*file.path).collect();
    for file in present.iter().filter(|file| !keeps.contains(&*file.path)) {
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(fail(&file.path)(error));
            }
            _ => {}
        }
    }
    sync(directory)?;
    remove_staging(directory)
}

fn prepare(directory: &Path) -> Result<PathBuf, InstallError> {
    let staging = directory.join(STAGING);
    match fs::create_dir(&staging) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fail(&staging)(error)),
        _ => Ok(staging),
    }
}

fn remove_staging(directory: &Path) -> Result<(), InstallError> {
    let staging = directory.join(STAGING);
    fs::remove_dir_all(&staging).map_err(fail(&staging))
}

/// Has everything on disk that was written to the directory's file system.
fn sync(directory: &Path) -> Result<(), InstallError> {
    let sync = || {
        let directory = File::open(directory)?;
        rustix::fs::syncfs(&directory)?;
        Ok(())
    };
    sync().map_err(fail(directory))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, sync::Arc};

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

        fn present(&self) -> Vec<source::File> {
            source::read_directory(&self.directory()).expect("can be read")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn policy(files: &[(&str, &str)]) -> Policy {
        let base = PathBuf::from("/new");
        let files = files.iter().map(|(path, text)| source::File {
            path: Arc::from(base.join(path)),
            text: text.as_bytes().to_vec().into(),
        });
        Policy {
            files: files.collect(),
            base: base.clone(),
        }
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
        check(&directory, &scratch.present()).expect("can be written");
        for _twice in 0..2 {
            install(&wanted, &directory, &scratch.present()).expect("can be written");
            assert_eq!(scratch.present(), wanted.rebased(&directory).files);
        }
        assert_eq!((mode("a.yaml"), mode("b/c.yaml")), (0o640, 0o600));
        for name in ["README", ".hidden.yaml"] {
            assert!(directory.join(name).exists(), "{name}");
        }
        assert!(!directory.join(STAGING).exists());
    }

    #[test]
    fn what_others_manage_is_left_to_them() {
        let scratch = Scratch::new("links");
        let directory = scratch.directory();
        fs::create_dir(directory.join("..data")).expect("can be made");
        fs::write(directory.join("..data/a.yaml"), "x").expect("can be written");
        symlink("..data/a.yaml", directory.join("a.yaml")).expect("can be made");
        let refused = check(&directory, &scratch.present());
        assert!(matches!(refused, Err(InstallError::Link(path)) if path.ends_with("a.yaml")));
        let link = scratch.0.join("link");
        symlink(&directory, &link).expect("can be made");
        assert!(matches!(check(&link, &[]), Err(InstallError::Link(_))));
        assert!(matches!(
            check(&scratch.0.join("missing"), &[]),
            Err(InstallError::Io { .. })
        ));
    }
}
