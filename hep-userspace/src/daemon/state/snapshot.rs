//! A policy's files as one file: a line with the checksum of everything below it, a line of JSON
//! that names the files and their lengths, then their texts one behind the other.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::journal::Cause;
use crate::source;

/// First word of the file, with the version of its format.
const MAGIC: &str = "hep-snapshot-1";

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    pub(super) generation: u32,
    pub(super) since_unix_ms: u64,
    pub(super) cause: Cause,
    pub(super) resources: usize,
    pub(super) base: PathBuf,
    files: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    /// Relative to the base.
    path: PathBuf,
    bytes: usize,
}

/// A policy's files, and the directory that they are below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The directory.
    pub base: PathBuf,
    /// Its policy files, in the order of their paths.
    pub files: Vec<source::File>,
}

impl Policy {
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

    /// A file's path below the base.
    #[must_use]
    pub fn relative<'f>(&self, file: &'f source::File) -> &'f Path {
        file.path.strip_prefix(&self.base).unwrap_or(&file.path)
    }

    /// The same files below another directory.
    #[must_use]
    pub fn rebased(&self, base: &Path) -> Self {
        let files = self.files.iter().map(|file| source::File {
            path: Arc::from(base.join(self.relative(file))),
            text: file.text.clone(),
        });
        Self {
            base: base.to_path_buf(),
            files: files.collect(),
        }
    }
}

impl Head {
    /// The head of a policy that came into force.
    pub(super) fn new(
        policy: &Policy,
        generation: u32,
        since_unix_ms: u64,
        cause: Cause,
        resources: usize,
    ) -> Self {
        let files = policy.files.iter().map(|file| Part {
            path: policy.relative(file).to_path_buf(),
            bytes: file.text.len(),
        });
        Self {
            generation,
            since_unix_ms,
            cause,
            resources,
            base: policy.base.clone(),
            files: files.collect(),
        }
    }
}

/// Writes a snapshot.
pub(super) fn write(out: &mut impl Write, head: &Head, policy: &Policy) -> io::Result<()> {
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    let mut hash = Sha256::new();
    hash.update(&line);
    policy.files.iter().for_each(|file| hash.update(&file.text));
    writeln!(out, "{MAGIC} {}", hex(&hash.finalize()))?;
    out.write_all(&line)?;
    policy
        .files
        .iter()
        .try_for_each(|file| out.write_all(&file.text))
}

/// What was written, or `None` if a byte of it is missing or another one.
pub(super) fn read(body: &Bytes) -> Option<(Head, Policy)> {
    let (first, rest) = cut_line(body)?;
    if first != format!("{MAGIC} {}", hex(&Sha256::digest(rest))).as_bytes() {
        return None;
    }
    let (line, mut texts) = cut_line(rest)?;
    let head: Head = serde_json::from_slice(line).ok()?;
    let mut files = Vec::with_capacity(head.files.len());
    for part in &head.files {
        let (text, after) = texts.split_at_checked(part.bytes)?;
        files.push(source::File {
            path: Arc::from(head.base.join(&part.path)),
            text: body.slice_ref(text),
        });
        texts = after;
    }
    let base = head.base.clone();
    Some((head, Policy { base, files }))
}

fn cut_line(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    Some((body.get(..end)?, body.get(end + 1..)?))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(base: &str, files: &[(&str, &str)]) -> Policy {
        let files = files.iter().map(|(path, text)| source::File {
            path: Arc::from(Path::new(base).join(path)),
            text: Bytes::copy_from_slice(text.as_bytes()),
        });
        Policy {
            base: PathBuf::from(base),
            files: files.collect(),
        }
    }

    fn written(policy: &Policy) -> Bytes {
        let mut body = Vec::new();
        let head = Head::new(policy, 7, 1, Cause::Directory, 2);
        write(&mut body, &head, policy).expect("memory takes it");
        body.into()
    }

    #[test]
    fn what_was_written_is_read() {
        let policy = policy(
            "/p",
            &[("a.yaml", "# é\n"), ("b/c.yaml", ""), ("d.yaml", "x")],
        );
        let (head, read) = read(&written(&policy)).expect("nothing is damaged");
        assert_eq!((head.generation, head.resources), (7, 2));
        assert_eq!(read, policy);
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let body = written(&policy("/p", &[("a.yaml", "x: 1\n"), ("b.yaml", "y")]));
        assert!(read(&body).is_some());
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged.into()), None, "byte {at}");
            assert_eq!(read(&body.slice(..at)), None, "cut at {at}");
        }
    }

    #[test]
    fn the_checksum_is_of_names_and_texts_wherever_they_are() {
        let here = policy("/p", &[("a.yaml", "x"), ("b.yaml", "y")]);
        let there = policy("/q/r", &[("a.yaml", "x"), ("b.yaml", "y")]);
        assert_eq!(here.checksum(), there.checksum());
        assert_eq!(here.rebased(Path::new("/q/r")), there);
        for other in [
            policy("/p", &[("a.yaml", "x"), ("b.yaml", "z")]),
            policy("/p", &[("a.yaml", "x"), ("c.yaml", "y")]),
            policy("/p", &[("a.yaml", "xb.yamly")]),
        ] {
            assert_ne!(here.checksum(), other.checksum());
        }
    }
}
