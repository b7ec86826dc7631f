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
use hep_common::{
    conntrack::{Approval, Conn, LAYOUT_VERSION},
    tick::Tick,
};

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

/// The layouts of flows that can be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    /// [`FIRST_LAYOUT`]: [`FirstConn`].
    First,
    /// [`LAYOUT_VERSION`].
    Current,
}

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
        let layout = match self.layout()? {
            FIRST_LAYOUT => Layout::First,
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
        for name in names::FLOWS.into_iter().chain([names::FRAGMENTS]) {
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

/// A flow as [`Layout::First`] had it, in words: when it was last seen and when it was reset, each in
/// nanoseconds, the latter 0 if it was not; bytes of both ends, packets of both, approvals at both
/// hooks; then bytes.
pub(super) type FirstConn = [u64; 9];

/// A flow of [`Layout::First`], as it is laid out now.
pub(super) const fn from_first(words: FirstConn) -> Conn {
    let [
        last_seen_ns,
        reset_ns,
        bytes_a,
        bytes_b,
        packets,
        ingress,
        both,
        egress,
        last,
    ] = words;
    let [ingress_ifindex, ingress_generation] = halves(ingress);
    let [ingress_slot, egress_ifindex] = halves(both);
    let [egress_generation, egress_slot] = halves(egress);
    let [leg_a, leg_b, flags, judged, icmp_type, protocol, _, _] = last.to_ne_bytes();
    Conn {
        legs: [leg_a, leg_b],
        flags,
        judged,
        icmp_type,
        protocol,
        classified: [0; 2],
        reset: if reset_ns == 0 {
            Tick::NONE
        } else {
            Tick::some_at(reset_ns)
        },
        last_seen: Tick::at(last_seen_ns),
        approvals: [
            Approval {
                ifindex: ingress_ifindex,
                generation: ingress_generation,
                slot: ingress_slot,
            },
            Approval {
                ifindex: egress_ifindex,
                generation: egress_generation,
                slot: egress_slot,
            },
        ],
        packets: halves(packets),
        bytes: [bytes_a, bytes_b],
    }
}

/// Two numbers side by side in memory that was read as one word.
const fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
    ]
}
