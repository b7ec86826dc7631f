//! Rules of policies and profiles with their predicates in one family, from generation to generation.

use std::sync::Arc;

use hep_common::Family;
use rustc_hash::FxHashMap;

use super::{
    blocks::Block,
    builder::Template,
    expand::{Matcher, SelectedSet},
    rules::Rules,
};

/// The rules of a block in a family.
#[derive(Debug)]
struct Expanded {
    _block: Arc<Block>,
    templates: Arc<[Template]>,
    /// The sets that its selectors stood for.
    selected: Vec<SelectedSet>,
    /// The generation that used it last.
    used: u64,
}

/// The rules of all blocks in either family. They refer to predicates and rules by numbers that last.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    /// By the address of the block, which is kept.
    all: FxHashMap<(usize, Family), Expanded>,
    generation: u64,
}

impl Templates {
    /// Begins a generation.
    pub(crate) fn begin(&mut self) {
        self.generation += 1;
    }

    /// Forgets the blocks that the generation does not use.
    pub(crate) fn finish(&mut self) {
        let generation = self.generation;
        self.all.retain(|_, expanded| expanded.used == generation);
    }

    /// The rules of a block in a family: those of earlier generations if its selectors stand for the same
    /// sets, and it has no named ports, which depend on endpoints.
    pub(crate) fn of(
        &mut self,
        block: Arc<Block>,
        family: Family,
        matcher: &mut Matcher<'_>,
        rules: &mut Rules,
    ) -> Arc<[Template]> {
        let key = (Arc::as_ptr(&block).addr(), family);
        let known = self.all.get_mut(&key);
        if let Some(known) = known.as_ref().filter(|known| known.used == self.generation) {
            return Arc::clone(&known.templates);
        }
        let selecting = block.rules.iter();
        let selecting = selecting.filter(|rule| rule.conditions.has_selectors());
        let selected: Vec<SelectedSet> = selecting
            .flat_map(|rule| matcher.selected(&rule.conditions, family))
            .collect();
        if let Some(known) = known
            && known.selected == selected
            && !block.names_ports()
        {
            known.used = self.generation;
            return Arc::clone(&known.templates);
        }
        let mut templates = Vec::with_capacity(block.rules.len());
        for (rule, written) in block.rules.iter().zip(block.source()) {
            let id = rules.add(&rule.text);
            let matches = matcher.rule(written, &rule.conditions, family);
            templates.extend(matches.into_iter().map(|matches| Template {
                matches,
                action: rule.action,
                rule: id,
            }));
        }
        let templates: Arc<[Template]> = templates.into();
        let expanded = Expanded {
            _block: block,
            templates: Arc::clone(&templates),
            selected,
            used: self.generation,
        };
        self.all.insert(key, expanded);
        templates
    }
}
