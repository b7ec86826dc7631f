//! Names of stages, directions, actions and reasons in descriptions.

use hep_common::{Direction, counter::Reason, rule::Action};

use super::order::Phase;

/// The name of the stage that a phase is of.
pub(crate) const fn stage_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Untracked => "untracked",
        Phase::PreDnat => "preDNAT",
        Phase::Normal => "normal",
        Phase::Forward => "forward",
    }
}

/// `ingress` or `egress`.
pub(crate) const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
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
