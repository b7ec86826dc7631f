//! The result of the evaluator: the verdict, its origin, and the steps there.

use hep_common::{Direction, counter::Reason};

use super::{binding::Role, mismatch::Mismatch};
use crate::model::{EndpointToHostAction, FailsafePort, Policy, Profile, Rule, Tier};

/// A step of the pipeline in which a rule or default can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `doNotTrack` policies.
    Untracked,
    /// Failsafe ports.
    Failsafe,
    /// `preDNAT` policies.
    PreDnat,
    /// Policies for traffic of this host.
    Normal,
    /// Policies for forwarded traffic.
    Forward,
    /// Profiles.
    Profile,
    /// The default where nothing decided.
    Default,
}

impl Stage {
    /// The stable name that commands print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untracked => "untracked",
            Self::Failsafe => "failsafe",
            Self::PreDnat => "preDNAT",
            Self::Normal => "normal",
            Self::Forward => "forward",
            Self::Profile => "profile",
            Self::Default => "default",
        }
    }
}

/// Who a rule belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A policy, in its tier.
    Policy(&'a Tier, &'a Policy),
    /// A profile.
    Profile(&'a Profile),
}

/// A rule in its place.
#[derive(Clone, Copy, Debug)]
pub struct RuleRef<'a> {
    /// Where in the pipeline it was met.
    pub stage: Stage,
    /// Whose it is.
    pub source: Source<'a>,
    /// Which of the owner's two lists it is in.
    pub direction: Direction,
    /// Place in that list, from 0.
    pub index: usize,
    /// The rule.
    pub rule: &'a Rule,
}

/// The origin of the verdict.
#[derive(Clone, Copy, Debug)]
pub enum Decider<'a> {
    /// A step of the pipeline that is no rule; the reason identifies it.
    Pipeline,
    /// A failsafe port of the packet's direction.
    Failsafe(Direction, &'a FailsafePort),
    /// A rule.
    Rule(RuleRef<'a>),
    /// The end of a tier that applied (EV-036).
    EndOfTier(Stage, &'a Tier),
    /// No policy and no profile decided (EV-048).
    NoProfile,
    /// No forward tier decided (EV-042).
    ForwardDefault,
    /// `defaultEndpointToHostAction` (EV-101).
    EndpointToHost(EndpointToHostAction),
    /// The interface is a workload's, which only guards the host (EV-103).
    Workload,
}

/// One thing that was passed on the way to the verdict.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// The interface's role.
    Role(Role<'a>),
    /// IPv6 is not policed (`ipv6Support: false`).
    Ipv6Unpoliced,
    /// Failsafe traffic skips the untracked policies (EV-068).
    UntrackedExempt(Direction, &'a FailsafePort),
    /// No failsafe port covers the packet.
    NoFailsafe,
    /// A stage begins.
    Enter(Stage),
    /// No policy of a stage applies.
    NoPolicy(Stage),
    /// A tier begins.
    Tier(&'a Tier),
    /// A policy begins.
    Policy(&'a Policy),
    /// A profile begins.
    Profile(&'a Profile),
    /// A rule did not match.
    Missed(RuleRef<'a>, Mismatch),
    /// A rule matched.
    Matched(RuleRef<'a>),
    /// A rule of a staged policy matched; enforced, it would have taken its action.
    Staged(RuleRef<'a>),
    /// The tier ended without a verdict; evaluation continues with the next.
    TierPassed(&'a Tier),
    /// The tier ended; only staged policies applied, so it does not count (EV-036).
    TierStagedOnly(&'a Tier),
    /// The reverse-path check depends on routes, which are unknown here; assumed to pass.
    ReversePathUnknown,
}

/// The verdict on a packet, and the reason for it.
#[derive(Clone, Debug)]
pub struct Judgement<'a> {
    /// Verdict and reason.
    pub reason: Reason,
    /// The origin of the verdict.
    pub decider: Decider<'a>,
    /// `Log` rules of enforced policies and profiles that matched, in order.
    pub logged: Vec<RuleRef<'a>>,
    /// Rules of staged policies that matched, in order.
    pub staged: Vec<RuleRef<'a>>,
    /// The way to the verdict.
    pub trace: Vec<Step<'a>>,
}

impl Judgement<'_> {
    /// Whether the packet passes.
    #[must_use]
    pub const fn allows(&self) -> bool {
        self.reason.allows()
    }
}
