//! Why a snapshot is applied, and the actions at its flip.

use std::io;

use super::newcomers::{self, Changing};
use crate::datapath::{Observer, Step};

/// Why a snapshot is applied.
pub enum Purpose<'a> {
    /// Another policy. The closure is called with its generation right before the flip, and can prevent
    /// it.
    Policy(&'a mut dyn FnMut(u32) -> io::Result<()>),
    /// A policy on record, which this generation first brought into force.
    Known(u32),
    /// The policy in force, enforced in another mode.
    Anew,
    /// The policy in force, on interfaces that may have changed: a generation that means the same as the
    /// one in force is not loaded.
    Interfaces,
}

/// Observer of a load: acts at the flip only, and records the generation.
pub(super) struct AtFlip<'a, 'b, 'c> {
    pub(super) purpose: &'a mut Purpose<'b>,
    pub(super) generation: u32,
    /// The thread that polices new interfaces, and the rules that it gets at the flip.
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
