//! Walking a list of tiers, and the profiles (sections 4 and 5 of the specification).

use hep_common::counter::Reason;

use super::{
    judgement::{Decider, Judgement, RuleRef, Source, Stage, Step},
    objects::Objects,
    packet::Packet,
    plan::{self, List, Plan, PlannedTier},
    rule,
};
use crate::model::{Action, DefaultAction, Policy, Rule};

/// A verdict and what gave it.
pub(super) type Decision<'a> = (Reason, Decider<'a>);

/// Looks at rules and writes down what it sees.
pub(super) struct Walker<'a, 'w> {
    pub(super) objects: &'w Objects<'a>,
    pub(super) packet: &'w Packet,
    /// Trace, matched `Log` rules and staged hits so far; its verdict is not used.
    pub(super) record: Judgement<'a>,
}

/// How a run of rules ended.
enum Outcome<'a> {
    /// A rule with `Allow` or `Deny` matched.
    Decided(Decision<'a>),
    /// A rule with `Pass` matched.
    Passed,
    /// None matched.
    Undecided,
}

impl<'a> Walker<'a, '_> {
    /// The tiers of a list; `None`: its end was reached (EV-030 to EV-038).
    pub(super) fn tiers(&mut self, plan: &Plan<'a>, list: List) -> Option<Decision<'a>> {
        let direction = self.packet.direction;
        let applies = |tier: &PlannedTier<'a>| tier.policies(list, direction).next().is_some();
        self.record.trace.push(if plan.tiers.iter().any(applies) {
            Step::Enter(stage(list))
        } else {
            Step::NoPolicy(stage(list))
        });
        plan.tiers.iter().find_map(|tier| self.tier(tier, list))
    }

    fn tier(&mut self, planned: &PlannedTier<'a>, list: List) -> Option<Decision<'a>> {
        let tier = planned.tier;
        let direction = self.packet.direction;
        let policies: Vec<&Policy> = planned.policies(list, direction).collect();
        if policies.is_empty() {
            return None;
        }
        self.record.trace.push(Step::Tier(tier));
        for &policy in &policies {
            self.record.trace.push(Step::Policy(policy));
            let source = Source::Policy(tier, policy);
            let rules = plan::rules(policy, direction);
            if plan::is_staged(policy) {
                self.staged_rules(stage(list), source, rules);
                continue;
            }
            match self.rules(stage(list), source, rules) {
                Outcome::Decided(decision) => return Some(decision),
                Outcome::Passed => return None, // EV-033
                Outcome::Undecided => {}        // EV-035
            }
        }
        self.end_of_tier(planned, list, &policies)
    }

    /// EV-036; EV-038: untracked and pre-DNAT tiers always pass.
    fn end_of_tier(
        &mut self,
        planned: &PlannedTier<'a>,
        list: List,
        policies: &[&Policy],
    ) -> Option<Decision<'a>> {
        let tier = planned.tier;
        if policies.iter().all(|policy| plan::is_staged(policy)) {
            self.record.trace.push(Step::TierStagedOnly(tier));
            return None;
        }
        let denies = match list {
            List::Untracked | List::PreDnat => false,
            List::Normal | List::Forward => tier.default_action == DefaultAction::Deny,
        };
        if denies {
            return Some((Reason::TierDefault, Decider::EndOfTier(stage(list), tier)));
        }
        self.record.trace.push(Step::TierPassed(tier));
        None
    }

    /// EV-046, EV-047, EV-050; `None`: none decided.
    pub(super) fn profiles(&mut self, plan: &Plan<'a>) -> Option<Decision<'a>> {
        let direction = self.packet.direction;
        for &profile in &plan.profiles {
            self.record.trace.push(Step::Profile(profile));
            let rules = plan::profile_rules(profile, direction);
            match self.rules(Stage::Profile, Source::Profile(profile), rules) {
                Outcome::Decided(decision) => return Some(decision),
                Outcome::Passed | Outcome::Undecided => {}
            }
        }
        None
    }

    /// EV-030 to EV-035, EV-051: the first match with a final action decides; `Log` never does.
    fn rules(&mut self, stage: Stage, source: Source<'a>, rules: &'a [Rule]) -> Outcome<'a> {
        for (index, rule) in rules.iter().enumerate() {
            let here = self.reference(stage, source, index, rule);
            if !self.matches(here, Step::Matched(here)) {
                continue;
            }
            match rule.action {
                Action::Allow => return Outcome::Decided((allowed(stage), Decider::Rule(here))),
                Action::Deny => return Outcome::Decided((denied(stage), Decider::Rule(here))),
                Action::Pass => return Outcome::Passed,
                Action::Log => self.record.logged.push(here),
            }
        }
        Outcome::Undecided
    }

    /// A staged policy never decides (RS-113); which of its rules would have is noted.
    fn staged_rules(&mut self, stage: Stage, source: Source<'a>, rules: &'a [Rule]) {
        for (index, rule) in rules.iter().enumerate() {
            let here = self.reference(stage, source, index, rule);
            if self.matches(here, Step::Staged(here)) {
                self.record.staged.push(here);
                if rule.action != Action::Log {
                    return;
                }
            }
        }
    }

    fn reference(
        &self,
        stage: Stage,
        source: Source<'a>,
        index: usize,
        rule: &'a Rule,
    ) -> RuleRef<'a> {
        RuleRef {
            stage,
            source,
            direction: self.packet.direction,
            index,
            rule,
        }
    }

    /// Whether the rule matches; writes down `hit` if it does, else why not.
    fn matches(&mut self, here: RuleRef<'a>, hit: Step<'a>) -> bool {
        let result = rule::check(here.rule, self.packet, self.objects);
        self.record.trace.push(match result {
            Ok(()) => hit,
            Err(mismatch) => Step::Missed(here, mismatch),
        });
        result.is_ok()
    }
}

const fn stage(list: List) -> Stage {
    match list {
        List::Untracked => Stage::Untracked,
        List::PreDnat => Stage::PreDnat,
        List::Normal => Stage::Normal,
        List::Forward => Stage::Forward,
    }
}

const fn allowed(stage: Stage) -> Reason {
    match stage {
        Stage::Untracked => Reason::Untracked,
        Stage::Profile => Reason::ProfileAllow,
        Stage::Failsafe | Stage::PreDnat | Stage::Normal | Stage::Forward | Stage::Default => {
            Reason::PolicyAllow
        }
    }
}

const fn denied(stage: Stage) -> Reason {
    match stage {
        Stage::Untracked => Reason::UntrackedDeny,
        Stage::Profile => Reason::ProfileDeny,
        Stage::Failsafe | Stage::PreDnat | Stage::Normal | Stage::Forward | Stage::Default => {
            Reason::PolicyDeny
        }
    }
}
