//! One rule list while it grows: actions, reasons, and the targets of jumps.

use hep_common::{Direction, Family, counter::Reason, rule::Action};

use crate::{
    compile::{
        classes::predicates::{EVERYTHING, Match},
        description::shape::ListKind,
    },
    model,
};

/// Number of a rule, before it has its counter slot.
pub(crate) type RuleId = u32;

/// One rule of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListRule {
    /// The packets it matches.
    pub(crate) matches: Match,
    /// Its action.
    pub(crate) action: Action,
    /// The reason of its verdict; `None` if it gives none.
    pub(crate) reason: Option<Reason>,
    /// Where evaluation continues after `Pass` and `Staged`.
    pub(crate) target: usize,
    /// Which rule it is.
    pub(crate) rule: RuleId,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FlatList {
    pub(crate) kind: ListKind,
    pub(crate) direction: Direction,
    pub(crate) family: Family,
    pub(crate) rules: Vec<ListRule>,
    /// The place of the first rule after the pre-DNAT tiers, if there are any; else 0.
    pub(crate) normal_from: usize,
}

/// One rule of a policy or profile in one family, before it is put in a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    pub(crate) matches: Match,
    pub(crate) action: model::Action,
    pub(crate) rule: RuleId,
}

/// A list while it grows.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    rules: Vec<ListRule>,
    normal_from: usize,
}

impl Builder {
    /// Number of rules so far: the place of the next.
    pub(crate) fn next_place(&self) -> usize {
        self.rules.len()
    }

    /// Adds a rule.
    pub(crate) fn push(
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
    pub(crate) fn always(&mut self, action: Action, reason: Option<Reason>, rule: RuleId) {
        self.push(EVERYTHING, action, reason, rule);
    }

    /// Rules that count; `passes` collects the places of those that pass.
    pub(crate) fn enforced(
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
    pub(crate) fn staged(&mut self, block: &[Template]) {
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
    pub(crate) fn continue_here(&mut self, places: Vec<usize>) {
        let here = self.rules.len();
        for place in places {
            self.rules[place].target = here;
        }
    }

    /// The pre-DNAT tiers have been added.
    pub(crate) fn end_pre_dnat(&mut self) {
        self.normal_from = self.rules.len();
    }

    /// The list.
    pub(crate) fn finish(self, kind: ListKind, direction: Direction, family: Family) -> FlatList {
        FlatList {
            kind,
            direction,
            family,
            rules: self.rules,
            normal_from: self.normal_from,
        }
    }
}
