//! Checks that tables fit the maps and are consistent, before anything is changed.
//!
//! The compiler refuses what is too large in the user's terms; this is the last defence behind it.

use hep_common::{
    address::ROOT_LEN,
    endpoint::Interface,
    port::{DESTINATION_LEN, PORTS_PER_BLOCK, SOURCE_LEN},
    rule::{List, MAX_RULES_PER_LIST, RULES_PER_CHUNK},
};

use crate::{compile::RuleTables, datapath::KernelError};

/// Capacities of the maps that are not made to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacities {
    /// Entries of `COUNTERS` and of all pieces of `MORE_COUNTERS`.
    pub(crate) counters: u32,
    /// Slots of all pieces of `RULE_COUNTERS`.
    pub(crate) rule_counters: u32,
}

/// Checks a generation's tables.
pub(crate) fn check(tables: &RuleTables, capacities: Capacities) -> Result<(), KernelError> {
    interfaces(tables, capacities)?;
    lists(tables)?;
    let slots = tables.rules.iter().map(|rule| rule.slot);
    at_most(
        "counter slots of rules",
        slots.max().map_or(0, |slot| slot as usize + 1),
        capacities.rule_counters as usize,
    )?;
    let lengths = [
        (tables.addresses.roots4.len(), ROOT_LEN),
        (tables.addresses.roots6.len(), ROOT_LEN),
        (
            tables.destination_ports.len(),
            DESTINATION_LEN / PORTS_PER_BLOCK,
        ),
        (tables.source_ports.len(), SOURCE_LEN / PORTS_PER_BLOCK),
    ];
    hold(
        lengths
            .iter()
            .all(|(found, wanted)| *found == *wanted as usize),
        "a table of fixed length has another",
    )
}

fn interfaces(tables: &RuleTables, capacities: Capacities) -> Result<(), KernelError> {
    let slots = tables.interfaces.len();
    hold(
        slots.is_power_of_two() && slots - 1 == tables.settings.interface_mask as usize,
        "the interface table's length does not fit its mask",
    )?;
    let used = |interface: &&Interface| interface.ifindex != 0;
    let counters = tables.interfaces.iter().filter(used);
    at_most(
        "counters of interfaces",
        counters
            .map(|interface| interface.counters as usize + 2)
            .max()
            .unwrap_or(0),
        capacities.counters as usize,
    )?;
    let lists = tables.interfaces.iter().filter(used).flat_map(|interface| {
        interface
            .lists
            .as_flattened()
            .iter()
            .flat_map(|lists| [lists.untracked, lists.local, lists.forward, lists.exempt])
    });
    hold(
        lists
            .max()
            .is_none_or(|list| (list as usize) < tables.lists.len()),
        "an interface names a list that does not exist",
    )
}

fn lists(tables: &RuleTables) -> Result<(), KernelError> {
    for list in tables.lists.iter().skip(1) {
        at_most(
            "rules of a list",
            list.rules as usize,
            MAX_RULES_PER_LIST as usize,
        )?;
        hold(
            is_consistent(list, tables.rules.len()),
            "a list's rules or chunks are not there",
        )?;
    }
    Ok(())
}

fn is_consistent(list: &List, rules: usize) -> bool {
    let end = list.first_rule as usize + list.rules as usize;
    list.rules > 0
        && end <= rules
        && list.chunks == list.rules.div_ceil(RULES_PER_CHUNK)
        && list.normal_from < list.rules
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), KernelError> {
    if count > limit {
        return Err(KernelError::Limit { what, count, limit });
    }
    Ok(())
}

fn hold(condition: bool, otherwise: &'static str) -> Result<(), KernelError> {
    if condition {
        Ok(())
    } else {
        Err(KernelError::Contradiction(otherwise))
    }
}

#[cfg(test)]
mod tests {
    use hep_common::{
        address::Run, endpoint::Lists, port::PortClasses, rule::Rule, settings::Settings,
    };

    use super::*;
    use crate::compile::{AddressTables, Lineage, Segments};

    const CAPACITIES: Capacities = Capacities {
        counters: 4,
        rule_counters: 10,
    };

    /// One interface, one list with one rule.
    fn tables() -> RuleTables {
        let lists = Lists {
            local: 1,
            forward: 1,
            ..Lists::default()
        };
        RuleTables {
            interfaces: vec![Interface {
                ifindex: 7,
                counters: 2,
                lists: [[lists; 2]; 2],
                ..Interface::default()
            }],
            lists: vec![
                List::default(),
                List {
                    rules: 1,
                    chunks: 1,
                    ..List::default()
                },
            ],
            rules: vec![Rule {
                slot: 9,
                ..Rule::default()
            }],
            index: Vec::new(),
            rows: Segments::default(),
            addresses: AddressTables {
                roots4: vec![Run::default(); 65_536].into(),
                roots6: vec![Run::default(); 65_536].into(),
                ..AddressTables::default()
            },
            lineage: Lineage::default(),
            destination_ports: vec![PortClasses::default(); 10_248].into(),
            source_ports: vec![PortClasses::default(); 6_144].into(),
            named_ports: Vec::new(),
            settings: Settings::default(),
        }
    }

    #[test]
    fn tables_that_fit_pass() {
        check(&tables(), CAPACITIES).expect("fits");
    }

    #[test]
    fn every_misfit_is_refused_by_name() {
        type Spoil = fn(&mut RuleTables);
        let rows: [(&str, Spoil, &str); 9] = [
            (
                "mask",
                |tables| tables.settings.interface_mask = 1,
                "interface table's length",
            ),
            (
                "interface counters",
                |tables| tables.interfaces[0].counters = 3,
                "counters of interfaces: 5, and at most 4 fit",
            ),
            (
                "rule slots",
                |tables| tables.rules[0].slot = 10,
                "counter slots of rules: 11, and at most 10 fit",
            ),
            (
                "list number",
                |tables| tables.interfaces[0].lists[1][1].forward = 2,
                "names a list",
            ),
            (
                "empty list",
                |tables| tables.lists[1].rules = 0,
                "rules or chunks",
            ),
            (
                "normal rules beyond the list",
                |tables| tables.lists[1].normal_from = 1,
                "rules or chunks",
            ),
            (
                "rules beyond the table",
                |tables| tables.lists[1].first_rule = 1,
                "rules or chunks",
            ),
            (
                "rules beyond the limit",
                |tables| tables.lists[1].rules = MAX_RULES_PER_LIST + 1,
                "rules of a list: 16385, and at most 16384 fit",
            ),
            (
                "roots",
                |tables| tables.addresses.roots6 = vec![Run::default()].into(),
                "fixed length",
            ),
        ];
        for (name, spoil, message) in rows {
            let mut tables = tables();
            spoil(&mut tables);
            let error = check(&tables, CAPACITIES).expect_err(name);
            assert!(error.to_string().contains(message), "{name}: {error}");
        }
    }
}
