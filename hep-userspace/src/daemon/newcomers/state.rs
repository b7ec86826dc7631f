//! The rules for interfaces that appear, and those that were added by them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::super::summary::chain;
use crate::{
    compile::{Generation, Newcomers},
    datapath::InterfaceTables,
    model::{AttachType, FelixConfiguration, Interface},
};

/// The rules of the generation in force for interfaces that appear.
pub struct Rules {
    pub(super) newcomers: Newcomers,
    /// Interfaces that are in the generation.
    pub(super) known: BTreeSet<u32>,
    attach_type: AttachType,
    /// The next free pair of counters, and the number of pairs.
    counters: (u32, u32),
}

impl Rules {
    /// The rules of a generation, under this configuration.
    #[must_use]
    pub fn of(generation: &Generation, felix: &FelixConfiguration) -> Self {
        let description = &generation.description;
        let known = description.interfaces.iter().map(|policed| policed.ifindex);
        let unused_from = description.slots.interfaces.unused_from;
        Self {
            newcomers: generation.newcomers.clone(),
            known: known.collect(),
            attach_type: felix.attach_type,
            counters: (unused_from, felix.max_interfaces),
        }
    }
}

/// State that the loop and the thread share.
pub(super) struct State {
    pub(super) tables: InterfaceTables,
    pub(super) generation: u32,
    pub(super) rules: Rules,
    /// Interfaces that the thread polices until a generation includes them.
    pub(super) added: BTreeMap<u32, Interface>,
}

impl State {
    /// Whether an endpoint owns an interface that is not policed yet.
    pub(super) fn is_wanted(&self, interface: &Interface) -> bool {
        let is_policed = self.rules.known.contains(&interface.ifindex)
            || self.added.contains_key(&interface.ifindex);
        !is_policed && self.rules.newcomers.policed(interface, 0).is_some()
    }

    /// Adds an interface to the generation in force if an endpoint owns it and it is not policed yet;
    /// returns that endpoint's name and the attach type.
    pub(super) fn police(&mut self, interface: &Interface) -> Option<(String, AttachType)> {
        if !self.is_wanted(interface) {
            return None;
        }
        let (ifindex, rules) = (interface.ifindex, &mut self.rules);
        let (number, limit) = rules.counters;
        if number >= limit {
            return None;
        }
        let (entry, owner) = rules.newcomers.policed(interface, 2 * number)?;
        let owner = owner.to_owned();
        match self.tables.name(self.generation, &entry) {
            Ok(true) => {}
            // The next load makes room.
            Ok(false) => return None,
            Err(error) => {
                log::error!("{}: {}", interface.name, chain(&error));
                return None;
            }
        }
        rules.counters.0 += 1;
        self.added.insert(ifindex, interface.clone());
        Some((owner, rules.attach_type))
    }

    /// Updates an interface that the thread polices; returns whether no endpoint owns it any more, and
    /// removes it then.
    pub(super) fn is_lost(&mut self, interface: &Interface) -> bool {
        let Some(added) = self.added.get_mut(&interface.ifindex) else {
            return false;
        };
        if self.rules.newcomers.policed(interface, 0).is_some() {
            added.clone_from(interface);
            return false;
        }
        self.added.remove(&interface.ifindex);
        true
    }

    /// Removes an interface that is gone; its index may be used again.
    pub(super) fn forget(&mut self, ifindex: u32) {
        self.added.remove(&ifindex);
        self.rules.known.remove(&ifindex);
    }

    /// Adds the thread's interfaces to a generation that is about to be in force, under its rules.
    pub(super) fn carry_over(&self, generation: u32, rules: &mut Rules) {
        for (ifindex, interface) in &self.added {
            if rules.known.contains(ifindex) {
                continue;
            }
            let (number, limit) = rules.counters;
            let Some((entry, _)) = rules.newcomers.policed(interface, 2 * number) else {
                continue;
            };
            if number >= limit {
                continue;
            }
            rules.counters.0 += 1;
            match self.tables.name(generation, &entry) {
                Ok(true) => {}
                Ok(false) => log::warn!("{}: policed again in a moment", interface.name),
                Err(error) => log::error!("{}: {}", interface.name, chain(&error)),
            }
        }
    }
}

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Notified when another generation is in force.
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No panic can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
