//! Names of stages, directions, actions and reasons in descriptions.

use hep_common::{counter::Reason, rule::Action};

use super::order::Phase;
use crate::model::HostEndpoint;

/// The name of the stage that a phase is of.
pub(crate) const fn stage_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Untracked => "untracked",
        Phase::PreDnat => "preDNAT",
        Phase::Normal => "normal",
        Phase::Forward => "forward",
    }
}

/// The name of an action.
pub(crate) const fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "Allow",
        Action::Deny => "Deny",
        Action::Pass => "Pass",
        Action::Log => "Log",
        Action::Staged => "Staged",
        Action::Continue => "Continue",
    }
}

/// The reasons of the verdicts of Allow and Deny in a phase.
pub(crate) fn phase_reasons(phase: Phase) -> (Reason, Reason) {
    match phase {
        Phase::Untracked => (Reason::Untracked, Reason::UntrackedDeny),
        Phase::PreDnat | Phase::Normal | Phase::Forward => {
            (Reason::PolicyAllow, Reason::PolicyDeny)
        }
    }
}

/// The end of what an endpoint's forwarded packets meet (EV-042, DS-312).
pub(crate) const fn forward_end(endpoint: &HostEndpoint) -> (Action, Reason) {
    if endpoint.closed {
        (Action::Deny, Reason::NoProfile)
    } else {
        (Action::Allow, Reason::ForwardDefault)
    }
}
