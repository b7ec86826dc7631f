//! The tables of a generation as the bytes of the maps they fill.

use std::borrow::Cow;

use aya::Pod;
use hep_common::named_port::{NamedPortClass, NamedPortKey};

use super::{
    names,
    sys::{bytes_of, value_of},
};
use crate::compile::{Description, RuleTables};

/// Bytes of one page of the description.
pub(super) const PAGE_BYTES: usize = 4096;
/// Bytes before the JSON text, which hold its length.
const LENGTH_BYTES: usize = 8;

/// One table and the outer map it belongs to.
pub(super) struct Table<'a> {
    pub(super) map: &'static str,
    pub(super) content: Content<'a>,
}

/// What a table holds.
pub(super) enum Content<'a> {
    /// The values of an array, one after the other; never empty.
    Array {
        values: Cow<'a, [u8]>,
        value_bytes: usize,
    },
    /// The entries of a hash; may be empty.
    NamedPorts(&'a [(NamedPortKey, NamedPortClass)]),
}

impl Content<'_> {
    /// Entries of the inner map that holds this: at least one, since no map is empty.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Array {
                values,
                value_bytes,
            } => values.len() / value_bytes,
            Self::NamedPorts(entries) => entries.len().max(1),
        }
    }

    /// Bytes of keys and values, as the map stores them.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Array { value_bytes, .. } => {
                self.entries() * super::sys_mmap::stride(*value_bytes)
            }
            Self::NamedPorts(_) => {
                self.entries() * (size_of::<NamedPortKey>() + size_of::<NamedPortClass>())
            }
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
            values,
            value_bytes: size_of::<T>(),
        },
    }
}

/// Every table that the programs read; the largest ones first, since they take longest to fill.
pub(super) fn of(tables: &RuleTables) -> Vec<Table<'_>> {
    let mut all = vec![
        array(names::IFACES, &tables.interfaces),
        array(names::LISTS, &tables.lists),
        array(names::RULES, &tables.rules),
        array(names::INDEX, &tables.index),
        array(names::ROWS, &tables.rows),
        array(names::ROOTS4, &tables.roots4),
        array(names::RANGES4, &tables.ranges4),
        array(names::ROOTS6, &tables.roots6),
        array(names::RANGES6_TOP, &tables.ranges6_top),
        array(names::RANGES6_MID, &tables.ranges6_mid),
        array(names::RANGES6_LOW, &tables.ranges6_low),
        array(names::DPORTS, &tables.destination_ports),
        array(names::SPORTS, &tables.source_ports),
        Table {
            map: names::NAMED_PORTS,
            content: Content::NamedPorts(&tables.named_ports),
        },
    ];
    all.sort_by_key(|table| std::cmp::Reverse(table.content.bytes()));
    all
}

/// The description as pages: the length of the text, the text, zeros.
pub(super) fn description(description: &Description) -> serde_json::Result<Table<'static>> {
    let mut pages = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut pages, description)?;
    let length = (pages.len() - LENGTH_BYTES) as u64;
    pages[..LENGTH_BYTES].copy_from_slice(&length.to_ne_bytes());
    pages.resize(pages.len().next_multiple_of(PAGE_BYTES), 0);
    Ok(Table {
        map: names::DESCRIPTION,
        content: Content::Array {
            values: Cow::Owned(pages),
            value_bytes: PAGE_BYTES,
        },
    })
}

/// The JSON text in the pages of a description; `None` if the length in front of it is wrong.
pub(super) fn description_text(pages: &[u8]) -> Option<&[u8]> {
    let length = usize::try_from(value_of::<u64>(pages)?).ok()?;
    pages.get(LENGTH_BYTES..LENGTH_BYTES.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_comes_back_from_its_pages() {
        let mut written = Description {
            node: "a".repeat(3 * PAGE_BYTES),
            ..Description::default()
        };
        written.slots.rules.taken.insert("rule".to_owned(), 7);

        let table = description(&written).expect("serialises");
        let Content::Array { values, .. } = &table.content else {
            panic!("a description is an array");
        };

        assert_eq!(values.len() % PAGE_BYTES, 0);
        let text = description_text(values).expect("has its length");
        assert_eq!(
            serde_json::from_slice::<Description>(text).ok(),
            Some(written)
        );
    }

    #[test]
    fn a_wrong_length_is_no_text() {
        let mut pages = vec![0; PAGE_BYTES];
        pages[..8].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert_eq!(description_text(&pages), None);
        assert_eq!(description_text(&[]), None);
    }
}
