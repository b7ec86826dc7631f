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
};

use aya::programs::SchedClassifier;
use tokio::sync::Mutex;

use super::{
    clsact,
    error::AttachError,
    expedited_rcu::ExpeditedRcu,
    links,
    records::{self, remove_record},
    target::{Outcome, Target},
};
use crate::{datapath::object::program::Program, model::AttachType};

/// The record of [`ExpeditedRcu`].
const EXPEDITED_RECORD: &str = "rcu-expedited";

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
            let mut programs = Program::ALL.into_iter();
            programs.all(|which| records::link(&self.directory, ifindex, which).exists())
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
    /// see [`super::wait_until_unloaded`].
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
        which: impl Into<Program>,
        target: &Target,
        attach_type: AttachType,
    ) -> Result<Outcome, AttachError> {
        let which = which.into();
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().await;
        let outcome = self.try_attach(program, which, target, attach_type).await?;
        if outcome == Outcome::Restored {
            log::warn!(
                "{} {}: hep's program was gone, and is back",
                target.name,
                which.hook()
            );
            records::note_missed(&self.directory, target.ifindex, which)?;
        }
        Ok(outcome)
    }

    async fn try_attach(
        &mut self,
        program: &mut SchedClassifier,
        which: Program,
        target: &Target,
        attach_type: AttachType,
    ) -> Result<Outcome, AttachError> {
        if attach_type == AttachType::Tcx
            && let Some(outcome) = self.attach_link(program, which, target)?
        {
            // The attach type may have been changed.
            let filter = records::filter(&self.directory, target.ifindex, which);
            if filter.exists() {
                clsact::detach(which, target, &filter)?;
                self.remove_qdisc_if_unused(target).await?;
            }
            return Ok(outcome);
        }
        let records = records::Filter::of(&self.directory, target.ifindex, which);
        match clsact::attach(program, which, target, &records, &self.netlink).await {
            Ok(outcome) => {
                let pin = records::link(&self.directory, target.ifindex, which);
                links::remove_pin(&pin)?;
                Ok(outcome)
            }
            // A link needs no qdisc.
            Err(error @ AttachError::IngressQdisc { .. }) => {
                remove_record(&records.filter)?;
                let linked = self.attach_link(program, which, target)?;
                linked.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// `None` if this kernel has no TCX.
    fn attach_link(
        &mut self,
        program: &mut SchedClassifier,
        which: Program,
        target: &Target,
    ) -> Result<Option<Outcome>, AttachError> {
        if !self.has_tcx {
            return Ok(None);
        }
        let pin = records::link(&self.directory, target.ifindex, which);
        let outcome = links::attach(program, which, target, &pin)?;
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
            for which in Program::ALL {
                let pin = records::link(&self.directory, ifindex, which);
                found.extend(links::program_of(&pin));
            }
        }
        Ok(found)
    }

    async fn detach(&self, ifindex: u32, name: Option<&Arc<str>>) -> Result<(), AttachError> {
        for which in Program::ALL {
            remove_record(&records::missed(&self.directory, ifindex, which))?;
            links::remove_pin(&records::link(&self.directory, ifindex, which))?;
            let filter = records::filter(&self.directory, ifindex, which);
            match name {
                Some(name) if filter.exists() => {
                    let name = Arc::clone(name);
                    clsact::detach(which, &Target { ifindex, name }, &filter)?;
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
        let is_used = Program::ALL
            .into_iter()
            .any(|which| records::filter(&self.directory, target.ifindex, which).exists());
        if is_used {
            return Ok(());
        }
        let record = records::qdisc(&self.directory, target.ifindex);
        clsact::remove_qdisc(target, &record, &self.netlink).await
    }
}
