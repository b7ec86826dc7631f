//! Flattened rule lists: everything that one kind of packet meets, in order.

use std::{collections::BTreeMap, sync::Arc};

use hep_common::{Direction, Family, counter::Reason, rule::Action};

use super::{
    blocks::{Blocks, Source},
    builder::{Builder, FlatList, RuleId, Template},
    expand::{FailsafeEnds, Matcher},
    flattened::Flattened,
    names::{action_name, forward_end, phase_reasons, stage_name},
    order::{DirectionTiers, Phase, TierPart},
    rules::{RuleText, Rules},
    templates::Templates,
};
use crate::{
    compile::{
        description::{
            shape::{ListKind, RuleDescription},
            text,
        },
        sets::selected::AllUnions,
    },
    model::{
        self, DefaultAction, EndpointToHostAction, FailsafePort, FelixConfiguration, HostEndpoint,
        Policy, PolicyKind, Profile, Snapshot,
    },
};

/// Makes lists, and the rules and predicates that they refer to.
#[derive(Debug)]
pub(crate) struct Flattener<'s> {
    pub(crate) matcher: Matcher<'s>,
    pub(crate) rules: Rules,
    felix: &'s FelixConfiguration,
    profiles: BTreeMap<&'s str, &'s Profile>,
    blocks: Blocks,
    templates: Templates,
}

impl<'s> Flattener<'s> {
    /// No list yet; `known` is what earlier generations left, `unions` are those of the previous one.
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        known: Flattened,
        unions: Option<&'s AllUnions>,
    ) -> Self {
        let Flattened {
            spaces,
            rules,
            mut blocks,
            mut templates,
        } = known;
        blocks.begin();
        templates.begin();
        Self {
            matcher: Matcher::new(snapshot, spaces, unions),
            rules,
            felix: &snapshot.felix,
            profiles: snapshot
                .profiles
                .iter()
                .map(|profile| (&*profile.metadata.name, &**profile))
                .collect(),
            blocks,
            templates,
        }
    }

    /// Ends with the last of `lists`: notes what they use, and forgets the policies that are no more.
    pub(crate) fn finish(&mut self, lists: &[Arc<FlatList>]) {
        let lists = || lists.iter().map(|list| &**list);
        self.matcher.spaces.begin(lists());
        self.rules.begin(lists());
        self.blocks.finish();
        self.templates.finish();
    }

    /// The objects that selectors selected, and the rest for the next generation.
    pub(crate) fn leave(self) -> (AllUnions, Flattened) {
        let flattened = Flattened {
            spaces: self.matcher.spaces,
            rules: self.rules,
            blocks: self.blocks,
            templates: self.templates,
        };
        (self.matcher.objects.unions, flattened)
    }

    /// The exemption from the untracked list (EV-068); `None` if nothing is exempt.
    pub(crate) fn exempt(&mut self, direction: Direction, family: Family) -> Option<FlatList> {
        let mut list = Builder::default();
        let (own, other) = self.failsafes(direction);
        self.failsafe_rules(&mut list, own, direction, family, true);
        self.failsafe_rules(&mut list, other, direction, family, false);
        if list.next_place() == 0 {
            return None;
        }
        let rule = self.default(direction, "not exempt", Action::Continue, None);
        list.always(Action::Continue, None, rule);
        Some(list.finish(ListKind::Exempt, direction, family))
    }

    /// The untracked list; `None` if no tier is in it.
    pub(crate) fn untracked(
        &mut self,
        tiers: &[TierPart<'s>],
        direction: Direction,
        family: Family,
    ) -> Option<FlatList> {
        if tiers.is_empty() {
            return None;
        }
        let mut list = Builder::default();
        self.tiers(&mut list, tiers, Phase::Untracked, direction, family);
        let rule = self.default(direction, "end of untracked policy", Action::Continue, None);
        list.always(Action::Continue, None, rule); // EV-039
        Some(list.finish(ListKind::Untracked, direction, family))
    }

    /// The list of packets to or from this host.
    pub(crate) fn local(
        &mut self,
        endpoint: &HostEndpoint,
        tiers: &DirectionTiers<'s>,
        direction: Direction,
        family: Family,
    ) -> FlatList {
        let mut list = Builder::default();
        let (own, _) = self.failsafes(direction);
        self.failsafe_rules(&mut list, own, direction, family, true);
        self.pre_dnat(&mut list, &tiers.pre_dnat, direction, family);
        self.tiers(&mut list, &tiers.normal, Phase::Normal, direction, family);
        for name in endpoint.profiles.iter().filter(|_| !endpoint.closed) {
            self.profile(&mut list, name, direction, family);
        }
        let reason = Some(Reason::NoProfile);
        let rule = self.default(direction, "no profile", Action::Deny, reason);
        list.always(Action::Deny, reason, rule); // EV-048
        list.finish(ListKind::Local, direction, family)
    }

    /// The list of forwarded packets.
    pub(crate) fn forward(
        &mut self,
        endpoint: &HostEndpoint,
        tiers: &DirectionTiers<'s>,
        direction: Direction,
        family: Family,
    ) -> FlatList {
        let mut list = Builder::default();
        self.pre_dnat(&mut list, &tiers.pre_dnat, direction, family);
        self.tiers(&mut list, &tiers.forward, Phase::Forward, direction, family);
        let (action, reason) = forward_end(endpoint);
        let rule = self.default(direction, "forwarded", action, Some(reason));
        list.always(action, Some(reason), rule);
        list.finish(ListKind::Forward, direction, family)
    }

    /// The lists of a workload interface (EV-103); `kind` is local or forward.
    pub(crate) fn workload(
        &mut self,
        pre_dnat: &[TierPart<'s>],
        kind: ListKind,
        direction: Direction,
        family: Family,
    ) -> FlatList {
        let mut list = Builder::default();
        let to_host = self.felix.endpoint_to_host;
        let (action, reason, place) = match (direction, kind) {
            (Direction::Egress, _) => (Action::Allow, Reason::ToWorkload, "to workload"),
            (Direction::Ingress, ListKind::Local) if to_host == EndpointToHostAction::Drop => {
                (Action::Deny, Reason::WorkloadDrop, "workload to host")
            }
            (Direction::Ingress, ListKind::Local) => {
                (Action::Allow, Reason::FromWorkload, "workload to host")
            }
            (Direction::Ingress, _) => (
                Action::Allow,
                Reason::FromWorkload,
                "forwarded from workload",
            ),
        };
        self.pre_dnat(&mut list, pre_dnat, direction, family);
        let rule = self.default(direction, place, action, Some(reason));
        list.always(action, Some(reason), rule);
        list.finish(kind, direction, family)
    }

    /// This direction's failsafes and the other's.
    fn failsafes(&self, direction: Direction) -> (&'s [FailsafePort], &'s [FailsafePort]) {
        let (inbound, outbound) = (&self.felix.failsafe_inbound, &self.felix.failsafe_outbound);
        match direction {
            Direction::Ingress => (inbound, outbound),
            Direction::Egress => (outbound, inbound),
        }
    }

    /// Allow for each port: in its own form, or reversed, as replies to it look.
    fn failsafe_rules(
        &mut self,
        list: &mut Builder,
        ports: &[FailsafePort],
        direction: Direction,
        family: Family,
        own_form: bool,
    ) {
        // The far end is the source of what comes in and the destination of what goes out.
        let ends = FailsafeEnds {
            destination_port: own_form,
            source_net: direction == Direction::Ingress,
        };
        for (index, port) in ports.iter().enumerate() {
            let Some(matches) = self.matcher.failsafe(port, ends, family) else {
                continue;
            };
            let port_end = if own_form { "to" } else { "from" };
            let net_end = if ends.source_net { "from" } else { "to" };
            let form = if own_form {
                "failsafe"
            } else {
                "reverse failsafe"
            };
            let rule = self.add(
                direction,
                RuleDescription {
                    stage: "failsafe".to_owned(),
                    rule: format!("{form}[{index}]"),
                    action: action_name(Action::Allow).to_owned(),
                    reason: Reason::Failsafe.name().to_owned(),
                    matches: text::failsafe_text(port, port_end, net_end),
                    ..RuleDescription::default()
                },
            );
            list.push(matches, Action::Allow, Some(Reason::Failsafe), rule);
        }
    }

    /// The pre-DNAT tiers, if there are any.
    fn pre_dnat(
        &mut self,
        list: &mut Builder,
        tiers: &[TierPart<'s>],
        direction: Direction,
        family: Family,
    ) {
        if !tiers.is_empty() {
            self.tiers(list, tiers, Phase::PreDnat, direction, family);
            list.end_pre_dnat();
        }
    }

    /// The tiers of one phase (EV-030 to EV-038).
    fn tiers(
        &mut self,
        list: &mut Builder,
        tiers: &[TierPart<'s>],
        phase: Phase,
        direction: Direction,
        family: Family,
    ) {
        for tier in tiers {
            let mut passes = Vec::new();
            for policy in &tier.policies {
                let block = self.policy(policy, phase, direction, family);
                match policy.kind {
                    PolicyKind::Enforced => {
                        list.enforced(&block, phase_reasons(phase), &mut passes)
                    }
                    PolicyKind::Staged(_) => list.staged(&block),
                }
            }
            if let Some(end) = tier.end {
                self.end_of_tier(list, &tier.name, end, phase, direction, &mut passes);
            }
            list.continue_here(passes); // EV-033
        }
    }

    fn end_of_tier(
        &mut self,
        list: &mut Builder,
        tier: &str,
        end: DefaultAction,
        phase: Phase,
        direction: Direction,
        passes: &mut Vec<usize>,
    ) {
        let (action, reason) = match end {
            DefaultAction::Deny => (Action::Deny, Some(Reason::TierDefault)),
            DefaultAction::Pass => (Action::Pass, None),
        };
        let rule = self.add(
            direction,
            RuleDescription {
                stage: stage_name(phase).to_owned(),
                tier: tier.to_owned(),
                rule: format!("end of tier {tier}"),
                action: action_name(action).to_owned(),
                reason: reason.map_or("", Reason::name).to_owned(),
                matches: "everything".to_owned(),
                ..RuleDescription::default()
            },
        );
        if action == Action::Pass {
            passes.push(list.next_place());
        }
        list.always(action, reason, rule);
    }

    /// A profile (EV-047, EV-050); one that does not exist denies.
    fn profile(&mut self, list: &mut Builder, name: &str, direction: Direction, family: Family) {
        let reasons = (Reason::ProfileAllow, Reason::ProfileDeny);
        let Some(&profile) = self.profiles.get(name) else {
            let reason = Some(Reason::ProfileDeny);
            let place = format!("missing profile {name}");
            let rule = self.default(direction, &place, Action::Deny, reason);
            list.always(Action::Deny, reason, rule);
            return;
        };
        let source = Source {
            stage: "profile",
            tier: "",
            kind: "Profile",
            staged: false,
            metadata: &profile.metadata,
            log_prefix: &self.felix.log_prefix,
        };
        let rules = match direction {
            Direction::Ingress => &profile.ingress,
            Direction::Egress => &profile.egress,
        };
        let block = self.block(source, rules, direction, family);
        let mut passes = Vec::new();
        list.enforced(&block, reasons, &mut passes);
        list.continue_here(passes);
    }

    fn policy(
        &mut self,
        policy: &Policy,
        phase: Phase,
        direction: Direction,
        family: Family,
    ) -> Arc<[Template]> {
        let source = Source {
            stage: stage_name(phase),
            tier: &policy.tier,
            kind: policy.kind.name(),
            staged: policy.kind != PolicyKind::Enforced,
            metadata: &policy.metadata,
            log_prefix: &self.felix.log_prefix,
        };
        let rules = match direction {
            Direction::Ingress => &policy.ingress,
            Direction::Egress => &policy.egress,
        };
        self.block(source, rules, direction, family)
    }

    /// The rules of one source in one stage, direction and family, expanded once.
    fn block(
        &mut self,
        source: Source<'_>,
        rules: &Arc<[model::Rule]>,
        direction: Direction,
        family: Family,
    ) -> Arc<[Template]> {
        let block = self.blocks.of(source, rules, direction);
        self.templates
            .of(block, family, &mut self.matcher, &mut self.rules)
    }

    fn add(&mut self, direction: Direction, description: RuleDescription) -> RuleId {
        let text = RuleText::new(direction.name(), description);
        self.rules.add(&Arc::new(text))
    }

    /// A default that belongs to no policy.
    fn default(
        &mut self,
        direction: Direction,
        place: &str,
        action: Action,
        reason: Option<Reason>,
    ) -> RuleId {
        self.add(
            direction,
            RuleDescription {
                stage: "default".to_owned(),
                rule: place.to_owned(),
                action: action_name(action).to_owned(),
                reason: reason.map_or("", Reason::name).to_owned(),
                matches: "everything".to_owned(),
                ..RuleDescription::default()
            },
        )
    }
}
