//! One rule list while it grows: actions, reasons, and the targets of jumps.

use hep_common::{Direction, Family, counter::Reason, rule::Action};

use super::{
    description::ListKind,
    expand::{EVERYTHING, Match},
    rules::RuleId,
};
use crate::model;

/// One rule of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListRule {
    /// The packets it matches.
    pub(super) matches: Match,
    /// Its action.
    pub(super) action: Action,
    /// The reason of its verdict; `None` if it gives none.
    pub(super) reason: Option<Reason>,
    /// Where evaluation continues after `Pass` and `Staged`.
    pub(super) target: usize,
    /// Which rule it is.
    pub(super) rule: RuleId,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlatList {
    pub(super) kind: ListKind,
    pub(super) direction: Direction,
    pub(super) family: Family,
    pub(super) rules: Vec<ListRule>,
    /// The place of the first rule after the pre-DNAT tiers, if there are any; else 0.
    pub(super) normal_from: usize,
}

/// One rule of a policy or profile in one family, before it is put in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) matches: Match,
    pub(super) action: model::Action,
    pub(super) rule: RuleId,
}

/// A list while it grows.
#[derive(Debug, Default)]
pub(super) struct Builder {
    rules: Vec<ListRule>,
    normal_from: usize,
}

impl Builder {
    /// Number of rules so far: the place of the next.
    pub(super) fn next_place(&self) -> usize {
        self.rules.len()
    }

    /// Adds a rule.
    pub(super) fn push(
        &mut self,
        matches: Match,
        action: Action,
        reason: Option<Reason>,
        rule: RuleId,
    ) {
        self.rules.push(ListRule {
            matches,
            action,
            reason,
            target: 0,
            rule,
        });
    }

    /// Adds a rule that matches everything.
    pub(super) fn always(&mut self, action: Action, reason: Option<Reason>, rule: RuleId) {
        self.push(EVERYTHING, action, reason, rule);
    }

    /// Rules that count; `passes` collects the places of those that pass.
    pub(super) fn enforced(
        &mut self,
        block: &[Template],
        (allow, deny): (Reason, Reason),
        passes: &mut Vec<usize>,
    ) {
        for template in block {
            let (action, reason) = match template.action {
                model::Action::Allow => (Action::Allow, Some(allow)),
                model::Action::Deny => (Action::Deny, Some(deny)),
                model::Action::Log => (Action::Log, None),
                model::Action::Pass => {
                    passes.push(self.rules.len());
                    (Action::Pass, None)
                }
            };
            self.push(template.matches, action, reason, template.rule);
        }
    }

    /// Rules of a staged policy: the first that would decide is counted, and so is every `Log` rule
    /// before it.
    pub(super) fn staged(&mut self, block: &[Template]) {
        let mut decided = Vec::new();
        for template in block {
            let place = self.rules.len();
            self.push(template.matches, Action::Staged, None, template.rule);
            if template.action == model::Action::Log {
                self.rules[place].target = place + 1;
            } else {
                decided.push(place);
            }
        }
        self.continue_here(decided);
    }

    /// Makes the next rule that is added the target of the rules at `places`.
    pub(super) fn continue_here(&mut self, places: Vec<usize>) {
        let here = self.rules.len();
        for place in places {
            self.rules[place].target = here;
        }
    }

    /// The pre-DNAT tiers have been added.
    pub(super) fn end_pre_dnat(&mut self) {
        self.normal_from = self.rules.len();
    }

    /// The list.
    pub(super) fn finish(self, kind: ListKind, direction: Direction, family: Family) -> FlatList {
        FlatList {
            kind,
            direction,
            family,
            rules: self.rules,
            normal_from: self.normal_from,
        }
    }
}
