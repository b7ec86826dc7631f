//! The whole of a generation, put together.

use std::{sync::Arc, time::Duration};

use hep_common::{
    endpoint,
    rule::{List, Rule},
    settings::{
        FLAG_ALLOW_INVALID, FLAG_ANY_ICMP, FLAG_DENY_EVENTS, FLAG_NAMED_PORTS, FLAG_ND_EXEMPT,
        FLAG_NO_IPV6, FLAG_RA_EXEMPT, FLAG_REVALIDATE, FLAG_RPF_LOOSE, FLAG_RPF_STRICT, Settings,
        Timeouts,
    },
};

use super::{
    AddressTables, CompileError, Lineage, Slots,
    classes::fields::Classes,
    description::{shape::Description, summary},
    interfaces::{
        binding::{Binding, bind},
        newcomers::Newcomers,
        table::interface_table,
    },
    lineage::{Cache, Memory},
    lists::{
        flatten::Flattener,
        known_lists::KnownLists,
        rows::RowTables,
        table::{ListTable, LocalEndpoint, endpoints_of, owners},
    },
    sets::selected::AllUnions,
    tables::RuleTables,
};
use crate::model::{Behaviour, FelixConfiguration, Interface, LogRate, ReversePath, Snapshot};

/// Everything that one generation puts into the kernel.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The tables, for the programs.
    pub tables: RuleTables,
    /// Names for the numbers, for commands.
    pub description: Description,
    /// Rules for interfaces that appear while this generation is in force.
    pub newcomers: Newcomers,
}

/// The operator's options outside the resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How packets and flows are treated beyond the policy.
    pub behaviour: Behaviour,
    /// Judge ICMP messages of any type but errors and redirects by policy, without a flow too (EV-171).
    pub any_icmp: bool,
    /// Life of a fragmented packet's stored verdict.
    pub fragment_timeout: Duration,
    /// Idle times of flows; those that follow the kernel's are resolved.
    pub timeouts: Timeouts,
}

/// Rate and burst of `Log` rules when none is configured (EV-135).
const DEFAULT_LOG_RATE: (LogRate, u32) = (
    LogRate {
        records: 100,
        period_s: 1,
    },
    200,
);

/// Compiles a snapshot for the host `node` with these `interfaces`. `previous` are the slots of the
/// generation before; rules that stay keep theirs.
///
/// # Errors
///
/// [`CompileError`] if the snapshot exceeds a limit. Nothing is truncated.
pub fn compile(
    snapshot: &Snapshot,
    node: &str,
    interfaces: &[Interface],
    options: &Options,
    previous: &Slots,
) -> Result<Generation, CompileError> {
    let compiler = Compiler {
        snapshot,
        node,
        interfaces,
        options,
    };
    compiler.compile(previous, None)
}

/// Compiles a snapshot after `former`, the previous generation: as much of its tables as possible stays
/// unchanged, so that little has to be written where it is in force.
///
/// # Errors
///
/// [`CompileError`] if a limit is exceeded.
pub fn compile_after(
    snapshot: &Snapshot,
    node: &str,
    interfaces: &[Interface],
    options: &Options,
    former: &Generation,
) -> Result<Generation, CompileError> {
    let compiler = Compiler {
        snapshot,
        node,
        interfaces,
        options,
    };
    compiler.compile(&former.description.slots, Some(&former.tables.lineage))
}

/// Everything that a generation depends on, besides the one before.
struct Compiler<'s> {
    snapshot: &'s Snapshot,
    node: &'s str,
    interfaces: &'s [Interface],
    options: &'s Options,
}

/// The rules of a generation in the shape of the maps.
struct Compiled {
    classes: Classes,
    lists: Vec<List>,
    rules: Vec<Rule>,
    rows: RowTables,
}

impl Compiler<'_> {
    fn compile(
        &self,
        previous: &Slots,
        former: Option<&Lineage>,
    ) -> Result<Generation, CompileError> {
        let Self { snapshot, .. } = *self;
        let binding = bind(snapshot, self.node, self.interfaces);
        let bound = binding.bound.iter();
        let names: Vec<&Arc<str>> = bound.map(|bound| &bound.interface.name).collect();
        let limit = snapshot.felix.max_interfaces;
        check_interfaces(names.len(), limit as usize)?;
        let endpoints = endpoints_of(snapshot, &binding);
        let mut cache = former.map_or_else(Box::default, Lineage::cache);
        let memory = former.and_then(Lineage::memory);
        let mut flattener = Flattener::new(
            snapshot,
            std::mem::take(&mut cache.flattened),
            memory.map(|memory| &memory.unions),
        );
        let lists = self.lists(&mut flattener, &binding, &endpoints, &mut cache.lists)?;
        let objects = &flattener.matcher.objects;
        objects.check_members(snapshot.felix.max_set_members)?;
        let claims = flattener.rules.claims(&previous.rules);
        let (slots, given) = previous.renew(claims, &names, limit)?;
        flattener.rules.give(&slots.rules, &given);
        let compiled = tables(&flattener, &lists, &mut cache, memory)?;

        let named_ports = flattener.matcher.named_ports.is_used();
        let mut settings = settings(&snapshot.felix, self.options, named_ports);
        if lists.has_untracked() {
            // Else the bit is whoever's it is (EV-080).
            settings.bypass_mark = self.options.behaviour.bypass_mark;
        }
        let newcomers = Newcomers::new(snapshot, self.node, &binding, &lists, &settings);
        let entries = entries(&binding, &newcomers, &slots);
        let interfaces = interface_table(&entries)?;
        settings.interface_mask = u32::try_from(interfaces.len() - 1).expect("at most 2^20 slots");
        let counters = entries.iter().map(|entry| entry.counters);
        let description = Description {
            endpoints: summary::endpoint_descriptions(snapshot, &binding, &endpoints),
            interfaces: summary::interface_descriptions(&binding, counters),
            lists: lists.describe(&binding, flattener.rules.slot_of()),
            rules: flattener.rules.describe(),
            sets: flattener.matcher.objects.describe(),
            classes: compiled.classes.counts(),
            slots,
            ..self.described()
        };
        let (unions, flattened) = flattener.leave();
        cache.flattened = flattened;
        let tables = compiled.finish(interfaces, settings, unions, cache, former);
        Ok(Generation {
            tables,
            description,
            newcomers,
        })
    }

    /// The lists: those of the last compilation if this one differs in the members of sets alone.
    fn lists<'s>(
        &self,
        flattener: &mut Flattener<'s>,
        binding: &Binding<'s>,
        endpoints: &[LocalEndpoint<'s>],
        last: &mut Option<KnownLists>,
    ) -> Result<ListTable, CompileError> {
        let Self { snapshot, node, .. } = *self;
        let owners = owners(binding, endpoints);
        if let Some(known) = last
            && known.are_of(snapshot, (node, &owners), &mut flattener.matcher)
        {
            return Ok(known.table.clone());
        }
        let guards_workloads = !snapshot.felix.interface_prefixes.is_empty();
        let table = ListTable::new(flattener, binding, endpoints, &owners, guards_workloads)?;
        flattener.finish(&table.lists);
        *last = KnownLists::new(snapshot, (node, owners), &mut flattener.matcher, &table);
        Ok(table)
    }

    /// The parts of a description that are as in the snapshot.
    fn described(&self) -> Description {
        let felix = &self.snapshot.felix;
        Description {
            node: self.node.to_owned(),
            failsafe_inbound: summary::failsafes(&felix.failsafe_inbound),
            failsafe_outbound: summary::failsafes(&felix.failsafe_outbound),
            resources: summary::resources(self.snapshot),
            ..Description::default()
        }
    }
}

/// Checks how many interfaces are policed (`bpfMapSizeIfState`).
const fn check_interfaces(interfaces: usize, limit: usize) -> Result<(), CompileError> {
    if interfaces > limit {
        return Err(CompileError::TooManyInterfaces { interfaces, limit });
    }
    Ok(())
}

/// The entries of the interfaces that have programs.
fn entries(
    binding: &Binding<'_>,
    newcomers: &Newcomers,
    slots: &Slots,
) -> Vec<endpoint::Interface> {
    let bound = binding.bound.iter();
    let entries = bound.map(|bound| {
        let counters = 2 * slots.interfaces.taken[&*bound.interface.name];
        newcomers
            .entry(bound, counters)
            .expect("every local endpoint has lists")
    });
    entries.collect()
}

/// The classes that the lists of a generation use, and their rules and rows in terms of these.
fn tables(
    flattener: &Flattener<'_>,
    lists: &ListTable,
    cache: &mut Cache,
    memory: Option<&Memory>,
) -> Result<Compiled, CompileError> {
    let addresses = memory.map(|memory| (&memory.v4, &memory.v6));
    let classes = Classes::new(&flattener.matcher, &mut cache.ports, addresses)?;
    let rows = &mut cache.rows;
    let mut entries = vec![List::default()];
    let mut rules = Vec::new();
    for (place, list) in lists.lists.iter().enumerate() {
        let slot_of = flattener.rules.slot_of();
        entries.push(classes.list(place, list, slot_of, rows, &mut rules)?);
    }
    let rows = rows.finish(lists.lists.len());
    Ok(Compiled {
        classes,
        lists: entries,
        rules,
        rows,
    })
}

impl Compiled {
    /// The tables, with what the next generation is made from.
    fn finish(
        self,
        interfaces: Vec<endpoint::Interface>,
        settings: Settings,
        unions: AllUnions,
        cache: Box<Cache>,
        former: Option<&Lineage>,
    ) -> RuleTables {
        let Classes {
            v4,
            v6,
            destination_table,
            source_table,
            named_port_table,
            ..
        } = self.classes;
        let RowTables {
            index,
            rows,
            origin,
            count,
        } = self.rows;
        RuleTables {
            interfaces,
            lists: self.lists,
            rules: self.rules,
            index,
            rows,
            addresses: AddressTables::of(&v4.layout, &v6.layout),
            lineage: Lineage::after(former, Memory { v4, v6, unions }, cache, (origin, count)),
            destination_ports: destination_table,
            source_ports: source_table,
            named_ports: named_port_table,
            settings,
        }
    }
}

/// The settings, but for the size of the interface table, the bypass mark, and since when the rules are the
/// same.
fn settings(felix: &FelixConfiguration, options: &Options, named_ports: bool) -> Settings {
    let behaviour = options.behaviour;
    let flags = [
        (behaviour.nd_exempt, FLAG_ND_EXEMPT),
        (behaviour.ra_exempt, FLAG_RA_EXEMPT),
        (behaviour.revalidate, FLAG_REVALIDATE),
        (behaviour.deny_events, FLAG_DENY_EVENTS),
        (felix.allow_invalid, FLAG_ALLOW_INVALID),
        (options.any_icmp, FLAG_ANY_ICMP),
        (!felix.ipv6_support, FLAG_NO_IPV6),
        (felix.reverse_path == ReversePath::Loose, FLAG_RPF_LOOSE),
        (felix.reverse_path == ReversePath::Strict, FLAG_RPF_STRICT),
        (named_ports, FLAG_NAMED_PORTS),
    ];
    let (log_rate, log_burst) = log_limit(felix);
    Settings {
        flags: flags
            .iter()
            .filter(|(on, _)| *on)
            .fold(0, |flags, (_, flag)| flags | flag),
        interface_mask: 0,
        bypass_mark: 0,
        same_since: 0,
        log_rate: log_rate.records,
        log_burst,
        log_period_s: log_rate.period_s,
        reserved: 0,
        fragment_timeout_ns: u64::try_from(options.fragment_timeout.as_nanos()).unwrap_or(u64::MAX),
        timeouts: options.timeouts,
    }
}

/// Rate and burst, which is at least 1.
fn log_limit(felix: &FelixConfiguration) -> (LogRate, u32) {
    felix
        .log_rate
        .map_or(DEFAULT_LOG_RATE, |rate| (rate, felix.log_burst.max(1)))
}
