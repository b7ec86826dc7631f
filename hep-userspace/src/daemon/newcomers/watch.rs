//! The handle of the thread.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use tokio::sync::{Notify, oneshot};

use super::{
    follow::Follower,
    state::{Rules, Shared, State},
};
use crate::datapath::{Kernel, KernelError, attach::Attachments};

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
        let follower = Follower::new(Arc::clone(&shared), kernel.programs()?);
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
