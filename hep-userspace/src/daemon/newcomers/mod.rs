//! Polices interfaces that appear while a policy is in force, within milliseconds, on a thread of its own
//! (spec EV-018).
//!
//! A load takes as long as the policy is large, and other notifications may be many. So rules are
//! compiled for every endpoint of this node ([`Newcomers`]), and a thread that does nothing else adds a
//! new interface to the generation in force as soon as the kernel reports it, and attaches the programs.
//! The next load treats it like any other interface.

mod follow;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::{Notify, oneshot};

use crate::{
    compile::{Generation, Newcomers},
    datapath::{InterfaceTables, Kernel, KernelError, attach::Attachments},
    model::{AttachType, FelixConfiguration, Interface},
};

/// Reason why the thread could not start.
#[derive(Debug, thiserror::Error)]
pub enum NewcomersError {
    /// The maps and programs in force could not be opened a second time.
    #[error("tables and programs for interfaces that appear")]
    Kernel(#[from] KernelError),
    /// The thread could not be created.
    #[error("a thread for interfaces that appear")]
    Thread(#[from] io::Error),
}

/// The rules of the generation in force for interfaces that appear.
pub struct Rules {
    newcomers: Newcomers,
    /// Interfaces that are in the generation.
    known: BTreeSet<u32>,
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
struct State {
    tables: InterfaceTables,
    generation: u32,
    rules: Rules,
    /// Interfaces that the thread polices until a generation includes them.
    added: BTreeMap<u32, Interface>,
}

impl State {
    /// Whether an endpoint owns an interface that is not policed yet.
    fn is_wanted(&self, interface: &Interface) -> bool {
        let is_policed = self.rules.known.contains(&interface.ifindex)
            || self.added.contains_key(&interface.ifindex);
        !is_policed && self.rules.newcomers.policed(interface, 0).is_some()
    }

    /// Adds an interface to the generation in force if an endpoint owns it and it is not policed yet;
    /// returns that endpoint's name and the attach type.
    fn police(&mut self, interface: &Interface) -> Option<(String, AttachType)> {
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
                log::error!("{}: {}", interface.name, super::summary::chain(&error));
                return None;
            }
        }
        rules.counters.0 += 1;
        self.added.insert(ifindex, interface.clone());
        Some((owner, rules.attach_type))
    }

    /// Updates an interface that the thread polices; returns whether no endpoint owns it any more, and
    /// removes it then.
    fn is_lost(&mut self, interface: &Interface) -> bool {
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
    fn forget(&mut self, ifindex: u32) {
        self.added.remove(&ifindex);
        self.rules.known.remove(&ifindex);
    }

    /// Adds the thread's interfaces to a generation that is about to be in force, under its rules.
    fn carry_over(&self, generation: u32, rules: &mut Rules) {
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
                Err(error) => log::error!("{}: {}", interface.name, super::summary::chain(&error)),
            }
        }
    }
}

struct Shared {
    state: Mutex<State>,
    /// Notified when another generation is in force.
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handle of the thread, which ends when this is dropped.
pub struct NewcomerWatch {
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

impl NewcomerWatch {
    /// Starts the thread in the network namespace of the calling one; `rules` are those of the `generation`
    /// in force.
    ///
    /// # Errors
    ///
    /// [`NewcomersError`]; interfaces that appear are then policed by the next load.
    pub fn start(
        kernel: &mut Kernel,
        attachments: &Attachments,
        generation: u32,
        rules: Rules,
    ) -> Result<Self, NewcomersError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                tables: kernel.interface_tables()?,
                generation,
                rules,
                added: BTreeMap::new(),
            }),
            changed: Notify::new(),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let follower = follow::Follower::new(Arc::clone(&shared), kernel.programs()?);
        let attachments = attachments.clone();
        thread::Builder::new()
            .name("newcomers".to_owned())
            .spawn(move || runtime.block_on(follower.run(attachments, stopped)))?;
        Ok(Self {
            shared,
            _stop: stop,
        })
    }

    /// Whether the thread polices an interface that the generation in force may lack.
    #[must_use]
    pub fn polices(&self, ifindex: u32) -> bool {
        self.shared.lock().added.contains_key(&ifindex)
    }

    /// Begins the change to another generation.
    #[must_use]
    pub fn changing(&self) -> Changing<'_> {
        Changing {
            shared: &self.shared,
            state: None,
            next: None,
        }
    }
}

/// A change to another generation. No interface is added from right before the flip until right after
/// it, so that none is in only one of the two generations.
pub struct Changing<'a> {
    shared: &'a Shared,
    state: Option<MutexGuard<'a, State>>,
    next: Option<(u32, Rules)>,
}

impl Changing<'_> {
    /// Call when the generation's tables are ready, right before the flip.
    pub fn before_flip(&mut self, generation: u32, mut rules: Rules) {
        let state = self.shared.lock();
        state.carry_over(generation, &mut rules);
        self.state = Some(state);
        self.next = Some((generation, rules));
    }

    /// Call right after the flip.
    pub fn flipped(&mut self) {
        let (Some(mut state), Some((generation, rules))) = (self.state.take(), self.next.take())
        else {
            return;
        };
        state.generation = generation;
        state.added.retain(|ifindex, interface| {
            !rules.known.contains(ifindex) && rules.newcomers.policed(interface, 0).is_some()
        });
        state.rules = rules;
        drop(state);
        self.shared.changed.notify_one();
    }
}
