//! The description as the pages of its map: JSON in chunks, of which a load makes and writes those that
//! changed. Spaces fill the rest of a chunk's pages, so that a slightly longer text moves no other chunk.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    tables::{Content, Part, Table},
    text_head::Head,
};
use crate::{
    compile::{Description, ListDescription, Numbers, RuleDescription},
    datapath::{
        object::{embedded::DESCRIPTION_PAGE, names},
        sys::bpf::value_of,
    },
};

const PAGE_BYTES: usize = DESCRIPTION_PAGE as usize;
/// Bytes before the JSON text, which hold its length.
const LENGTH_BYTES: usize = 8;
/// Counter slots whose rules are in one chunk.
const SLOTS_PER_CHUNK: u32 = 64;

/// The text of a description. A copy shares all chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// Everything but lists, rules and slots.
    head: Arc<[u8]>,
    /// The lists, and their text.
    lists: (Vec<ListDescription>, Arc<[u8]>),
    rules: RuleChunks,
    /// Names of rules with their slots.
    taken: NameChunks,
    /// The rest of the slots.
    tail: Arc<[u8]>,
}

/// The chunks of all items of a collection.
#[derive(Clone, Debug)]
struct Chunks<A, T> {
    all: Arc<A>,
    chunks: Arc<Vec<Chunk<T>>>,
}

impl<A: Default, T> Default for Chunks<A, T> {
    fn default() -> Self {
        Self {
            all: Arc::default(),
            chunks: Arc::default(),
        }
    }
}

/// Rules in chunks.
type RuleChunks = Chunks<Vec<Arc<RuleDescription>>, Arc<RuleDescription>>;
/// Names of slots in chunks.
type NameChunks = Chunks<BTreeMap<Arc<str>, u32>, (Arc<str>, u32)>;

/// Some items, and their text as whole pages.
#[derive(Clone, Debug)]
struct Chunk<T> {
    items: Vec<T>,
    /// Whether a comma is in front of it.
    is_first: bool,
    pages: Arc<[u8]>,
}

/// The numbers of rules but who has them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tail<'a> {
    unused_from: u32,
    freed: &'a [u32],
    reused: &'a [u32],
}

impl Text {
    /// The text of a description; chunks that are as in `former` are shared with it.
    pub(crate) fn new(description: &Description, former: &Self) -> serde_json::Result<Self> {
        let Numbers {
            taken,
            unused_from,
            freed,
            reused,
        } = &description.slots.rules;
        let tail = Tail {
            unused_from: *unused_from,
            freed,
            reused,
        };
        let mut text = Self {
            head: before(&Head::of(description), former.head.len())?,
            lists: lists(&description.lists, &former.lists)?,
            rules: rules(&description.rules, &former.rules)?,
            taken: names(taken, &former.taken)?,
            tail: after(&tail, &description.slots.interfaces, former.tail.len())?,
        };
        let bytes: usize = text.parts().map(|part| part.len()).sum();
        let length = (bytes - LENGTH_BYTES) as u64;
        let head = Arc::make_mut(&mut text.head);
        head[..LENGTH_BYTES].copy_from_slice(&length.to_ne_bytes());
        Ok(text)
    }

    /// The parts of the map in order.
    fn parts(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        let rules = self.rules.chunks.iter().map(|chunk| &chunk.pages);
        let taken = self.taken.chunks.iter().map(|chunk| &chunk.pages);
        [&self.head, &self.lists.1]
            .into_iter()
            .chain(rules)
            .chain(std::iter::once(separator()))
            .chain(taken)
            .chain([&self.tail])
    }

    /// The table; `idle` is the text that the map in the idle slot has, if that is known.
    pub(crate) fn table(&self, idle: Option<&Self>) -> Table<'_> {
        let mut known = idle.into_iter().flat_map(Self::parts);
        let mut is_aligned = true;
        let parts = self.parts().map(|part| {
            let there = known.next();
            // What is behind a part of another length is elsewhere.
            let is_known = is_aligned && there.is_some_and(|there| Arc::ptr_eq(there, part));
            is_aligned = is_aligned && there.is_some_and(|there| there.len() == part.len());
            Part {
                values: Cow::Borrowed(&**part),
                is_known,
            }
        });
        Table {
            map: names::DESCRIPTION,
            content: Content::Array {
                parts: parts.collect(),
                value_bytes: PAGE_BYTES,
            },
            in_place: false,
            in_idle: idle.is_some(),
        }
    }
}

/// The text between the rules and the names of slots.
fn separator() -> &'static Arc<[u8]> {
    static SEPARATOR: std::sync::OnceLock<Arc<[u8]>> = std::sync::OnceLock::new();
    SEPARATOR.get_or_init(|| padded(br#"],"slots":{"rules":{"taken":{"#.to_vec(), 0))
}

/// The text before the lists, behind room for the length.
fn before(head: &Head<'_>, former_bytes: usize) -> serde_json::Result<Arc<[u8]>> {
    let mut text = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut text, head)?;
    // In place of the closing brace.
    text.pop();
    text.push(b',');
    Ok(padded(text, former_bytes))
}

/// The text of the lists, and the beginning of the rules.
fn lists(
    lists: &[ListDescription],
    former: &(Vec<ListDescription>, Arc<[u8]>),
) -> serde_json::Result<(Vec<ListDescription>, Arc<[u8]>)> {
    if lists == former.0 && !former.1.is_empty() {
        return Ok(former.clone());
    }
    let mut text = br#""lists":"#.to_vec();
    serde_json::to_writer(&mut text, lists)?;
    text.extend_from_slice(br#","rules":["#);
    Ok((lists.to_vec(), padded(text, former.1.len())))
}

/// The rules in chunks.
fn rules(
    all: &Arc<Vec<Arc<RuleDescription>>>,
    former: &RuleChunks,
) -> serde_json::Result<RuleChunks> {
    if Arc::ptr_eq(all, &former.all) {
        return Ok(former.clone());
    }
    let rules = all.iter().map(|rule| (rule.slot, Arc::clone(rule)));
    let chunks = chunks(rules, &former.chunks, Arc::ptr_eq, |rule, text| {
        serde_json::to_writer(text, &**rule)
    })?;
    Ok(Chunks {
        all: Arc::clone(all),
        chunks: Arc::new(chunks),
    })
}

/// The names of slots in chunks.
fn names(
    all: &Arc<BTreeMap<Arc<str>, u32>>,
    former: &NameChunks,
) -> serde_json::Result<NameChunks> {
    if Arc::ptr_eq(all, &former.all) {
        return Ok(former.clone());
    }
    let names = all.iter();
    let names = names.map(|(name, slot)| (*slot, (Arc::clone(name), *slot)));
    let is_same = |one: &(Arc<str>, u32), other: &(Arc<str>, u32)| {
        Arc::ptr_eq(&one.0, &other.0) && one.1 == other.1
    };
    let chunks = chunks(names, &former.chunks, is_same, |(name, slot), text| {
        serde_json::to_writer(&mut *text, &**name)?;
        text.push(b':');
        serde_json::to_writer(text, slot)
    })?;
    Ok(Chunks {
        all: Arc::clone(all),
        chunks: Arc::new(chunks),
    })
}

/// The text behind the names of slots.
fn after(
    tail: &Tail<'_>,
    interfaces: &Numbers,
    former_bytes: usize,
) -> serde_json::Result<Arc<[u8]>> {
    let mut text = b"},".to_vec();
    let rest = serde_json::to_vec(tail)?;
    text.extend_from_slice(&rest[1..]);
    text.extend_from_slice(br#","interfaces":"#);
    serde_json::to_writer(&mut text, interfaces)?;
    text.extend_from_slice(b"}}");
    Ok(padded(text, former_bytes))
}

/// The chunks of items with their slots, in the order of these.
fn chunks<T: Clone>(
    items: impl Iterator<Item = (u32, T)>,
    former: &[Chunk<T>],
    is_same: impl Fn(&T, &T) -> bool,
    write: impl Fn(&T, &mut Vec<u8>) -> serde_json::Result<()>,
) -> serde_json::Result<Vec<Chunk<T>>> {
    let mut by_chunk: BTreeMap<u32, Vec<T>> = BTreeMap::new();
    for (slot, item) in items {
        by_chunk
            .entry(slot / SLOTS_PER_CHUNK)
            .or_default()
            .push(item);
    }
    let last = by_chunk.keys().next_back().map_or(0, |last| last + 1);
    let mut all = Vec::with_capacity(last as usize);
    let mut is_first = true;
    for (number, former) in (0..last).zip(former.iter().map(Some).chain(std::iter::repeat(None))) {
        let items = by_chunk.remove(&number).unwrap_or_default();
        let same = former.filter(|former| {
            let mut pairs = former.items.iter().zip(&items);
            former.is_first == is_first
                && former.items.len() == items.len()
                && pairs.all(|(one, other)| is_same(one, other))
        });
        let pages = match same {
            Some(same) => Arc::clone(&same.pages),
            None => {
                let mut text = Vec::new();
                for (place, item) in items.iter().enumerate() {
                    if !(is_first && place == 0) {
                        text.push(b',');
                    }
                    write(item, &mut text)?;
                }
                padded(text, former.map_or(0, |former| former.pages.len()))
            }
        };
        let is_empty = items.is_empty();
        all.push(Chunk {
            items,
            is_first,
            pages,
        });
        is_first = is_first && is_empty;
    }
    Ok(all)
}

/// The text with spaces behind it up to the end of a page: as long as before if it fits there, else with room
/// to grow.
fn padded(mut text: Vec<u8>, former_bytes: usize) -> Arc<[u8]> {
    let room = (text.len() + text.len() / 8).max(1);
    let room = room.next_multiple_of(PAGE_BYTES);
    // Never nothing: a chunk whose slots are all free has a page of its own, which can be mapped.
    let bytes = if text.len().max(1) <= former_bytes && former_bytes <= 2 * room {
        former_bytes
    } else {
        room
    };
    text.resize(bytes, b' ');
    text.into()
}

/// The JSON text in the pages of a description; `None` if the length in front of it is wrong.
pub(crate) fn text_in(pages: &[u8]) -> Option<&[u8]> {
    let length = usize::try_from(value_of::<u64>(pages)?).ok()?;
    pages.get(LENGTH_BYTES..LENGTH_BYTES.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(slot: u32, matches: &str) -> Arc<RuleDescription> {
        Arc::new(RuleDescription {
            slot,
            matches: matches.to_owned(),
            ..RuleDescription::default()
        })
    }

    fn pages(text: &Text) -> Vec<u8> {
        text.parts().flat_map(|part| part.iter().copied()).collect()
    }

    fn read(text: &Text) -> Description {
        let pages = pages(text);
        assert_eq!(pages.len() % PAGE_BYTES, 0);
        let text = text_in(&pages).expect("has its length");
        serde_json::from_slice(text).expect("is JSON")
    }

    /// A map of such pages could not be filled: a part of no bytes cannot be mapped.
    #[test]
    fn slots_that_are_all_free_have_a_page() {
        let written = Description {
            rules: Arc::new(vec![rule(3, "everything"), rule(200, "nothing")]),
            ..Description::default()
        };
        let text = Text::new(&written, &Text::default()).expect("serialises");
        assert!(text.parts().all(|part| !part.is_empty()));
        assert_eq!(read(&text), written);
    }

    #[test]
    fn a_description_comes_back_from_its_pages() {
        let mut written = Description {
            node: "a".repeat(3 * PAGE_BYTES),
            ..Description::default()
        };
        let text = Text::new(&written, &Text::default()).expect("serialises");
        assert_eq!(read(&text), written);
        for slot in [1, 2, 63, 64, 300] {
            Arc::make_mut(&mut written.rules).push(rule(slot, "everything"));
            let name = format!("rule {slot}").into();
            Arc::make_mut(&mut written.slots.rules.taken).insert(name, slot);
        }
        let text = Text::new(&written, &Text::default()).expect("serialises");
        assert_eq!(read(&text), written);
    }

    #[test]
    fn a_changed_rule_is_written_and_no_other() {
        let mut written = Description::default();
        for slot in 70..1000 {
            Arc::make_mut(&mut written.rules).push(rule(slot, "everything"));
            let name = format!("rule {slot}").into();
            Arc::make_mut(&mut written.slots.rules.taken).insert(name, slot);
        }
        let before = Text::new(&written, &Text::default()).expect("serialises");
        let place = written.rules.len() / 2;
        let changed = rule(written.rules[place].slot, "TCP");
        Arc::make_mut(&mut written.rules)[place] = changed;
        let after = Text::new(&written, &before).expect("serialises");
        assert_eq!(read(&after), written);
        let table = after.table(Some(&before));
        let Content::Array { parts, .. } = &table.content else {
            panic!("a description is an array");
        };
        let unknown = parts.iter().filter(|part| !part.is_known).count();
        assert_eq!(unknown, 3, "head, tail and one chunk");
    }

    #[test]
    fn a_wrong_length_is_no_text() {
        let mut pages = vec![0; PAGE_BYTES];
        pages[..8].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert_eq!(text_in(&pages), None);
        assert_eq!(text_in(&[]), None);
    }
}
