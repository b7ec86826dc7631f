//! The policy texts of a store at one moment.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{model::Origin, source};

/// The policy texts of a store at one moment, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet {
    /// The directory that the names are relative to, or the name of a store of objects.
    pub base: PathBuf,
    /// The texts, in the order of their names.
    pub files: Vec<source::Unit>,
    /// Where a store of objects is followed from, in its own words; no part of the content.
    pub resume: Option<Arc<str>>,
}

impl PolicySet {
    /// The checksum of the files' names below the base and of their texts.
    #[must_use]
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            for part in [
                self.relative(file).as_os_str().as_encoded_bytes(),
                &file.text,
            ] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
        hex(&hash.finalize())
    }

    /// Whether both have the same files, whatever their directories.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let [mut ours, mut theirs] = [self, other].map(|policy| {
            let files = policy.files.iter();
            files.map(|file| (policy.relative(file), &file.text))
        });
        self.files.len() == other.files.len() && ours.by_ref().eq(theirs.by_ref())
    }

    /// A file's path below the base, or an object's name in its store.
    #[must_use]
    pub fn relative<'f>(&self, file: &'f source::Unit) -> &'f Path {
        match &file.origin {
            Origin::File(path) => path.strip_prefix(&self.base).unwrap_or(path),
            Origin::Object { key, .. } => Path::new(&*key.key),
            Origin::BuiltIn => Path::new(""),
        }
    }

    /// Whether it is the content of a store of objects.
    #[must_use]
    pub fn is_of_objects(&self) -> bool {
        let mut files = self.files.iter();
        self.resume.is_some() || files.any(|file| matches!(file.origin, Origin::Object { .. }))
    }

    /// The same files below another directory; objects stay where they are.
    #[must_use]
    pub fn rebased(&self, base: &Path) -> Self {
        let rebased = |file: &source::Unit| match &file.origin {
            Origin::File(_) => {
                source::Unit::file(base.join(self.relative(file)), file.text.clone())
            }
            Origin::Object { .. } | Origin::BuiltIn => file.clone(),
        };
        let files = self.files.iter().map(rebased);
        Self {
            base: base.to_path_buf(),
            files: files.collect(),
            resume: self.resume.clone(),
        }
    }
}

/// Hexadecimal digits of bytes, as of a checksum.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes whatever is written");
        text
    })
}

#[cfg(test)]
impl PolicySet {
    /// Files below a directory, by name and text.
    pub(crate) fn of(base: &str, files: &[(&str, &str)]) -> Self {
        let unit = |(name, text): &(&str, &str)| {
            source::Unit::file(Path::new(base).join(name), text.as_bytes().to_vec())
        };
        Self {
            base: PathBuf::from(base),
            files: files.iter().map(unit).collect(),
            resume: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_of_names_and_texts_wherever_they_are() {
        let here = PolicySet::of("/p", &[("a.yaml", "x"), ("b.yaml", "y")]);
        let there = PolicySet::of("/q/r", &[("a.yaml", "x"), ("b.yaml", "y")]);
        assert_eq!(here.checksum(), there.checksum());
        assert_eq!(here.rebased(Path::new("/q/r")), there);
        for other in [
            PolicySet::of("/p", &[("a.yaml", "x"), ("b.yaml", "z")]),
            PolicySet::of("/p", &[("a.yaml", "x"), ("c.yaml", "y")]),
            PolicySet::of("/p", &[("a.yaml", "xb.yamly")]),
        ] {
            assert_ne!(here.checksum(), other.checksum());
        }
    }
}
