//! Flows and links of versions with another `ABI_VERSION`: flows are carried over, links are taken over.
//!
//! Their directories are beside this version's own. Until every link runs a program of this version, the
//! other version's programs keep judging by their own tables; then the directory is removed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use aya::maps::MapData;
use hep_common::conntrack::LAYOUT_VERSION;

use super::{
    directory::{self, LAYOUT, ignore_missing},
    displaced::Displaced,
    layout::{FIRST_LAYOUT, Layout, SECOND_LAYOUT},
};
use crate::datapath::{KernelError, object::names};

/// The directory of another version.
#[derive(Debug)]
pub(crate) struct Former {
    directory: PathBuf,
    _lock: File,
}

/// Finds the directories of other versions, and locks them against their daemons.
pub(crate) fn find(pins: &Path) -> Result<Vec<Former>, KernelError> {
    let own = directory::version_directory(pins);
    directory::version_directories(pins)?
        .into_iter()
        .filter(|directory| *directory != own)
        .map(|directory| {
            let lock = directory::lock(&directory, pins)?;
            Ok(Former {
                directory,
                _lock: lock,
            })
        })
        .collect()
}

impl Former {
    /// The tables of flows that can be carried over.
    pub(crate) fn flows(&self) -> Result<Vec<Displaced>, KernelError> {
        let layout = match self.layout()? {
            FIRST_LAYOUT => Layout::First,
            SECOND_LAYOUT => Layout::Second,
            LAYOUT_VERSION => Layout::Current,
            unknown => {
                log::warn!(
                    "{}: flows of layout {unknown} are not known here; connections of this host are kept",
                    self.directory.display()
                );
                return Ok(Vec::new());
            }
        };
        let mut found = Vec::new();
        for name in layout.tables().iter().copied().chain([names::FRAGMENTS]) {
            let pin = self.directory.join(name);
            if pin.exists() {
                let map = MapData::from_pin(&pin).map_err(KernelError::map(name, "open"))?;
                found.push(Displaced::of_another_version(name, map, layout));
            }
        }
        Ok(found)
    }

    fn layout(&self) -> Result<u32, KernelError> {
        let fail = KernelError::directory(&self.directory);
        let entries = fs::read_dir(&self.directory).map_err(fail)?;
        let noted = entries.flatten().find_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix(LAYOUT)?.parse().ok()
        });
        Ok(noted.unwrap_or(FIRST_LAYOUT))
    }

    /// Removes the directory, and thereby detaches links that are still there.
    pub(crate) fn remove(self) -> Result<(), KernelError> {
        ignore_missing(fs::remove_dir_all(&self.directory))
            .map_err(KernelError::directory(&self.directory))
    }
}
