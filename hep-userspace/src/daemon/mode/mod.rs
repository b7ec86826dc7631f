//! Modes: the decision about the policy in force. Every change of mode goes through [`Mode::after`].
//!
//! | event | in mode | next mode |
//! | --- | --- | --- |
//! | begin trial | following, frozen | trial |
//! | confirm | trial | following |
//! | end trial | trial | frozen if the trial began so, else following |
//! | freeze | following, frozen | frozen |
//! | follow | following, frozen | following |
//! | panic | any | panic over that mode |
//! | resume | panic | the mode below it |
//!
//! Two more events keep the mode and record a fact in it: that the policy on trial is in force, and which
//! content of the store a frozen policy overrides. During a panic, a trial below it can only end.

mod basis;
mod event;
mod frozen;
mod panic;
#[cfg(test)]
mod tests;
mod trial;

use serde::{Deserialize, Serialize};

pub use basis::Basis;
pub use event::{Event, Impossible};
pub use frozen::Frozen;
pub use panic::Panic;
pub use trial::Trial;

/// Decision about the policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The policy of the basis is in force.
    Calm(Basis),
    /// Only failsafes and established flows pass, whatever the basis.
    Panic(Panic),
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
