//! The whole of a generation, put together.

use std::time::Duration;

use hep_common::{
    endpoint,
    rule::List,
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
    interfaces::{binding::bind, newcomers::Newcomers, table::interface_table},
    lineage::Memory,
    lists::{
        flatten::Flattener,
        rows::Rows,
        table::{ListTable, endpoints_of},
    },
    tables::RuleTables,
};
use crate::model::{FelixConfiguration, Interface, LogRate, ReversePath, Snapshot};

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
    /// Accept neighbour discovery and multicast listener traffic without policy (EV-172).
    pub nd_exempt: bool,
    /// Of these, accept router advertisements.
    pub ra_exempt: bool,
    /// Judge established flows again when the generation changed (EV-160).
    pub revalidate: bool,
    /// The skb mark bit that exempts a forwarded packet accepted untracked; 0: none (EV-080).
    pub bypass_mark: u32,
    /// Report denied packets.
    pub deny_events: bool,
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
    compile_from(snapshot, node, interfaces, options, previous, None)
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
    let slots = &former.description.slots;
    let lineage = &former.tables.lineage;
    compile_from(snapshot, node, interfaces, options, slots, Some(lineage))
}

fn compile_from(
    snapshot: &Snapshot,
    node: &str,
    interfaces: &[Interface],
    options: &Options,
    previous: &Slots,
    former: Option<&Lineage>,
) -> Result<Generation, CompileError> {
    let binding = bind(snapshot, node, interfaces);
    let max_interfaces = snapshot.felix.max_interfaces;
    if binding.bound.len() > max_interfaces as usize {
        return Err(CompileError::TooManyInterfaces {
            interfaces: binding.bound.len(),
            limit: max_interfaces as usize,
        });
    }

    let endpoints = endpoints_of(snapshot, &binding);
    let memory = former.and_then(Lineage::memory);
    let mut flattener = Flattener::new(
        snapshot,
        memory.map(|memory| (&memory.unions, &memory.blocks)),
    );
    let guards_workloads = !snapshot.felix.interface_prefixes.is_empty();
    let lists = ListTable::new(&mut flattener, &binding, &endpoints, guards_workloads)?;
    let Flattener {
        matcher,
        rules,
        blocks,
        ..
    } = flattener;
    matcher
        .objects
        .check_members(snapshot.felix.max_set_members)?;

    let names: Vec<&str> = binding
        .bound
        .iter()
        .map(|bound| &*bound.interface.name)
        .collect();
    let (slots, slot_of) = previous.renew(&rules.identities(), &names, max_interfaces)?;

    let classes = Classes::new(&matcher, memory)?;
    let mut rows = Rows::default();
    let mut list_entries = vec![List::default()];
    let mut rule_entries = Vec::new();
    for list in &lists.lists {
        list_entries.push(classes.list(list, &slot_of, &mut rows, &mut rule_entries)?);
    }
    let (index, rows) = rows.finish();
    let mut settings = settings(&snapshot.felix, options, matcher.named_ports.is_used());
    if lists.has_untracked() {
        // Else the bit is whoever's it is (EV-080).
        settings.bypass_mark = options.bypass_mark;
    }
    let newcomers = Newcomers::new(snapshot, node, &binding, &lists, &settings);
    let entries = binding.bound.iter().map(|bound| {
        let counters = 2 * slots.interfaces.taken[&*bound.interface.name];
        newcomers
            .entry(bound, counters)
            .expect("every local endpoint has lists")
    });
    let entries: Vec<endpoint::Interface> = entries.collect();
    let interface_slots = interface_table(&entries)?;
    settings.interface_mask = u32::try_from(interface_slots.len() - 1).expect("at most 2^20 slots");

    let description = Description {
        inputs: String::new(),
        generation: 0,
        applied_unix_ms: 0,
        policy: 0,
        node: node.to_owned(),
        endpoints: summary::endpoint_descriptions(snapshot, &binding, &endpoints),
        interfaces: summary::interface_descriptions(
            &binding,
            entries.iter().map(|entry| entry.counters),
        ),
        lists: lists.describe(&binding, &slot_of),
        rules: rules.describe(&slot_of),
        sets: matcher.objects.describe(),
        failsafe_inbound: summary::failsafes(&snapshot.felix.failsafe_inbound),
        failsafe_outbound: summary::failsafes(&snapshot.felix.failsafe_outbound),
        resources: summary::resources(snapshot),
        classes: classes.counts(),
        slots,
    };
    Ok(Generation {
        tables: RuleTables {
            interfaces: interface_slots,
            lists: list_entries,
            rules: rule_entries,
            index,
            rows,
            addresses: AddressTables::of(&classes.v4.layout, &classes.v6.layout),
            lineage: Lineage::after(
                former,
                Memory {
                    v4: classes.v4,
                    v6: classes.v6,
                    unions: matcher.objects.unions,
                    blocks,
                },
            ),
            destination_ports: classes.destination_table,
            source_ports: classes.source_table,
            named_ports: classes.named_port_table,
            settings,
        },
        description,
        newcomers,
    })
}

/// The settings, but for the size of the interface table, the bypass mark, and since when the rules are the
/// same.
fn settings(felix: &FelixConfiguration, options: &Options, named_ports: bool) -> Settings {
    let flags = [
        (options.nd_exempt, FLAG_ND_EXEMPT),
        (options.ra_exempt, FLAG_RA_EXEMPT),
        (options.revalidate, FLAG_REVALIDATE),
        (options.deny_events, FLAG_DENY_EVENTS),
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
