//! Events that change the mode.

use super::{super::clock::Moment, frozen::Frozen, trial::Trial};

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

impl Event {
    /// For people.
    pub(super) const fn text(&self) -> &'static str {
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
