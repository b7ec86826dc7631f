//! Attaches the programs where they belong.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use hep_common::Direction;

use super::{
    super::{
        newcomers::{self, NewcomerWatch},
        summary::chain,
        takeover::Takeover,
        translation::Translation,
    },
    EnforceError, Reconciler,
};
use crate::{
    compile::InterfaceDescription,
    datapath::{
        self, Kernel,
        attach::{Attachments, Outcome, Target},
    },
    model::{AttachType, Snapshot},
};

impl Reconciler {
    /// Attaches the programs where the generation in force has rules, and detaches them elsewhere. Returns
    /// the number of interfaces that got programs they did not have or newer ones, and that lost theirs.
    ///
    /// # Errors
    ///
    /// [`EnforceError::Attach`] and [`EnforceError::Unfinished`]; trying again is safe.
    pub async fn attach(&mut self, snapshot: &Snapshot) -> Result<(usize, usize), EnforceError> {
        let (Some(kernel), Some(generation)) = (&mut self.kernel, &self.last) else {
            return Ok((0, 0));
        };
        let names: BTreeMap<u32, Arc<str>> = self
            .network
            .interfaces
            .iter()
            .map(|interface| (interface.ifindex, Arc::clone(&interface.name)))
            .collect();
        if !self.is_adopted {
            take_over(kernel, &mut self.attachments, &self.options.bpffs)?;
        }
        let interfaces = &generation.description.interfaces;
        let wanted = interfaces.iter().map(|policed| policed.ifindex).collect();
        let recorded = self.attachments.recorded()?;
        let takeover = Takeover::plan(&wanted, &recorded, &names, self.is_cold);
        takeover
            .begin(kernel, &self.network)
            .map_err(EnforceError::Unfinished)?;
        let attach_type = snapshot.felix.attach_type;
        let _expedited = self.attachments.expedite_attaching(&wanted, attach_type);
        let (attached, first_error) =
            attach_all(kernel, &mut self.attachments, interfaces, attach_type).await;
        takeover
            .end(kernel, &self.network)
            .map_err(EnforceError::Unfinished)?;
        let number = generation.description.generation;
        let spare = if takeover.is_whole() { number } else { 0 };
        let translation = if wanted.is_empty() {
            Translation::default()
        } else {
            self.network.translation
        };
        let guarded = self.local_in.settle(translation, kernel, spare);
        self.is_cold = false;
        if self.newcomers.is_none() {
            let rules = newcomers::Rules::of(generation, &snapshot.felix);
            match NewcomerWatch::start(kernel, &self.attachments, number, rules) {
                Ok(watch) => self.newcomers = Some(watch),
                Err(error) => log::error!("{}", chain(&error)),
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
        let watch = self.newcomers.as_ref();
        let is_new = |ifindex| watch.is_some_and(|watch| watch.polices(ifindex));
        let detached = self
            .attachments
            .detach_others(&wanted, &names, is_new)
            .await?;
        if !self.is_adopted {
            kernel.finish_adoption().map_err(EnforceError::Unfinished)?;
            self.is_adopted = true;
        }
        guarded?;
        Ok((attached, detached))
    }
}

/// Takes over what earlier processes attached, also those of other versions.
fn take_over(
    kernel: &mut Kernel,
    attachments: &mut Attachments,
    pins: &Path,
) -> Result<(), EnforceError> {
    kernel.carry_over().map_err(EnforceError::Unfinished)?;
    let directories = datapath::all_links_directories(pins);
    for links in directories.map_err(EnforceError::Unfinished)? {
        attachments.take_over(&links)?;
    }
    Ok(())
}

/// Attaches both programs to each interface; returns the number of those that got one, and the first error.
async fn attach_all(
    kernel: &mut Kernel,
    attachments: &mut Attachments,
    interfaces: &[InterfaceDescription],
    attach_type: AttachType,
) -> (usize, Option<EnforceError>) {
    let mut attached = 0;
    let mut first_error = None;
    for interface in interfaces {
        let target = Target {
            ifindex: interface.ifindex,
            name: Arc::from(interface.name.as_str()),
        };
        match attach_both(kernel, attachments, &target, attach_type).await {
            Ok(is_changed) => attached += usize::from(is_changed),
            // Attach the others even if one interface fails.
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    (attached, first_error)
}

async fn attach_both(
    kernel: &mut Kernel,
    attachments: &mut Attachments,
    target: &Target,
    attach_type: AttachType,
) -> Result<bool, EnforceError> {
    let mut is_changed = false;
    for direction in [Direction::Ingress, Direction::Egress] {
        let program = kernel.program(direction);
        let attached = attachments.attach(program, direction, target, attach_type);
        is_changed |= attached.await? != Outcome::Already;
    }
    Ok(is_changed)
}
