//! Panic: only failsafes and established flows pass, until it is ended.

use serde::{Deserialize, Serialize};

use super::{
    basis::Basis,
    event::{Event, Impossible},
};

/// A panic, and what is in force once it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panic {
    /// Unix time since when, milliseconds.
    pub since_unix_ms: u64,
    /// The basis below it.
    pub over: Basis,
}

impl Panic {
    /// The panic after an event that is not its end: a trial below it ends, and nothing begins.
    pub(super) fn after(self, event: Event) -> Result<Self, Impossible> {
        match event {
            Event::EndTrial | Event::Override(_) => Ok(Self {
                over: self.over.after(event)?,
                ..self
            }),
            Event::BeginTrial(_)
            | Event::TrialInForce(..)
            | Event::Confirm
            | Event::Freeze(_)
            | Event::Follow
            | Event::Panic(_)
            | Event::Resume => Err(Impossible {
                mode: "during a panic",
                event: event.text(),
            }),
        }
    }
}
