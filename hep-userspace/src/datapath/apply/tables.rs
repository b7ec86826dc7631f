//! The tables of a generation as the bytes of the maps they fill.

use std::{borrow::Cow, sync::Arc};

use aya::Pod;
use hep_common::{
    Family,
    address::{Ranges4, Ranges6Low, Ranges6Mid, Ranges6Top},
    endpoint::{Interface, QUICK_INTERFACES, quick_place},
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{List, Page, Row, Rule, WORDS_PER_LIST, WORDS_PER_PAGE},
};

use crate::{
    compile::{AddressTables, Lineage, RuleTables, Segments, with_room},
    datapath::{object::names, sys::bpf::bytes_of},
};

/// One table and the outer map it belongs to.
pub(crate) struct Table<'a> {
    pub(crate) map: &'static str,
    pub(crate) content: Content<'a>,
    /// The map in force may be changed into this table: it differs only where no packet reads.
    pub(crate) in_place: bool,
    /// The parts that are known are so of the map in the idle slot, or of the idle half.
    pub(crate) in_idle: bool,
}

/// Bytes that are compared and written faster than a thread begins.
const FEW_BYTES: usize = 1 << 18;

impl Table<'_> {
    /// Whether so little of it may be new that it needs no thread of its own.
    pub(crate) fn is_quick(&self) -> bool {
        let Content::Array { parts, .. } = &self.content else {
            return self.content.bytes() <= FEW_BYTES;
        };
        let may_be_new = |part: &&Part<'_>| !(part.is_known && (self.in_place || self.in_idle));
        let bytes = parts.iter().filter(may_be_new);
        bytes.map(|part| part.values.len()).sum::<usize>() <= FEW_BYTES
    }
}

/// Content of a table.
pub(crate) enum Content<'a> {
    /// The values of an array, one after the other; never empty.
    Array {
        parts: Vec<Part<'a>>,
        value_bytes: usize,
    },
    /// The entries of a hash; may be empty.
    NamedPorts(&'a [(NamedPortKey, NamedPortClass)]),
}

/// Some values of an array.
pub(crate) struct Part<'a> {
    pub(crate) values: Cow<'a, [u8]>,
    /// The map that is changed has exactly these, wherever a packet may read.
    pub(crate) is_known: bool,
}

impl Content<'_> {
    /// Entries of the inner map that holds this: at least one, since no map is empty.
    pub(crate) fn entries(&self) -> usize {
        match self {
            Self::Array { parts, value_bytes } => {
                let bytes = parts.iter().map(|part| part.values.len());
                bytes.sum::<usize>() / value_bytes
            }
            Self::NamedPorts(entries) => entries.len().max(1),
        }
    }

    /// Bytes of keys and values, as the map stores them.
    pub(crate) fn bytes(&self) -> usize {
        self.entries() * self.entry_bytes()
    }

    /// Bytes of one entry, as the map stores it.
    pub(crate) const fn entry_bytes(&self) -> usize {
        match self {
            Self::Array { value_bytes, .. } => crate::datapath::sys::mmap::stride(*value_bytes),
            Self::NamedPorts(_) => size_of::<NamedPortKey>() + size_of::<NamedPortClass>(),
        }
    }
}

fn array<'a, T: Pod>(map: &'static str, values: &'a [T]) -> Table<'a> {
    let values = if values.is_empty() {
        Cow::Owned(vec![0; size_of::<T>()])
    } else {
        Cow::Borrowed(bytes_of(values))
    };
    Table {
        map,
        content: Content::Array {
            parts: vec![Part {
                values,
                is_known: false,
            }],
            value_bytes: size_of::<T>(),
        },
        in_place: false,
        in_idle: false,
    }
}

/// The interfaces by place; if several share a place, the one with the lowest index has it.
fn quick_interfaces(all: &[Interface]) -> Table<'static> {
    let mut quick = vec![Interface::default(); QUICK_INTERFACES as usize];
    for interface in all {
        let place = &mut quick[quick_place(interface.ifindex) as usize];
        if interface.ifindex != 0 && (place.ifindex == 0 || interface.ifindex < place.ifindex) {
            *place = *interface;
        }
    }
    let mut table = array(names::QUICK_IFACES, &[] as &[Interface]);
    table.content = Content::Array {
        parts: vec![Part {
            values: Cow::Owned(bytes_of(&quick).to_vec()),
            is_known: false,
        }],
        value_bytes: size_of::<Interface>(),
    };
    table
}

/// Lists, rules and index in one table: see [`hep_common::rule`].
fn policy(tables: &RuleTables) -> Table<'static> {
    let place = |number: usize| u32::try_from(number).expect("less than MAX_INDEX and the lists");
    let first_rule = place(tables.lists.len()) * WORDS_PER_LIST;
    let index = first_rule + place(tables.rules.len());
    let mut words = Vec::with_capacity(index as usize + tables.index.len());
    for list in &tables.lists {
        let placed = List {
            first_rule: first_rule + list.first_rule,
            rows: list.rows.map(|row| index + row),
            ..*list
        };
        words.extend(placed.words());
    }
    words.extend(tables.rules.iter().map(Rule::word));
    words.extend(&tables.index);
    let pages = words.len().div_ceil(WORDS_PER_PAGE as usize);
    words.resize(with_room(pages) * WORDS_PER_PAGE as usize, 0);
    Table {
        map: names::POLICY,
        content: Content::Array {
            parts: vec![Part {
                values: Cow::Owned(bytes_of(&words).to_vec()),
                is_known: false,
            }],
            value_bytes: size_of::<Page>(),
        },
        in_place: false,
        in_idle: false,
    }
}

/// A table whose map has values of type `V`; it may be changed in place if `former` is as long.
fn segments<'a, V, T: Pod>(
    map: &'static str,
    table: &'a Segments<T>,
    former: Option<&Segments<T>>,
) -> Table<'a> {
    let former = former.filter(|former| former.len() == table.len());
    let mut known = former.into_iter().flat_map(Segments::segments);
    let mut parts: Vec<Part<'_>> = table
        .segments()
        .map(|piece| Part {
            values: Cow::Borrowed(bytes_of(piece)),
            is_known: known.next().is_some_and(|known| Arc::ptr_eq(known, piece)),
        })
        .collect();
    if parts.is_empty() {
        parts.push(Part {
            values: Cow::Owned(vec![0; size_of::<V>()]),
            is_known: false,
        });
    }
    Table {
        map,
        content: Content::Array {
            parts,
            value_bytes: size_of::<V>(),
        },
        in_place: former.is_some(),
        in_idle: false,
    }
}

/// A table in the halves of an array; `former` is the one in force, which both halves have.
fn half<'a, T: Pod>(
    map: &'static str,
    table: &'a Segments<T>,
    former: Option<&Segments<T>>,
) -> Table<'a> {
    let in_place = segments::<T, _>(map, table, former);
    Table {
        in_place: false,
        in_idle: true,
        ..in_place
    }
}

/// The tables in force, if this process put them there.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    lineage: Lineage,
    addresses: AddressTables,
    rows: Segments<Row>,
    destination_ports: Segments<PortClasses>,
    source_ports: Segments<PortClasses>,
}

impl From<&RuleTables> for InForce {
    fn from(tables: &RuleTables) -> Self {
        Self {
            lineage: tables.lineage.clone(),
            addresses: tables.addresses.clone(),
            rows: tables.rows.clone(),
            destination_ports: tables.destination_ports.clone(),
            source_ports: tables.source_ports.clone(),
        }
    }
}

/// The tables of address classes.
fn addresses<'a>(tables: &'a RuleTables, in_force: Option<&InForce>) -> [Table<'a>; 6] {
    let addresses = &tables.addresses;
    let former = |family: Family| {
        in_force
            .filter(|former| tables.lineage.continues(&former.lineage, family))
            .map(|former| &former.addresses)
    };
    let [v4, v6] = [former(Family::V4), former(Family::V6)];
    [
        half(
            names::ROOTS4,
            &addresses.roots4,
            in_force.map(|former| &former.addresses.roots4),
        ),
        segments::<Ranges4, _>(
            names::RANGES4,
            &addresses.ranges4,
            v4.map(|former| &former.ranges4),
        ),
        half(
            names::ROOTS6,
            &addresses.roots6,
            in_force.map(|former| &former.addresses.roots6),
        ),
        segments::<Ranges6Top, _>(
            names::RANGES6_TOP,
            &addresses.ranges6_top,
            v6.map(|former| &former.ranges6_top),
        ),
        segments::<Ranges6Mid, _>(
            names::RANGES6_MID,
            &addresses.ranges6_mid,
            v6.map(|former| &former.ranges6_mid),
        ),
        segments::<Ranges6Low, _>(
            names::RANGES6_LOW,
            &addresses.ranges6_low,
            v6.map(|former| &former.ranges6_low),
        ),
    ]
}

/// Every table that the programs read; the largest ones first, since they take longest to fill.
pub(crate) fn of<'a>(tables: &'a RuleTables, in_force: Option<&InForce>) -> Vec<Table<'a>> {
    let rows = in_force.filter(|former| tables.lineage.continues_rows(&former.lineage));
    let rows = rows.map(|former| &former.rows);
    let mut all = vec![
        array(names::IFACES, &tables.interfaces),
        quick_interfaces(&tables.interfaces),
        policy(tables),
        segments::<Row, _>(names::ROWS, &tables.rows, rows),
        half(
            names::DPORTS,
            &tables.destination_ports,
            in_force.map(|former| &former.destination_ports),
        ),
        half(
            names::SPORTS,
            &tables.source_ports,
            in_force.map(|former| &former.source_ports),
        ),
        Table {
            map: names::NAMED_PORTS,
            content: Content::NamedPorts(&tables.named_ports),
            in_place: false,
            in_idle: false,
        },
    ];
    all.extend(addresses(tables, in_force));
    all.sort_by_key(|table| std::cmp::Reverse(table.content.bytes()));
    all
}
