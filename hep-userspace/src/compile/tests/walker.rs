//! Judgements of the compiled tables, for tests.

pub(in crate::compile) use crate::compile::judge::{
    Headers as Packet, Outcome, address_class, judge,
};
use crate::compile::{Generation, RuleDescription};

/// The rule that decided.
pub(in crate::compile) fn rule(generation: &Generation, slot: u32) -> &RuleDescription {
    generation
        .description
        .rules
        .iter()
        .find(|rule| rule.slot == slot)
        .expect("every slot in a list is described")
}
