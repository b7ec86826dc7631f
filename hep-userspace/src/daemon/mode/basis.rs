//! The mode without regard to a panic.

use serde::{Deserialize, Serialize};

use super::{
    event::{Event, Impossible},
    frozen::Frozen,
    trial::Trial,
};

/// Decision about the policy in force when there is no panic.
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

impl Basis {
    /// The basis after an event.
    ///
    /// # Errors
    ///
    /// [`Impossible`] if the event cannot happen on this basis.
    pub(super) fn after(self, event: Event) -> Result<Self, Impossible> {
        match (self, event) {
            (Self::Following, Event::BeginTrial(trial)) => Ok(Self::Trial(trial.over(None))),
            (Self::Frozen(frozen), Event::BeginTrial(trial)) => {
                Ok(Self::Trial(trial.over(Some(frozen))))
            }
            (Self::Trial(trial), Event::TrialInForce(generation, now)) => {
                Ok(Self::Trial(trial.in_force(generation, now)))
            }
            (Self::Trial(_), Event::Confirm) => Ok(Self::Following),
            (Self::Trial(trial), Event::EndTrial) => {
                Ok(trial.frozen.map_or(Self::Following, Self::Frozen))
            }
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
