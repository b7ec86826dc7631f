//! Attachment of the programs to interfaces.
//!
//! All attachments are recorded in `<pins>/v<ABI>/links/`, where a later daemon and `hep down` find them:
//!
//! | name | is |
//! | --- | --- |
//! | `7-ingress`, `7-egress` | the TCX links of interface 7; `local-in-4`, `-6`: see [`super::local_in`] |
//! | `7-ingress-filter`, `7-egress-filter` | directories: it has our clsact filters |
//! | `7-clsact` | a directory: its clsact qdisc was made by us |
//! | `7-ingress-missed`, `7-egress-missed` | directories, as old as the last time our program was gone |
//! | `rcu-expedited` | a directory: the kernel's switch of that name was set by us |
//!
//! Our programs run before those that others have attached by then; packets that we accept continue to them
//! (spec EV-003).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aya::programs::{ProgramError, SchedClassifier, TcAttachType, links::LinkError, tc::TcError};
use hep_common::Direction;
use tokio::sync::Mutex;

use super::{
    clsact,
    expedited_rcu::ExpeditedRcu,
    links,
    records::{self, remove_record},
};
use crate::model::AttachType;

/// Both directions.
const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// The record of [`ExpeditedRcu`].
const EXPEDITED_RECORD: &str = "rcu-expedited";

/// An interface to attach to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Interface index, positive.
    pub ifindex: u32,
    /// Its name at this moment.
    pub name: Arc<str>,
}

/// Outcome of an attempt to attach a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program was there.
    Already,
    /// It is there now, for the first time or in place of an earlier one.
    Attached,
    /// It is there again: somebody had taken it away.
    Restored,
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
    /// An `ingress` qdisc is where clsact belongs, which alone has an egress side.
    #[error(
        "{interface} has an ingress qdisc, which keeps hep from adding clsact: what leaves by \
         {interface} is NOT policed; let clsact take its place, with the filters that are on it: \
         `tc qdisc del dev {interface} ingress`"
    )]
    IngressQdisc {
        /// Interface name.
        interface: String,
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
#[derive(Clone, Debug)]
pub struct Attachments {
    directory: PathBuf,
    netlink: rtnetlink::Handle,
    has_tcx: bool,
    /// Serialises changes to the attachments of interfaces.
    turn: Arc<Mutex<()>>,
}

impl Attachments {
    /// The attachments recorded in `directory`, the directory of links of an instance.
    #[must_use]
    pub fn new(directory: PathBuf, netlink: rtnetlink::Handle) -> Self {
        Self {
            directory,
            netlink,
            has_tcx: true,
            turn: Arc::default(),
        }
    }

    /// The netlink handle in use.
    #[must_use]
    pub const fn netlink(&self) -> &rtnetlink::Handle {
        &self.netlink
    }

    /// A copy for another thread, with a handle that is served there.
    #[must_use]
    pub fn shared(&self, netlink: rtnetlink::Handle) -> Self {
        Self {
            directory: self.directory.clone(),
            netlink,
            has_tcx: self.has_tcx,
            turn: Arc::clone(&self.turn),
        }
    }

    /// Takes over the links and filters recorded in `from`, another directory of links: from now on they are
    /// recorded here, and keep running their programs.
    ///
    /// # Errors
    ///
    /// [`AttachError::Directory`] if that cannot be read, or a record cannot be moved.
    pub fn take_over(&self, from: &Path) -> Result<(), AttachError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            |source| AttachError::Directory { path, source }
        };
        for entry in fs::read_dir(from).map_err(fail(from))? {
            let entry = entry.map_err(fail(from))?;
            let here = self.directory.join(entry.file_name());
            if !here.exists() {
                fs::rename(entry.path(), here).map_err(fail(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// Expedites RCU while the missing links of these interfaces are made, if there are more than a few.
    pub fn expedite_attaching(
        &self,
        wanted: &BTreeSet<u32>,
        attach_type: AttachType,
    ) -> Option<ExpeditedRcu> {
        let is_linked = |ifindex: u32| {
            let mut directions = DIRECTIONS.iter();
            directions.all(|&direction| records::link(&self.directory, ifindex, direction).exists())
        };
        let links = match attach_type {
            AttachType::Tcx if self.has_tcx => wanted
                .iter()
                .filter(|&&ifindex| !is_linked(ifindex))
                .count(),
            AttachType::Tcx | AttachType::Tc => 0,
        };
        ExpeditedRcu::begin(self.directory.join(EXPEDITED_RECORD), links)
    }

    /// Expedites RCU while everything is detached. The kernel removes a link a moment after its pin is gone:
    /// see [`wait_until_unloaded`].
    ///
    /// # Errors
    ///
    /// [`AttachError::Directory`] if the directory of links cannot be read.
    pub fn expedite_detaching(&self) -> Result<Option<ExpeditedRcu>, AttachError> {
        let interfaces = self.recorded()?.len();
        let record = self.directory.join(EXPEDITED_RECORD);
        Ok(ExpeditedRcu::begin(record, interfaces))
    }

    /// Ensures that the current program is on one side of an interface; an earlier one is replaced without a
    /// gap. Recorded attachments are checked in the kernel; one that somebody removed is restored, and the
    /// time is recorded.
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
    ) -> Result<Outcome, AttachError> {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().await;
        let outcome = self
            .try_attach(program, direction, target, attach_type)
            .await?;
        if outcome == Outcome::Restored {
            log::warn!(
                "{} {}: hep's program was gone, and is back",
                target.name,
                direction_name(direction)
            );
            records::note_missed(&self.directory, target.ifindex, direction)?;
        }
        Ok(outcome)
    }

    async fn try_attach(
        &mut self,
        program: &mut SchedClassifier,
        direction: Direction,
        target: &Target,
        attach_type: AttachType,
    ) -> Result<Outcome, AttachError> {
        if attach_type == AttachType::Tcx
            && let Some(outcome) = self.attach_link(program, direction, target)?
        {
            // The attach type may have been changed.
            let filter = records::filter(&self.directory, target.ifindex, direction);
            if filter.exists() {
                clsact::detach(direction, target, &filter)?;
                self.remove_qdisc_if_unused(target).await?;
            }
            return Ok(outcome);
        }
        let records = records::Filter::of(&self.directory, target.ifindex, direction);
        match clsact::attach(program, direction, target, &records, &self.netlink).await {
            Ok(outcome) => {
                let pin = records::link(&self.directory, target.ifindex, direction);
                links::remove_pin(&pin)?;
                Ok(outcome)
            }
            // A link needs no qdisc.
            Err(error @ AttachError::IngressQdisc { .. }) => {
                remove_record(&records.filter)?;
                let linked = self.attach_link(program, direction, target)?;
                linked.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// `None` if this kernel has no TCX.
    fn attach_link(
        &mut self,
        program: &mut SchedClassifier,
        direction: Direction,
        target: &Target,
    ) -> Result<Option<Outcome>, AttachError> {
        if !self.has_tcx {
            return Ok(None);
        }
        let pin = records::link(&self.directory, target.ifindex, direction);
        let outcome = links::attach(program, direction, target, &pin)?;
        self.has_tcx = outcome.is_some();
        Ok(outcome)
    }

    /// Detaches the programs from every interface that is not in `wanted` and for which `is_wanted`, called
    /// right before, is false; `names` are the interfaces that exist. Returns how many interfaces lost their
    /// programs.
    ///
    /// # Errors
    ///
    /// The first [`AttachError`]; the rest was tried nevertheless.
    pub async fn detach_others(
        &self,
        wanted: &BTreeSet<u32>,
        names: &BTreeMap<u32, Arc<str>>,
        is_wanted: impl Fn(u32) -> bool,
    ) -> Result<usize, AttachError> {
        let mut first_error = None;
        let mut detached = 0;
        for ifindex in self.recorded()?.difference(wanted) {
            let _turn = self.turn.lock().await;
            if is_wanted(*ifindex) {
                continue;
            }
            match self.detach(*ifindex, names.get(ifindex)).await {
                Ok(()) => detached += 1,
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(detached), Err)
    }

    /// Detaches the programs from one interface.
    ///
    /// # Errors
    ///
    /// [`AttachError`] with what could not be detached.
    pub async fn release(&self, ifindex: u32, name: &Arc<str>) -> Result<(), AttachError> {
        let _turn = self.turn.lock().await;
        self.detach(ifindex, Some(name)).await
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
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(fail)?,
        };
        for entry in entries {
            let name = entry.map_err(fail)?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.split_once('-'))
                .and_then(|(number, _)| number.parse::<u32>().ok());
            found.extend(number);
        }
        Ok(found)
    }

    /// Numbers of the programs that run through links on record.
    ///
    /// # Errors
    ///
    /// [`AttachError::Directory`] if the directory of links cannot be read.
    pub fn programs(&self) -> Result<BTreeSet<u32>, AttachError> {
        let mut found = BTreeSet::new();
        for ifindex in self.recorded()? {
            for direction in DIRECTIONS {
                let pin = records::link(&self.directory, ifindex, direction);
                found.extend(links::program_of(&pin));
            }
        }
        Ok(found)
    }

    async fn detach(&self, ifindex: u32, name: Option<&Arc<str>>) -> Result<(), AttachError> {
        for direction in DIRECTIONS {
            remove_record(&records::missed(&self.directory, ifindex, direction))?;
            links::remove_pin(&records::link(&self.directory, ifindex, direction))?;
            let filter = records::filter(&self.directory, ifindex, direction);
            match name {
                Some(name) if filter.exists() => {
                    let name = Arc::clone(name);
                    clsact::detach(direction, &Target { ifindex, name }, &filter)?;
                }
                _ => remove_record(&filter)?,
            }
        }
        match name {
            Some(name) => {
                let name = Arc::clone(name);
                self.remove_qdisc_if_unused(&Target { ifindex, name }).await
            }
            None => remove_record(&records::qdisc(&self.directory, ifindex)),
        }
    }

    async fn remove_qdisc_if_unused(&self, target: &Target) -> Result<(), AttachError> {
        let is_used = DIRECTIONS
            .iter()
            .any(|&direction| records::filter(&self.directory, target.ifindex, direction).exists());
        if is_used {
            return Ok(());
        }
        let record = records::qdisc(&self.directory, target.ifindex);
        clsact::remove_qdisc(target, &record, &self.netlink).await
    }
}

/// Waits until none of these programs is loaded: the kernel releases links and programs a moment after their
/// last pin is gone. Returns whether that happened in time.
#[must_use]
pub fn wait_until_unloaded(programs: &BTreeSet<u32>, limit: Duration) -> bool {
    const PAUSE: Duration = Duration::from_millis(5);
    let start = Instant::now();
    loop {
        let is_loaded = aya::programs::loaded_programs()
            .flatten()
            .any(|program| programs.contains(&program.id()));
        if !is_loaded || start.elapsed() > limit {
            return !is_loaded;
        }
        std::thread::sleep(PAUSE);
    }
}

/// `ingress` or `egress`.
pub(crate) const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// The program of a direction.
pub(crate) const fn program_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "hep_ingress",
        Direction::Egress => "hep_egress",
    }
}

/// The hook of a direction.
pub(crate) const fn attach_type(direction: Direction) -> TcAttachType {
    match direction {
        Direction::Ingress => TcAttachType::Ingress,
        Direction::Egress => TcAttachType::Egress,
    }
}
