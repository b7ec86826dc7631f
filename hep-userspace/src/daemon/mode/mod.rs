//! Modes: what decides which policy is in force. All changes of mode are in one table, [`Mode::after`].
//!
//! ```text
//!                begin trial                    freeze
//! Following ───────────────────▶ Trial   Following ──────▶ Frozen ──begin trial──▶ Trial
//!     ▲     ◀──confirm, end trial──┘         ▲               │  ▲                    │
//!     └──────────── confirm ───────          └───── follow ──┘  └──── end trial ─────┘
//!
//! Panic over any of these; resume returns to the one below.
//! ```

mod frozen;
mod panic;
#[cfg(test)]
mod tests;
mod trial;

use serde::{Deserialize, Serialize};

pub use frozen::Frozen;
pub use panic::Panic;
pub use trial::Trial;

use super::clock::Moment;

/// What decides which policy is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The policy of the basis is in force.
    Calm(Basis),
    /// Only failsafes and established flows pass, whatever the basis.
    Panic(Panic),
}

/// What decides which policy is in force when there is no panic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    /// The store's content is followed.
    #[default]
    Following,
    /// An earlier policy was brought back, and stays until the store's content changes.
    Frozen(Frozen),
    /// A policy is on trial, and rolls back unless confirmed.
    Trial(Trial),
}

/// A reason to change the mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A trial begins; recorded before anything changes.
    BeginTrial(Trial),
    /// The policy on trial is in force as this generation, since this moment.
    TrialInForce(u32, Moment),
    /// The policy on trial stays.
    Confirm,
    /// The trial is over, and its policy is not in force any more.
    EndTrial,
    /// An earlier policy is brought back, and the store is not followed.
    Freeze(Frozen),
    /// Checksum of the store's content that a frozen policy overrides.
    Override(String),
    /// The store's content is brought into force.
    Follow,
    /// Only failsafes and established flows are to pass; Unix time in milliseconds.
    Panic(u64),
    /// The panic is over.
    Resume,
}

/// A change that the present mode does not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible {mode}")]
pub struct Impossible {
    /// The mode, for people.
    pub mode: &'static str,
    /// The event, for people.
    pub event: &'static str,
}

impl Default for Mode {
    fn default() -> Self {
        Self::Calm(Basis::Following)
    }
}

impl Mode {
    /// The mode after an event.
    ///
    /// # Errors
    ///
    /// [`Impossible`] if the event cannot happen in this mode.
    pub fn after(self, event: Event) -> Result<Self, Impossible> {
        match (self, event) {
            (Self::Calm(basis), Event::Panic(since_unix_ms)) => Ok(Self::Panic(Panic {
                since_unix_ms,
                over: basis,
            })),
            (panic @ Self::Panic(_), Event::Panic(_)) => Ok(panic),
            (Self::Panic(panic), Event::Resume) => Ok(Self::Calm(panic.over)),
            (Self::Calm(basis), event) => Ok(Self::Calm(basis.after(event)?)),
            (Self::Panic(panic), event) => Ok(Self::Panic(panic.after(event)?)),
        }
    }

    /// The mode without regard to a panic.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        match self {
            Self::Calm(basis) => basis,
            Self::Panic(panic) => &panic.over,
        }
    }

    /// The panic, if one is on.
    #[must_use]
    pub const fn panic(&self) -> Option<&Panic> {
        match self {
            Self::Calm(_) => None,
            Self::Panic(panic) => Some(panic),
        }
    }

    /// The policy on trial, if any.
    #[must_use]
    pub const fn trial(&self) -> Option<&Trial> {
        match self.basis() {
            Basis::Trial(trial) => Some(trial),
            Basis::Following | Basis::Frozen(_) => None,
        }
    }

    /// The frozen policy, if any; during a trial, the one that it would roll back to.
    #[must_use]
    pub const fn frozen(&self) -> Option<&Frozen> {
        match self.basis() {
            Basis::Following => None,
            Basis::Frozen(frozen) => Some(frozen),
            Basis::Trial(trial) => trial.frozen.as_ref(),
        }
    }
}

impl Basis {
    /// The basis after an event.
    ///
    /// # Errors
    ///
    /// [`Impossible`] if the event cannot happen on this basis.
    fn after(self, event: Event) -> Result<Self, Impossible> {
        match (self, event) {
            (Self::Following, Event::BeginTrial(trial)) => Ok(Self::Trial(trial.over(None))),
            (Self::Frozen(frozen), Event::BeginTrial(trial)) => {
                Ok(Self::Trial(trial.over(Some(frozen))))
            }
            (Self::Trial(trial), Event::TrialInForce(generation, now)) => {
                Ok(Self::Trial(trial.in_force(generation, now)))
            }
            (Self::Trial(_), Event::Confirm) => Ok(Self::Following),
            (Self::Trial(trial), Event::EndTrial) => Ok(trial.ended()),
            (Self::Following | Self::Frozen(_), Event::Freeze(frozen)) => Ok(Self::Frozen(frozen)),
            (Self::Frozen(frozen), Event::Override(checksum)) => {
                Ok(Self::Frozen(frozen.overriding(checksum)))
            }
            (Self::Following | Self::Frozen(_), Event::Follow) => Ok(Self::Following),
            (basis, event) => Err(Impossible {
                mode: basis.text(),
                event: event.text(),
            }),
        }
    }

    /// For people, behind "is not possible".
    const fn text(&self) -> &'static str {
        match self {
            Self::Following => "while the store is followed",
            Self::Frozen(_) => "while an earlier policy is frozen",
            Self::Trial(_) => "during a trial",
        }
    }
}

impl Event {
    /// For people.
    const fn text(&self) -> &'static str {
        match self {
            Self::BeginTrial(_) => "a trial",
            Self::TrialInForce(..) => "the start of a trial",
            Self::Confirm => "a confirmation",
            Self::EndTrial => "the end of a trial",
            Self::Freeze(_) => "a rollback",
            Self::Override(_) => "a change of the store below a frozen policy",
            Self::Follow => "following the store",
            Self::Panic(_) => "panic",
            Self::Resume => "the end of a panic",
        }
    }
}
