//! Why a snapshot is applied, and what is to happen when it comes into force.

use std::io;

use super::newcomers::{self, Changing};
use crate::datapath::{Observer, Step};

/// Why a snapshot is applied.
pub enum Purpose<'a> {
    /// Another policy. Right before it is in force, this is told the number of its generation, and
    /// may prevent it.
    Policy(&'a mut dyn FnMut(u32) -> io::Result<()>),
    /// The policy that the generation of this number brought into force first.
    Known(u32),
    /// The policy in force, to be enforced in another way.
    Anew,
    /// The policy in force, on interfaces that may have changed: a generation that would mean the
    /// same as the one in force is not loaded.
    Interfaces,
}

/// Tells of the flip alone, and remembers the number.
pub(super) struct AtFlip<'a, 'b, 'c> {
    pub(super) purpose: &'a mut Purpose<'b>,
    pub(super) generation: u32,
    /// How the thread that polices new interfaces takes part, and what it is to do then.
    pub(super) newcomers: Option<(Changing<'c>, Option<newcomers::Rules>)>,
}

impl Observer for AtFlip<'_, '_, '_> {
    fn before(&mut self, step: Step) -> io::Result<()> {
        let Step::Flip(generation) = step else {
            return Ok(());
        };
        self.generation = generation;
        match &mut *self.purpose {
            Purpose::Policy(note) => note(generation)?,
            Purpose::Known(_) | Purpose::Anew | Purpose::Interfaces => {}
        }
        if let Some((changing, rules)) = &mut self.newcomers
            && let Some(rules) = rules.take()
        {
            changing.before_flip(generation, rules);
        }
        Ok(())
    }

    fn flipped(&mut self) {
        if let Some((changing, _)) = &mut self.newcomers {
            changing.flipped();
        }
    }
}
