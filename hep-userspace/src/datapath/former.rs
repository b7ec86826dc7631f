//! What versions with another `ABI_VERSION` left: flows, which are carried over, and links, which are
//! taken over.
//!
//! Their directories lie beside this version's own. Until every link runs a program of this version,
//! those of the other go on judging by the other's tables; then the directory is removed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use aya::maps::MapData;
use hep_common::conntrack::{Conn, LAYOUT_VERSION};

use super::{
    KernelError,
    adopt::Displaced,
    names,
    pins::{self, ignore_missing},
};

/// Begins the name of the directory that notes the layout of the flows.
const LAYOUT: &str = "flows-";
/// The layout where none is noted.
const FIRST_LAYOUT: u32 = 1;

/// The directory of another version.
#[derive(Debug)]
pub(super) struct Former {
    directory: PathBuf,
    _lock: File,
}

/// Finds the directories of other versions, and holds them against their daemons.
pub(super) fn find(pins: &Path) -> Result<Vec<Former>, KernelError> {
    let own = pins::version_directory(pins);
    pins::version_directories(pins)?
        .into_iter()
        .filter(|directory| *directory != own)
        .map(|directory| {
            let lock = pins::lock(&directory, pins)?;
            Ok(Former {
                directory,
                _lock: lock,
            })
        })
        .collect()
}

/// Notes the layout of this version's flows in its directory.
pub(super) fn note_layout(directory: &Path) -> Result<(), KernelError> {
    pins::make_directory(&directory.join(format!("{LAYOUT}{LAYOUT_VERSION}")))
}

impl Former {
    /// The tables of flows that can be carried over.
    pub(super) fn flows(&self) -> Result<Vec<Displaced>, KernelError> {
        let layout = self.layout()?;
        // A later layout adds an arm for each former one that it can convert.
        if layout != LAYOUT_VERSION {
            log::warn!(
                "{}: flows of layout {layout} are not known here; connections of this host are kept",
                self.directory.display()
            );
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for name in names::FLOWS.into_iter().chain([names::FRAGMENTS]) {
            let pin = self.directory.join(name);
            if pin.exists() {
                let map = MapData::from_pin(&pin).map_err(KernelError::map(name, "open"))?;
                found.push(Displaced::of_another_version(name, map));
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

    /// Removes the directory; links that are still there are detached by that.
    pub(super) fn remove(self) -> Result<(), KernelError> {
        ignore_missing(fs::remove_dir_all(&self.directory))
            .map_err(KernelError::directory(&self.directory))
    }
}

/// A flow of another version, as this one takes it over: generations and slots of rules are numbered
/// anew here, so that its next packet has it judged again, where policy wants that.
pub(super) const fn unapproved(mut flow: Conn) -> Conn {
    let mut hook = 0;
    while hook < flow.approvals.len() {
        flow.approvals[hook].generation = 0;
        flow.approvals[hook].slot = 0;
        hook += 1;
    }
    flow
}
