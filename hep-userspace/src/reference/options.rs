//! Inputs besides the resources that change verdicts.

use crate::model::Behaviour;

/// Inputs besides the resources that change verdicts: options of `hep run`, and why a packet is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How packets are treated beyond the policy.
    pub behaviour: Behaviour,
    /// Policy judges ICMP messages of any type but errors and redirects, as if each belonged to a flow or
    /// opened one (EV-171).
    pub any_icmp: bool,
}
