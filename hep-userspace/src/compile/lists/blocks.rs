//! Rules of policies and profiles, compiled as far as they depend on nothing but the rule itself.
//!
//! That is most of a rule's cost, and stays from generation to generation with the rules: rules that did
//! not change are shared when their file is read again.

use std::sync::Arc;

use hep_common::{Direction, counter::Reason};
use rustc_hash::FxHashMap;

use super::{conditions::Conditions, rules::RuleText};
use crate::{
    compile::description::{shape::RuleDescription, text},
    model::{self, Metadata, Rule},
};

/// Where rules come from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) stage: &'static str,
    pub(crate) tier: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) staged: bool,
    pub(crate) metadata: &'a Metadata,
    /// `logPrefix` with its specifiers.
    pub(crate) log_prefix: &'a str,
}

/// The rules of one source in one direction.
#[derive(Debug)]
pub(crate) struct Block {
    /// Inputs of the block, besides its key.
    tier: Box<str>,
    log_prefix: Box<str>,
    source: Arc<[Rule]>,
    pub(crate) rules: Vec<BlockRule>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct BlockRule {
    pub(crate) action: model::Action,
    pub(crate) text: Arc<RuleText>,
    pub(crate) conditions: Conditions,
}

/// Stage, `kind/identity`, direction. The kind shows whether the source is staged.
type Key = (&'static str, Box<str>, Direction);

/// The blocks of the last generations.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// With the generation that used it last.
    all: FxHashMap<Key, (u64, Arc<Block>)>,
    generation: u64,
}

impl Blocks {
    /// Begins a generation.
    pub(crate) fn begin(&mut self) {
        self.generation += 1;
    }

    /// Forgets the blocks that the generation does not use.
    pub(crate) fn finish(&mut self) {
        let generation = self.generation;
        self.all.retain(|_, (used, _)| *used == generation);
    }

    /// The block of these rules: the one that is there if they are the very same.
    pub(crate) fn of(
        &mut self,
        source: Source<'_>,
        rules: &Arc<[Rule]>,
        direction: Direction,
    ) -> Arc<Block> {
        let identity = format!("{}/{}", source.kind, source.metadata.identity());
        let key = (source.stage, identity.into(), direction);
        if let Some((used, block)) = self.all.get_mut(&key)
            && (*used == self.generation || block.is_of(source, rules))
        {
            *used = self.generation;
            return Arc::clone(block);
        }
        let block = Arc::new(Block::new(source, rules, direction));
        self.all.insert(key, (self.generation, Arc::clone(&block)));
        block
    }
}

impl Block {
    fn new(source: Source<'_>, rules: &Arc<[Rule]>, direction: Direction) -> Self {
        let owner = format!("{}/{}", source.kind, source.metadata.name);
        let worked_out = rules.iter().enumerate().map(|(index, rule)| {
            let description = describe(source, &owner, rule, index, direction);
            BlockRule {
                action: rule.action,
                text: Arc::new(RuleText::new(direction.name(), description)),
                conditions: Conditions::of(rule),
            }
        });
        Self {
            tier: source.tier.into(),
            log_prefix: source.log_prefix.into(),
            rules: worked_out.collect(),
            source: Arc::clone(rules),
        }
    }

    fn is_of(&self, source: Source<'_>, rules: &Arc<[Rule]>) -> bool {
        Arc::ptr_eq(&self.source, rules)
            && *self.tier == *source.tier
            && *self.log_prefix == *source.log_prefix
    }

    /// Whether any rule depends on the named ports of endpoints.
    pub(crate) fn names_ports(&self) -> bool {
        self.rules.iter().any(|rule| rule.conditions.names_ports())
    }

    /// The rules as they were read, in the same order.
    pub(crate) fn source(&self) -> &[Rule] {
        &self.source
    }
}

fn describe(
    source: Source<'_>,
    owner: &str,
    rule: &Rule,
    index: usize,
    direction: Direction,
) -> RuleDescription {
    let (allow, deny) = match source.stage {
        "untracked" => (Reason::Untracked, Reason::UntrackedDeny),
        "profile" => (Reason::ProfileAllow, Reason::ProfileDeny),
        _ => (Reason::PolicyAllow, Reason::PolicyDeny),
    };
    let reason = match rule.action {
        model::Action::Allow => allow.name(),
        model::Action::Deny => deny.name(),
        model::Action::Log | model::Action::Pass => "",
    };
    let log_prefix = if rule.action == model::Action::Log {
        let name = &source.metadata.name;
        text::log_prefix(source.log_prefix, source.tier, source.kind, name)
    } else {
        String::new()
    };
    RuleDescription {
        slot: 0,
        stage: source.stage.to_owned(),
        tier: source.tier.to_owned(),
        policy: owner.to_owned(),
        rule: format!("{}[{index}]", direction.name()),
        action: rule.action.name().to_owned(),
        staged: source.staged,
        reason: reason.to_owned(),
        file: rule.position.origin.to_string(),
        line: rule.position.line,
        matches: text::rule_text(rule),
        log_prefix,
    }
}
