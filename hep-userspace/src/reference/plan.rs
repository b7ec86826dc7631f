//! Which policies apply to an endpoint, and in which order (section 3 of the specification).

use std::{cmp::Ordering, collections::BTreeMap};

use hep_common::Direction;

use super::objects::effective_labels;
use crate::model::{HostEndpoint, Policy, PolicyKind, Profile, Rule, Snapshot, Stage, Tier};

/// A list of policies (EV-023).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// `doNotTrack` policies.
    Untracked,
    /// `preDNAT` policies.
    PreDnat,
    /// All others.
    Normal,
    /// Those of the normal list with `applyOnForward`.
    Forward,
}

impl List {
    /// EV-023, EV-024, EV-099.
    fn holds(self, policy: &Policy) -> bool {
        match (self, policy.stage) {
            (Self::Untracked, Stage::Untracked)
            | (Self::PreDnat, Stage::PreDnat)
            | (Self::Normal, Stage::Normal { .. }) => true,
            (Self::Forward, Stage::Normal { apply_on_forward }) => apply_on_forward,
            (Self::Untracked, Stage::PreDnat | Stage::Normal { .. })
            | (Self::PreDnat, Stage::Untracked | Stage::Normal { .. })
            | (Self::Normal | Self::Forward, Stage::Untracked | Stage::PreDnat) => false,
        }
    }
}

/// A tier and those of its policies that select the endpoint, in order of evaluation.
pub(super) struct PlannedTier<'a> {
    pub(super) tier: &'a Tier,
    policies: Vec<&'a Policy>,
}

impl<'a> PlannedTier<'a> {
    /// The tier's policies that are in `list` and apply in `direction` (EV-022, EV-025).
    pub(super) fn policies(
        &self,
        list: List,
        direction: Direction,
    ) -> impl Iterator<Item = &'a Policy> {
        self.policies
            .iter()
            .copied()
            .filter(move |policy| list.holds(policy) && applies(policy, direction))
    }
}

/// The policies and profiles that an endpoint's packets are judged by.
pub(super) struct Plan<'a> {
    /// Tiers in order (EV-026) with the policies that select the endpoint.
    pub(super) tiers: Vec<PlannedTier<'a>>,
    /// The endpoint's profiles, in the order it names them (EV-047).
    pub(super) profiles: Vec<&'a Profile>,
    /// Nothing applies to the endpoint (DS-312).
    pub(super) closed: bool,
}

impl<'a> Plan<'a> {
    /// The plan of an endpoint.
    pub(super) fn new(snapshot: &'a Snapshot, endpoint: &'a HostEndpoint) -> Self {
        if endpoint.closed {
            return Self {
                tiers: Vec::new(),
                profiles: Vec::new(),
                closed: true,
            };
        }
        let labels = effective_labels(endpoint, &snapshot.profiles);
        let mut by_tier: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
        for policy in &snapshot.policies {
            // EV-021; RS-071.
            if policy.selector.matches(&labels) {
                by_tier.entry(&policy.tier).or_default().push(policy);
            }
        }
        let mut tiers: Vec<&Tier> = snapshot.tiers.iter().map(|tier| &**tier).collect();
        tiers.sort_by(|a, b| {
            compare_orders(a.order, b.order)
                .then_with(|| a.metadata.name.as_bytes().cmp(b.metadata.name.as_bytes()))
        });
        let tiers = tiers.into_iter().filter_map(|tier| {
            let mut policies = by_tier.remove(&*tier.metadata.name)?;
            policies.sort_by(|a, b| compare_policies(a, b));
            Some(PlannedTier { tier, policies })
        });
        let profiles = endpoint.profiles.iter().filter_map(|name| {
            let mut profiles = snapshot.profiles.iter().map(|profile| &**profile);
            profiles.find(|one| one.metadata.name == *name)
        });
        Self {
            tiers: tiers.collect(),
            profiles: profiles.collect(),
            closed: false,
        }
    }
}

/// The rules of a policy in one direction.
pub(super) fn rules(policy: &Policy, direction: Direction) -> &[Rule] {
    match direction {
        Direction::Ingress => &policy.ingress,
        Direction::Egress => &policy.egress,
    }
}

/// The rules of a profile in one direction.
pub(super) fn profile_rules(profile: &Profile, direction: Direction) -> &[Rule] {
    match direction {
        Direction::Ingress => &profile.ingress,
        Direction::Egress => &profile.egress,
    }
}

/// EV-021, RS-113.
pub(super) const fn is_staged(policy: &Policy) -> bool {
    match policy.kind {
        PolicyKind::Enforced => false,
        PolicyKind::Staged(_) => true,
    }
}

/// EV-022; pre-DNAT policies apply to ingress only (EV-086).
const fn applies(policy: &Policy, direction: Direction) -> bool {
    match direction {
        Direction::Ingress => policy.applies_ingress,
        Direction::Egress => policy.applies_egress,
    }
}

/// EV-027, EV-028: by order, absent ones last, then by the bytes of `name/namespace/kind`, in which
/// a global policy's namespace is empty (DS-243: the name is that of the key).
fn compare_policies(a: &Policy, b: &Policy) -> Ordering {
    let key = |policy: &Policy| format!("{}//{}", policy.metadata.identity(), policy.kind.name());
    let order = |policy: &Policy| policy.order.unwrap_or(f64::INFINITY);
    compare_orders(order(a), order(b)).then_with(|| key(a).into_bytes().cmp(&key(b).into_bytes()))
}

/// EV-029: orders compare as floats, so that -0 equals 0. They are never NaN (RS-017).
fn compare_orders(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}
