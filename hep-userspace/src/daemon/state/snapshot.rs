//! Snapshots: a policy's files in one file. A line with the checksum of everything below it, a line of JSON
//! with the files' names and lengths, then their texts one after another. Of files that differ little from
//! an earlier snapshot's, it may hold only the new parts.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{super::mode::Frozen, journal::Cause};
use crate::{
    model::{ObjectKey, Origin},
    source,
    store::{PolicySet, hex},
};

/// First word of the file, with the version of its format.
const MAGIC: &str = "hep-snapshot-1";

/// The JSON line of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    pub(super) generation: u32,
    pub(super) since_unix_ms: u64,
    pub(super) cause: Cause,
    pub(super) resources: usize,
    pub(super) base: PathBuf,
    /// Name of the kind of store that the objects are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<Arc<str>>,
    /// Where the store is followed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resume: Option<Arc<str>>,
    /// The mode that the journal records once the policy is in force.
    #[serde(default, alias = "held", skip_serializing_if = "Option::is_none")]
    pub(super) frozen: Option<Frozen>,
    /// Generation whose snapshot has the bytes that parts leave out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) former: Option<u32>,
    files: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    /// Path relative to the base, or an object's name in its store.
    path: PathBuf,
    /// The store's word for an object's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<Arc<str>>,
    /// Length of the text in this snapshot.
    bytes: usize,
    /// Number of bytes before and after it that are in the earlier snapshot's file of this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<[usize; 2]>,
}

impl Head {
    /// The head of the snapshot of a policy.
    pub(super) fn new(
        policy: &PolicySet,
        generation: u32,
        since_unix_ms: u64,
        cause: Cause,
        resources: usize,
    ) -> Self {
        let files = policy.files.iter().map(|file| Part {
            path: policy.relative(file).to_path_buf(),
            revision: file.object().map(|(_, revision)| Arc::clone(revision)),
            bytes: file.text.len(),
            kept: None,
        });
        let store = policy.files.iter().find_map(source::Unit::object);
        Self {
            generation,
            since_unix_ms,
            cause,
            resources,
            base: policy.base.clone(),
            store: store.map(|(key, _)| Arc::clone(&key.store)),
            resume: policy.resume.clone(),
            frozen: None,
            former: None,
            files: files.collect(),
        }
    }

    /// The file or object of a part.
    fn unit(&self, part: &Part, text: Bytes) -> Option<source::Unit> {
        let Some(revision) = &part.revision else {
            return Some(source::Unit::file(self.base.join(&part.path), text));
        };
        let key = Arc::new(ObjectKey {
            store: self.store.clone()?,
            key: Arc::from(part.path.to_str()?),
        });
        let revision = Arc::clone(revision);
        let origin = Origin::Object { key, revision };
        Some(source::Unit { origin, text })
    }

    /// Leaves out the bytes that the snapshot of generation `former` has.
    pub(super) fn leave_out(&mut self, former: u32, kept: &[Option<[usize; 2]>]) {
        self.former = Some(former);
        for (part, kept) in self.files.iter_mut().zip(kept) {
            part.bytes -= kept.map_or(0, |[before, behind]| before + behind);
            part.kept = *kept;
        }
    }
}

/// Number of bytes at the start and at the end of each file of `policy` that are the same in `former`.
pub(super) fn in_common(policy: &PolicySet, former: &PolicySet) -> Vec<Option<[usize; 2]>> {
    let texts: HashMap<&Path, &Bytes> = (former.files.iter())
        .map(|file| (former.relative(file), &file.text))
        .collect();
    let files = policy.files.iter();
    files
        .map(|file| {
            let former = texts.get(policy.relative(file))?;
            if file.text.as_ptr() == former.as_ptr() && file.text.len() == former.len() {
                return Some([file.text.len(), 0]);
            }
            Some(source::in_common(&file.text, former))
        })
        .collect()
}

/// Writes a snapshot.
pub(super) fn write(out: &mut impl Write, head: &Head, policy: &PolicySet) -> io::Result<()> {
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    let texts = head.files.iter().zip(&policy.files).map(|(part, file)| {
        let start = part.kept.map_or(0, |[before, _]| before);
        &file.text[start..start + part.bytes]
    });
    let mut hash = Sha256::new();
    hash.update(&line);
    texts.clone().for_each(|text| hash.update(text));
    writeln!(out, "{MAGIC} {}", hex(&hash.finalize()))?;
    out.write_all(&line)?;
    for text in texts {
        out.write_all(text)?;
    }
    Ok(())
}

/// Reads a snapshot; `None` if its checksum is wrong. `former` reads the snapshot of an earlier
/// generation.
pub(super) fn read(
    body: &Bytes,
    former: impl FnOnce(u32) -> Option<PolicySet>,
) -> Option<(Head, PolicySet)> {
    let (first, rest) = cut_line(body)?;
    if first != format!("{MAGIC} {}", hex(&Sha256::digest(rest))).as_bytes() {
        return None;
    }
    let (line, mut texts) = cut_line(rest)?;
    let head: Head = serde_json::from_slice(line).ok()?;
    let former = match head.former {
        Some(generation) => Some(former(generation)?),
        None => None,
    };
    let former_text = |path: &Path| {
        let former = former.as_ref()?;
        let mut files = former.files.iter();
        Some(&files.find(|file| former.relative(file) == path)?.text)
    };
    let mut files = Vec::with_capacity(head.files.len());
    for part in &head.files {
        let (here, after) = texts.split_at_checked(part.bytes)?;
        let text = match part.kept {
            None => body.slice_ref(here),
            Some([before, behind]) => {
                let former = former_text(&part.path)?;
                let behind = former.len().checked_sub(behind)?;
                [former.get(..before)?, here, former.get(behind..)?]
                    .concat()
                    .into()
            }
        };
        files.push(head.unit(part, text)?);
        texts = after;
    }
    let base = head.base.clone();
    let resume = head.resume.clone();
    Some((
        head,
        PolicySet {
            base,
            files,
            resume,
        },
    ))
}

fn cut_line(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    Some((body.get(..end)?, body.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(policy: &PolicySet) -> Bytes {
        let mut body = Vec::new();
        let head = Head::new(policy, 7, 1, Cause::Store, 2);
        write(&mut body, &head, policy).expect("memory takes it");
        body.into()
    }

    #[test]
    fn what_was_written_is_read() {
        let policy = PolicySet::of(
            "/p",
            &[("a.yaml", "# é\n"), ("b/c.yaml", ""), ("d.yaml", "x")],
        );
        let (head, read) = read(&written(&policy), |_| None).expect("nothing is damaged");
        assert_eq!((head.generation, head.resources), (7, 2));
        assert_eq!(read, policy);
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let body = written(&PolicySet::of(
            "/p",
            &[("a.yaml", "x: 1\n"), ("b.yaml", "y")],
        ));
        assert!(read(&body, |_| None).is_some());
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged.into(), |_| None), None, "byte {at}");
            assert_eq!(read(&body.slice(..at), |_| None), None, "cut at {at}");
        }
    }

    #[test]
    fn what_an_earlier_snapshot_has_may_be_left_out() {
        let former = PolicySet::of("/p", &[("a.yaml", "one two three"), ("b.yaml", "same")]);
        let files = [
            ("a.yaml", "one 2 three"),
            ("b.yaml", "same"),
            ("c.yaml", ""),
        ];
        let next = PolicySet::of("/q", &files);
        let kept = in_common(&next, &former);
        assert_eq!(kept, [Some([4, 6]), Some([4, 0]), None]);
        let mut head = Head::new(&next, 8, 1, Cause::Store, 2);
        head.leave_out(7, &kept);
        let mut body = Vec::new();
        write(&mut body, &head, &next).expect("memory takes it");
        assert!(body.ends_with(b"\n2"));
        let body = body.into();
        let found = read(&body, |generation| (generation == 7).then_some(former));
        assert_eq!(found, Some((head, next)));
        assert_eq!(read(&body, |_| None), None);
    }
}
