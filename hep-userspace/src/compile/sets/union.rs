//! The addresses of all objects that a selector selects, from generation to generation.
//!
//! Few resources join or leave a selector at once, so the union of the generation before is changed
//! rather than built again: it costs as much as what joined and left, however long it is.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ranges::Position;
use crate::model::Members;

/// Most networks that may join and leave a union without building it again.
const MAX_CHANGED: usize = 2048;
/// Most look-ups of networks that left in the objects that stay.
const MAX_LOOKUPS: usize = 1 << 19;

/// The networks of some objects.
#[derive(Debug)]
pub(crate) struct Union<T> {
    /// Names of the objects, one a line.
    pub(crate) names: Arc<str>,
    parts: Parts<T>,
    /// Each network once, whichever objects hold it.
    pub(crate) members: Members<T>,
    /// Names of the union that this one was made from, if they are others.
    pub(crate) former: Option<Arc<str>>,
}

/// Networks by name of the object that holds them.
type Parts<T> = FxHashMap<Arc<str>, Members<T>>;

/// Every union of one family in a generation.
#[derive(Debug)]
pub(crate) struct Unions<T> {
    by_names: FxHashMap<Arc<str>, Arc<Union<T>>>,
    /// Names of the objects that a selector selects, by its canonical text.
    names_of: FxHashMap<String, Arc<str>>,
}

impl<T> Default for Unions<T> {
    fn default() -> Self {
        Self {
            by_names: FxHashMap::default(),
            names_of: FxHashMap::default(),
        }
    }
}

impl<T: Position> Unions<T> {
    /// The union of the objects that `selector`, a canonical text, selects. Selectors of the same objects
    /// share one; else it is made from that of `former`, the previous generation, if possible.
    pub(crate) fn of(
        &mut self,
        selector: &str,
        objects: Vec<(Arc<str>, Members<T>)>,
        former: Option<&Self>,
    ) -> Arc<Union<T>> {
        let names: String = objects
            .iter()
            .flat_map(|(name, _)| [&**name, "\n"])
            .collect();
        let names: Arc<str> = names.into();
        self.names_of
            .insert(selector.to_owned(), Arc::clone(&names));
        if let Some(known) = self.by_names.get(&names) {
            return Arc::clone(known);
        }
        let before = former.and_then(|former| former.find(selector, &names));
        let union = Arc::new(Union::new(
            Arc::clone(&names),
            objects.into_iter().collect(),
            before,
        ));
        self.by_names.insert(names, Arc::clone(&union));
        union
    }

    /// The union of these objects, or else of those that the selector selected.
    fn find(&self, selector: &str, names: &str) -> Option<&Union<T>> {
        let same = self.by_names.get(names);
        let union = same.or_else(|| self.by_names.get(self.names_of.get(selector)?));
        union.map(|union| &**union)
    }
}

impl<T: Position> Union<T> {
    fn new(names: Arc<str>, parts: Parts<T>, before: Option<&Self>) -> Self {
        let changed = before.and_then(|before| Some((before, before.with(&parts)?)));
        let (members, former) = match changed {
            Some((before, members)) => (members, Some(Arc::clone(&before.names))),
            None => (all_of(&parts), None),
        };
        Self {
            former: former.filter(|former| *former != names),
            names,
            parts,
            members,
        }
    }

    /// The networks of the parts of a later union; `None` if they are better gathered from nothing.
    fn with(&self, parts: &Parts<T>) -> Option<Members<T>> {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for (name, members) in parts {
            let left = MAX_CHANGED.checked_sub(gone.len() + come.len())?;
            match self.parts.get(name) {
                Some(before) => {
                    let changed = members.difference(before, left)?;
                    let (new, old): (Vec<_>, Vec<_>) = changed
                        .into_iter()
                        .partition(|network| members.has(*network));
                    come.extend(new);
                    gone.extend(old);
                }
                None if members.len() > left => return None,
                None => come.extend(members.iter()),
            }
        }
        for (name, before) in &self.parts {
            if !parts.contains_key(name) {
                let left = MAX_CHANGED.checked_sub(gone.len() + come.len())?;
                if before.len() > left {
                    return None;
                }
                gone.extend(before.iter());
            }
        }
        if gone.len() * parts.len() > MAX_LOOKUPS {
            return None;
        }
        gone.retain(|network| !parts.values().any(|members| members.has(*network)));
        Some(self.members.changed(&gone, &come))
    }
}

/// Every network of the parts once.
fn all_of<T: Position>(parts: &Parts<T>) -> Members<T> {
    let Some(longest) = parts.values().max_by_key(|members| members.len()) else {
        return Members::default();
    };
    let count: usize = parts.values().map(Members::len).sum();
    if count - longest.len() <= MAX_CHANGED {
        // Sharing the longest costs no memory.
        let others = parts
            .values()
            .filter(|members| !std::ptr::eq(*members, longest));
        let others: Vec<_> = others.flat_map(Members::iter).collect();
        return longest.changed(&[], &others);
    }
    let mut all = Vec::with_capacity(count);
    for members in parts.values() {
        all.extend(members.iter());
    }
    // Stable: the networks of one object are sorted already, and such runs are merged.
    all.sort();
    Members::new(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(all: &[(&str, &[u32])]) -> Vec<(Arc<str>, Members<u32>)> {
        all.iter()
            .map(|(name, addresses)| {
                let hosts = addresses.iter().map(|address| (*address, *address));
                (Arc::from(*name), Members::new(hosts.collect()))
            })
            .collect()
    }

    fn addresses(union: &Union<u32>) -> Vec<u32> {
        union.members.iter().map(|member| member.0).collect()
    }

    #[test]
    fn what_an_object_leaves_stays_where_others_hold_it() {
        let mut first = Unions::default();
        let before = objects(&[("a", &[1, 2, 3]), ("b", &[2, 4]), ("c", &[3, 9])]);
        assert_eq!(addresses(&first.of("s", before, None)), [1, 2, 3, 4, 9]);
        // One leaves, one loses an address that another has, and gets one.
        let mut second = Unions::default();
        let after = objects(&[("a", &[1, 3]), ("b", &[2, 4, 7])]);
        let changed = second.of("s", after, Some(&first));
        assert_eq!(addresses(&changed), [1, 2, 3, 4, 7]);
        assert_eq!(changed.former.as_deref(), Some("a\nb\nc\n"));
    }

    #[test]
    fn selectors_of_the_same_objects_share_a_union() {
        let mut unions = Unions::default();
        let [one, two] = ["s", "t"].map(|selector| {
            let objects = objects(&[("a", &[1]), ("b", &[2])]);
            unions.of(selector, objects, None)
        });
        assert!(Arc::ptr_eq(&one, &two));
    }
}
