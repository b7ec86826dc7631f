//! Which interfaces have the programs, and how they got them.
//!
//! Everything is on record in `<pins>/v<ABI>/links/`, where a later daemon and `hep down` find it:
//!
//! | name | is |
//! | --- | --- |
//! | `7-ingress`, `7-egress` | the TCX links of interface 7 |
//! | `7-ingress-filter`, `7-egress-filter` | directories: it has our clsact filters |
//! | `7-clsact` | a directory: its clsact qdisc was made by us |
//!
//! Our programs run before those of others that are there when we come; what we accept goes on to
//! them (spec EV-003).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::programs::{ProgramError, SchedClassifier, TcAttachType, links::LinkError, tc::TcError};
use hep_common::Direction;

use super::{
    clsact,
    links::{self, Attached},
};
use crate::model::AttachType;

/// Both directions.
const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// An interface to attach to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Interface index, positive.
    pub ifindex: u32,
    /// Its name at this moment.
    pub name: Arc<str>,
}

/// How an interface has its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hook {
    Tcx,
    Clsact,
}

/// Why programs could not be attached or detached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The kernel refused the program at the hook.
    #[error("attach {program} to {interface} (ifindex {ifindex})")]
    Program {
        /// Program name.
        program: &'static str,
        /// Interface name.
        interface: String,
        /// Interface index.
        ifindex: u32,
        /// Cause.
        source: Box<ProgramError>,
    },
    /// The interface went away, or another one took its name; a later look at the interfaces
    /// settles it.
    #[error("interface {0} is gone")]
    Gone(String),
    /// A pinned link could not be opened.
    #[error("link {}", path.display())]
    Link {
        /// The pin.
        path: PathBuf,
        /// Cause.
        source: Box<LinkError>,
    },
    /// A link could not be pinned.
    #[error("pin {}", path.display())]
    Pin {
        /// The pin.
        path: PathBuf,
        /// Cause.
        source: Box<aya::pin::PinError>,
    },
    /// The pin directory could not be read or changed.
    #[error("{}", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The clsact qdisc could not be made.
    #[error("clsact qdisc of {interface}")]
    Qdisc {
        /// Interface name.
        interface: String,
        /// Cause.
        source: Box<TcError>,
    },
    /// A routing netlink request failed.
    #[error("qdiscs and filters of {interface}")]
    Netlink {
        /// Interface name.
        interface: String,
        /// Cause.
        source: Box<rtnetlink::Error>,
    },
}

/// The attachments of one instance.
#[derive(Debug)]
pub struct Attachments {
    directory: PathBuf,
    netlink: rtnetlink::Handle,
    has_tcx: bool,
}

impl Attachments {
    /// The attachments recorded under `pins`, the instance's pin directory of this ABI version;
    /// makes the directory of links if it is missing.
    ///
    /// # Errors
    ///
    /// [`AttachError::Directory`] if the directory cannot be made.
    pub fn open(pins: &Path, netlink: rtnetlink::Handle) -> Result<Self, AttachError> {
        let directory = pins.join("links");
        fs::create_dir_all(&directory).map_err(|source| AttachError::Directory {
            path: directory.clone(),
            source,
        })?;
        Ok(Self {
            directory,
            netlink,
            has_tcx: true,
        })
    }

    /// Puts a program on one side of an interface, or the current program in place of an earlier
    /// one, so that there is no moment without. Returns whether anything changed.
    ///
    /// # Errors
    ///
    /// [`AttachError`]; what was attached before still is.
    pub async fn attach(
        &mut self,
        program: &mut SchedClassifier,
        direction: Direction,
        target: &Target,
        attach_type: AttachType,
    ) -> Result<bool, AttachError> {
        let hook = match attach_type {
            AttachType::Tcx if self.has_tcx => Hook::Tcx,
            AttachType::Tcx | AttachType::Tc => Hook::Clsact,
        };
        let pin = self.record(target.ifindex, direction, Hook::Tcx);
        let filter = self.record(target.ifindex, direction, Hook::Clsact);
        if hook == Hook::Tcx {
            match links::attach(program, direction, target, &pin)? {
                Attached::Unsupported => self.has_tcx = false,
                outcome @ (Attached::Changed | Attached::Already) => {
                    // The attach type may have been changed.
                    if filter.exists() {
                        clsact::detach(direction, target, &filter)?;
                        self.remove_qdisc_if_unused(target).await?;
                    }
                    return Ok(outcome == Attached::Changed);
                }
            }
        }
        let is_new = !filter.exists();
        let qdisc = self.qdisc_record(target.ifindex);
        clsact::attach(program, direction, target, &filter, &qdisc, &self.netlink).await?;
        links::remove_pin(&pin)?;
        Ok(is_new)
    }

    /// Takes the programs off every interface that is not in `wanted`; `names` are the interfaces
    /// that exist. Returns how many interfaces lost their programs.
    ///
    /// # Errors
    ///
    /// The first [`AttachError`]; the rest was tried nevertheless.
    pub async fn detach_others(
        &self,
        wanted: &BTreeSet<u32>,
        names: &BTreeMap<u32, Arc<str>>,
    ) -> Result<usize, AttachError> {
        let mut first_error = None;
        let mut detached = 0;
        for ifindex in self.recorded()?.difference(wanted) {
            match self.detach(*ifindex, names.get(ifindex)).await {
                Ok(()) => detached += 1,
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(detached), Err)
    }

    /// Indices of the interfaces that have, or had when they still existed, something of ours.
    ///
    /// # Errors
    ///
    /// [`AttachError::Directory`] if the directory of links cannot be read.
    pub fn recorded(&self) -> Result<BTreeSet<u32>, AttachError> {
        let fail = |source| AttachError::Directory {
            path: self.directory.clone(),
            source,
        };
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.split_once('-'))
                .and_then(|(number, _)| number.parse::<u32>().ok());
            found.extend(number);
        }
        Ok(found)
    }

    async fn detach(&self, ifindex: u32, name: Option<&Arc<str>>) -> Result<(), AttachError> {
        for direction in DIRECTIONS {
            links::remove_pin(&self.record(ifindex, direction, Hook::Tcx))?;
            let filter = self.record(ifindex, direction, Hook::Clsact);
            match name {
                Some(name) if filter.exists() => {
                    let name = Arc::clone(name);
                    clsact::detach(direction, &Target { ifindex, name }, &filter)?;
                }
                _ => clsact::remove_record(&filter)?,
            }
        }
        match name {
            Some(name) => {
                let name = Arc::clone(name);
                self.remove_qdisc_if_unused(&Target { ifindex, name }).await
            }
            None => clsact::remove_record(&self.qdisc_record(ifindex)),
        }
    }

    async fn remove_qdisc_if_unused(&self, target: &Target) -> Result<(), AttachError> {
        let is_used = DIRECTIONS.iter().any(|&direction| {
            self.record(target.ifindex, direction, Hook::Clsact)
                .exists()
        });
        if is_used {
            return Ok(());
        }
        let record = self.qdisc_record(target.ifindex);
        clsact::remove_qdisc(target, &record, &self.netlink).await
    }

    fn record(&self, ifindex: u32, direction: Direction, hook: Hook) -> PathBuf {
        let direction = direction_name(direction);
        self.directory.join(match hook {
            Hook::Tcx => format!("{ifindex}-{direction}"),
            Hook::Clsact => format!("{ifindex}-{direction}-filter"),
        })
    }

    fn qdisc_record(&self, ifindex: u32) -> PathBuf {
        self.directory.join(format!("{ifindex}-clsact"))
    }
}

/// `ingress` or `egress`.
const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// The program of a direction.
pub(super) const fn program_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "hep_ingress",
        Direction::Egress => "hep_egress",
    }
}

/// The hook of a direction.
pub(super) const fn attach_type(direction: Direction) -> TcAttachType {
    match direction {
        Direction::Ingress => TcAttachType::Ingress,
        Direction::Egress => TcAttachType::Egress,
    }
}
