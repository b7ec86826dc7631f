//! The next step for a packet on the slow path.

use hep_common::{Family, counter::Reason};

use crate::helpers;

/// Next step for a packet, or the reason of its verdict, which has been counted then.
///
/// Global functions hand it on as a number ([`number`](Self::number), [`of`](Self::of)): the verifier accepts
/// scalars only as their results and arguments, and in BTF this type is a structure.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step(u32);

impl Step {
    /// The packet is not plain: parse it.
    pub(crate) const LOAD: Self = Self(0x100);
    /// Run the stages before the connection table.
    pub(crate) const STAGES: Self = Self(0x101);
    /// Judge the packet by the connection table.
    pub(crate) const TRACK: Self = Self(0x102);
    /// Judge its flow by the rules in force, then judge it by the connection table again.
    pub(crate) const REVALIDATE: Self = Self(0x103);
    /// Judge it as the first of a flow.
    pub(crate) const OPEN: Self = Self(0x104);
    /// Judge it as the first of a flow that replaces an assured one.
    pub(crate) const REPLACE: Self = Self(0x105);
    /// Evaluate the list in its trace, and nothing else: the rules for the first packet of a flow, or the
    /// untracked ones.
    pub(crate) const RULES: Self = Self(0x106);
    /// Judge it as a TCP segment of a connection whose start was not seen.
    pub(crate) const MIDSTREAM: Self = Self(0x107);
    /// Judge it as a TCP segment of a known flow that is not approved at this kind of hook.
    pub(crate) const APPROVE: Self = Self(0x108);

    /// Bit beside a step: the packet is IPv4.
    const IPV4: u32 = 1 << 16;
    /// Bit beside a step: the packet is IPv6.
    const IPV6: u32 = 1 << 17;

    /// No further step: the verdict has this reason.
    #[inline(always)]
    pub(crate) const fn done(reason: Reason) -> Self {
        Self(reason as u32)
    }

    /// Update the flow of a packet that is accepted for this reason, or store the one it opens.
    #[inline(always)]
    pub(crate) const fn keep(reason: Reason) -> Self {
        Self::done(reason).with(Flag::KEEP)
    }

    /// Write the records of a packet whose verdict has this reason.
    #[inline(always)]
    pub(crate) const fn finish(reason: Reason) -> Self {
        Self::done(reason).with(Flag::FINISH)
    }

    /// Whether this is exactly that step.
    #[inline(always)]
    pub(crate) const fn is(self, step: Self) -> bool {
        self.0 == step.0
    }

    /// Whether the flag is set.
    #[inline(always)]
    pub(crate) const fn has(self, flag: Flag) -> bool {
        self.0 & flag.0 != 0
    }

    /// The step with the flag set.
    #[inline(always)]
    pub(crate) const fn with(self, flag: Flag) -> Self {
        Self(self.0 | flag.0)
    }

    /// The step with the flag cleared.
    #[inline(always)]
    pub(crate) const fn without(self, flag: Flag) -> Self {
        Self(self.0 & !flag.0)
    }

    /// The reason in a step that has one.
    #[inline(always)]
    pub(crate) fn reason(self) -> Reason {
        // The compiler may know what a function returns; the kernel does not.
        let [number, ..] = helpers::opaque(self.0 as usize).to_le_bytes();
        Reason::try_from(number).unwrap_or(Reason::Internal)
    }

    /// The step for a packet of a family.
    #[inline(always)]
    pub(crate) const fn of_family(self, family: Family) -> Self {
        let bit = match family {
            Family::V4 => Self::IPV4,
            Family::V6 => Self::IPV6,
        };
        Self(self.0 | bit)
    }

    /// The family that [`of_family`](Self::of_family) has noted.
    #[inline(always)]
    pub(crate) const fn family(self) -> Option<Family> {
        if self.0 & Self::IPV4 != 0 {
            Some(Family::V4)
        } else if self.0 & Self::IPV6 != 0 {
            Some(Family::V6)
        } else {
            None
        }
    }

    /// The step without a note of the family.
    #[inline(always)]
    pub(crate) const fn of_no_family(self) -> Self {
        Self(self.0 & !(Self::IPV4 | Self::IPV6))
    }

    /// The number that a global function returns or takes.
    #[inline(always)]
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The step with a number that [`number`](Self::number) has returned.
    #[inline(always)]
    pub(crate) const fn of(number: u32) -> Self {
        Self(number)
    }
}

/// Flag beside the reason in a [`Step`].
#[derive(Clone, Copy)]
pub(crate) struct Flag(u32);

impl Flag {
    /// Write the packet's records.
    pub(crate) const FINISH: Self = Self(0x200);
    /// Update the packet's flow, or store the one it opens.
    pub(crate) const KEEP: Self = Self(0x400);
    /// Beside [`KEEP`](Self::KEEP): the new flow replaces an assured one.
    pub(crate) const REPLACES: Self = Self(0x800);
    /// Beside [`KEEP`](Self::KEEP): the packet is a reply, so that the other end has opened the flow.
    pub(crate) const REPLIES: Self = Self(0x1000);
    /// Beside [`KEEP`](Self::KEEP): the flow is assured.
    pub(crate) const ASSURED: Self = Self(0x2000);
    /// In place of [`KEEP`](Self::KEEP), where there is no flow yet: store the one that the packet opens.
    pub(crate) const STORE: Self = Self(0x4000);

    /// This flag if `condition` is true, else none.
    #[inline(always)]
    pub(crate) const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self(0) }
    }
}
