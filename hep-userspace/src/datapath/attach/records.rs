//! The directory of links: an instance's attachments to interfaces, recorded by names of pins and
//! directories.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::error::AttachError;
use crate::datapath::object::program::Program;

/// The pin of a TCX link.
pub(crate) fn link(directory: &Path, ifindex: u32, which: Program) -> PathBuf {
    directory.join(format!("{ifindex}-{}", which.hook()))
}

/// The record that the interface has our filter.
pub(crate) fn filter(directory: &Path, ifindex: u32, which: Program) -> PathBuf {
    directory.join(format!("{ifindex}-{}-filter", which.hook()))
}

/// The record that we made the interface's clsact qdisc.
pub(crate) fn qdisc(directory: &Path, ifindex: u32) -> PathBuf {
    directory.join(format!("{ifindex}-clsact"))
}

/// The record that is as old as the last time our program was found gone.
pub(crate) fn missed(directory: &Path, ifindex: u32, which: Program) -> PathBuf {
    directory.join(format!("{ifindex}-{}-missed", which.hook()))
}

/// The records of a filter.
pub(crate) struct Filter {
    /// That it is there.
    pub(crate) filter: PathBuf,
    /// That its qdisc was made by us.
    pub(crate) qdisc: PathBuf,
}

impl Filter {
    pub(crate) fn of(directory: &Path, ifindex: u32, which: Program) -> Self {
        Self {
            filter: filter(directory, ifindex, which),
            qdisc: qdisc(directory, ifindex),
        }
    }
}

/// Records that our program was found gone just now.
pub(crate) fn note_missed(
    directory: &Path,
    ifindex: u32,
    which: Program,
) -> Result<(), AttachError> {
    let record = missed(directory, ifindex, which);
    remove_record(&record)?;
    make_record(&record)
}

/// When our program was last found gone, in milliseconds of Unix time.
pub(crate) fn last_missed(directory: &Path, ifindex: u32, which: Program) -> Option<u64> {
    let about = fs::metadata(missed(directory, ifindex, which)).ok()?;
    let age = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(age.as_millis()).ok()
}

/// Makes a record.
pub(crate) fn make_record(record: &Path) -> Result<(), AttachError> {
    match fs::create_dir(record) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(AttachError::Directory {
            path: record.to_path_buf(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Removes a record, a directory without content.
pub(crate) fn remove_record(record: &Path) -> Result<(), AttachError> {
    match fs::remove_dir(record) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AttachError::Directory {
            path: record.to_path_buf(),
            source: error,
        }),
        _ => Ok(()),
    }
}
