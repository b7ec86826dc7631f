//! The journal's file: a line with the checksum of the JSON below it.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{
    super::mode::{Basis, Frozen, Mode},
    error::{StateError, fail},
    files::{self, JOURNAL, SNAPSHOTS, replace},
    format1::Journal1,
    journal::{Cause, Entry, Journal, Outcome},
    snapshot,
};
use crate::store::hex;

/// First word of the journal's file, with the version of the framing around the JSON.
const MAGIC: &str = "hep-journal-2";
/// The same of the former format, which is read, too.
const MAGIC_1: &str = "hep-journal-1";

/// Reads the journal of a state directory that another process may use.
///
/// # Errors
///
/// [`StateError::Damaged`] if its checksum is wrong, [`StateError::Io`] if it cannot be read.
pub fn read_journal(directory: &Path) -> Result<Journal, StateError> {
    let path = directory.join(JOURNAL);
    let body = match files::read(&path) {
        Ok(body) => body,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Journal::default()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(StateError::Damaged(path));
        }
        Err(error) => return Err(fail(&path)(error)),
    };
    parse_journal(&body).ok_or(StateError::Damaged(path))
}

/// The journal in a file's content; `None` if its checksum is wrong.
fn parse_journal(body: &[u8]) -> Option<Journal> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let (head, rest) = body.split_at(end);
    let json = rest.get(1..)?;
    let (magic, checksum) = std::str::from_utf8(head).ok()?.split_once(' ')?;
    if checksum != hex(&Sha256::digest(json)) {
        return None;
    }
    match magic {
        MAGIC => serde_json::from_slice(json).ok(),
        MAGIC_1 => Some(serde_json::from_slice::<Journal1>(json).ok()?.into()),
        _ => None,
    }
}

/// Replaces the journal on disk.
///
/// # Errors
///
/// [`StateError::Io`]; the former one is there then.
pub(super) fn write(directory: &Path, journal: &Journal) -> Result<(), StateError> {
    let json = serde_json::to_vec_pretty(journal).map_err(|error| fail(directory)(error.into()))?;
    replace(directory, JOURNAL, true, |out| {
        writeln!(out, "{MAGIC} {}", hex(&Sha256::digest(&json)))?;
        out.write_all(&json)
    })
}

/// Rebuilds a journal from the intact snapshots. A trial of unknown end counts as not confirmed.
pub(super) fn rebuilt(directory: &Path) -> Result<Journal, StateError> {
    let snapshots = directory.join(SNAPSHOTS);
    let mut entries = Vec::new();
    let found = match fs::read_dir(&snapshots) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Journal::default()),
        Err(error) => return Err(fail(&snapshots)(error)),
    };
    for file in found {
        let path = file.map_err(fail(&snapshots))?.path();
        let body = match files::read(&path) {
            Ok(body) => body.into(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Default::default(),
            Err(error) => return Err(fail(&path)(error)),
        };
        let Some((head, policy)) = snapshot::read(&body, |_| None) else {
            log::warn!("{} is damaged and is skipped", path.display());
            continue;
        };
        entries.push(Entry {
            generation: head.generation,
            since_unix_ms: head.since_unix_ms,
            cause: head.cause,
            outcome: match head.cause {
                Cause::Try => Outcome::RolledBack,
                Cause::Store | Cause::Rollback { .. } | Cause::Resume => Outcome::Applied,
            },
            resources: head.resources,
            checksum: policy.checksum(),
            base: policy.base,
        });
    }
    entries.sort_by_key(|entry| entry.generation);
    let newest = entries.iter().rev().find(|entry| entry.is_good());
    let in_force = newest.map(|entry| entry.generation);
    Ok(Journal {
        // It may have been brought back: frozen until the store shows whether it is wanted.
        mode: newest.map_or_else(Mode::default, |entry| {
            Mode::Calm(Basis::Frozen(Frozen {
                since_unix_ms: entry.since_unix_ms,
                generation: entry.generation,
                overrides: None,
            }))
        }),
        in_force,
        entries,
        ..Journal::default()
    })
}
