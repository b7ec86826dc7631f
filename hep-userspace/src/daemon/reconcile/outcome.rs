//! Results of bringing a snapshot into force.

use std::{io, time::Duration};

use crate::{
    compile::CompileError,
    datapath::{KernelError, attach::AttachError, local_in::LocalInError},
};

/// Reason why a snapshot could not be brought into force. The previous generation stays in force unless
/// [`Self::is_in_force`].
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// The compiler refused.
    #[error("compile the policy")]
    Compile(#[from] CompileError),
    /// The kernel refused the tables or programs.
    #[error("load the policy")]
    Kernel(#[from] KernelError),
    /// The reverse-path check that policy requires cannot be set up (EV-187).
    #[error("bpfEnforceRPF: have the kernel answer about routes")]
    ReversePath(#[source] io::Error),
    /// A step after the flip failed in the kernel.
    #[error("finish the load of the policy")]
    Unfinished(#[source] KernelError),
    /// An interface could not be attached or detached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The hook behind the kernel's translation could not be attached or detached.
    #[error("judge what the kernel translates into this host")]
    LocalIn(#[from] LocalInError),
}

impl EnforceError {
    /// Whether the new rules are in force where programs are attached; the rest can be tried again.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        match self {
            Self::Compile(_) | Self::Kernel(_) | Self::ReversePath(_) => false,
            Self::Unfinished(_) | Self::Attach(_) | Self::LocalIn(_) => true,
        }
    }
}

/// The result of bringing a snapshot into force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforced {
    /// The generation in force.
    pub generation: u32,
    /// Whether that generation is new.
    pub is_new: bool,
    /// Interfaces that got programs they did not have, or a newer program.
    pub attached: usize,
    /// Interfaces that lost their programs.
    pub detached: usize,
    /// Entries of all tables, and the number of them that were written; zeros if nothing was loaded.
    pub entries: [usize; 2],
    /// Name and duration of each phase, in order.
    pub phases: Vec<(&'static str, Duration)>,
}
