//! Which policies apply to an endpoint, and in which order they are visited.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use hep_common::Direction;

use crate::model::{DefaultAction, Policy, PolicyKind, Snapshot, Stage};

/// Where in a list tiers are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// Policies with `doNotTrack`.
    Untracked,
    /// Policies with `preDNAT`.
    PreDnat,
    /// Policies with neither, for traffic of the host itself.
    Normal,
    /// Policies with `applyOnForward`, for forwarded traffic.
    Forward,
}

impl Phase {
    /// Whether policies of this stage are visited (EV-023, EV-024, EV-099).
    fn holds(self, stage: Stage) -> bool {
        match (self, stage) {
            (Self::Untracked, Stage::Untracked)
            | (Self::PreDnat, Stage::PreDnat)
            | (Self::Normal, Stage::Normal { .. }) => true,
            (Self::Forward, Stage::Normal { apply_on_forward }) => apply_on_forward,
            (Self::Untracked | Self::PreDnat | Self::Normal | Self::Forward, _) => false,
        }
    }

    /// Whether a tier's `defaultAction` counts (EV-038).
    fn ends_tiers(self) -> bool {
        matches!(self, Self::Normal | Self::Forward)
    }
}

/// A tier as one endpoint meets it in one phase and direction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TierPart<'s> {
    /// Name of the tier.
    pub(crate) name: Arc<str>,
    /// Its policies that apply, in order; at least one.
    pub(crate) policies: Vec<&'s Policy>,
    /// Action at its end: `None` if it has none, because it ends no tier here or only staged policies apply
    /// (EV-036).
    pub(crate) end: Option<DefaultAction>,
}

/// The tiers that one endpoint meets in one direction.
#[derive(Debug)]
pub(crate) struct DirectionTiers<'s> {
    pub(crate) untracked: Vec<TierPart<'s>>,
    pub(crate) pre_dnat: Vec<TierPart<'s>>,
    pub(crate) normal: Vec<TierPart<'s>>,
    pub(crate) forward: Vec<TierPart<'s>>,
}

/// All tiers with their policies, in order (EV-026 to EV-029).
#[derive(Debug)]
pub(crate) struct Ordered<'s> {
    tiers: Vec<(Arc<str>, DefaultAction, Vec<&'s Policy>)>,
}

impl<'s> Ordered<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let mut by_tier: BTreeMap<&str, Vec<&'s Policy>> = BTreeMap::new();
        for policy in &snapshot.policies {
            by_tier.entry(&policy.tier).or_default().push(policy);
        }
        for policies in by_tier.values_mut() {
            policies.sort_by(|a, b| visit_order(a, b));
        }
        let mut tiers: Vec<_> = snapshot.tiers.iter().collect();
        tiers.sort_by(|a, b| {
            let names = || a.metadata.name.as_bytes().cmp(b.metadata.name.as_bytes());
            compare(a.order, b.order).then_with(names)
        });
        let mut ordered: Vec<_> = tiers
            .into_iter()
            .filter_map(|tier| {
                let policies = by_tier.remove(&*tier.metadata.name)?;
                Some((
                    Arc::clone(&tier.metadata.name),
                    tier.default_action,
                    policies,
                ))
            })
            .collect();
        // Tiers that nobody defined come last, and deny (EV-026, RS-124).
        ordered.extend(by_tier.into_values().filter_map(|policies| {
            let name = Arc::clone(&policies.first()?.tier);
            Some((name, DefaultAction::Deny, policies))
        }));
        Self { tiers: ordered }
    }

    /// The tiers that an endpoint with these labels meets in a phase and direction, as EV-021,
    /// EV-022, EV-025 and EV-036 have it.
    pub(crate) fn parts(
        &self,
        labels: &BTreeMap<String, String>,
        phase: Phase,
        direction: Direction,
    ) -> Vec<TierPart<'s>> {
        self.tiers
            .iter()
            .filter_map(|(name, default_action, policies)| {
                let policies: Vec<&Policy> = policies
                    .iter()
                    .copied()
                    .filter(|policy| {
                        phase.holds(policy.stage)
                            && applies(policy, direction)
                            && selects(policy, labels)
                    })
                    .collect();
                let enforced = policies
                    .iter()
                    .any(|policy| policy.kind == PolicyKind::Enforced);
                (!policies.is_empty()).then(|| TierPart {
                    name: Arc::clone(name),
                    policies,
                    end: (enforced && phase.ends_tiers()).then_some(*default_action),
                })
            })
            .collect()
    }
}

/// Whether a policy selects an endpoint with these labels (EV-021, RS-071).
pub(crate) fn selects(policy: &Policy, labels: &BTreeMap<String, String>) -> bool {
    policy.selector.matches(labels)
}

fn applies(policy: &Policy, direction: Direction) -> bool {
    match direction {
        Direction::Ingress => policy.applies_ingress,
        Direction::Egress => policy.applies_egress,
    }
}

/// EV-027, EV-028, DS-243: order, then `name/namespace/kind` with an empty namespace.
fn visit_order(a: &Policy, b: &Policy) -> Ordering {
    let key = |policy: &Policy| format!("{}//{}", policy.metadata.identity(), policy.kind.name());
    let order = |policy: &Policy| policy.order.unwrap_or(f64::INFINITY);
    compare(order(a), order(b)).then_with(|| key(a).cmp(&key(b)))
}

/// EV-029: -0 equals 0. Orders are never NaN.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}
