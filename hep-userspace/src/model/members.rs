//! The members of a set: sorted networks in pieces that versions of a set share.

use std::{cmp::Ordering, sync::Arc};

use super::AddressBits;

/// Members of a new piece.
const PIECE: usize = 512;
/// Members at which a piece is cut in two.
const MAX_PIECE: usize = 2 * PIECE;

/// First and last address of a member.
pub type Bounds<T> = (T, T);

/// Distinct networks of one family, sorted by first and last address. A changed copy shares all
/// pieces but those that the change touches, so copies, comparisons and small changes are cheap
/// however many members there are.
#[derive(Clone, Debug)]
pub struct Members<T> {
    /// None is empty.
    pieces: Vec<Arc<[Bounds<T>]>>,
    len: usize,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
        }
    }
}

impl<T: AddressBits> Members<T> {
    /// Networks in any order; repeats count once.
    #[must_use]
    pub fn new(mut networks: Vec<Bounds<T>>) -> Self {
        if !networks.is_sorted() {
            networks.sort_unstable();
        }
        networks.dedup();
        Self {
            pieces: networks.chunks(PIECE).map(Arc::from).collect(),
            len: networks.len(),
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Bounds<T>> {
        self.pieces.iter().flat_map(|piece| piece.iter().copied())
    }

    /// Those whose first address is `first` or higher.
    pub fn starting_at(&self, first: T) -> impl Iterator<Item = Bounds<T>> {
        let pieces = self
            .pieces
            .partition_point(|piece| piece.last().is_some_and(|last| last.0 < first));
        let rest = &self.pieces[pieces..];
        let before = rest
            .first()
            .map_or(0, |piece| piece.partition_point(|member| member.0 < first));
        let all = rest.iter().flat_map(|piece| piece.iter().copied());
        all.skip(before)
    }

    /// Whether this very network is a member.
    #[must_use]
    pub fn has(&self, network: Bounds<T>) -> bool {
        let at = self.piece_of(network);
        self.pieces
            .get(at)
            .is_some_and(|piece| piece.binary_search(&network).is_ok())
    }

    /// The last address of the widest member that starts before `address` and holds it.
    #[must_use]
    pub fn reaching(&self, address: T) -> Option<T> {
        (0..T::BITS)
            .map(|prefix| address.around(prefix))
            .find(|network| network.0 < address && self.has(*network))
            .map(|network| network.1)
    }

    /// The piece in which `network` is or would be.
    fn piece_of(&self, network: Bounds<T>) -> usize {
        self.pieces
            .partition_point(|piece| piece.last().is_some_and(|last| *last < network))
    }

    /// A copy without `gone` and with `come`.
    #[must_use]
    pub fn changed(&self, gone: &[Bounds<T>], come: &[Bounds<T>]) -> Self {
        let mut next = self.clone();
        for network in gone {
            next.edit(*network, |members, found| {
                if let Ok(at) = found {
                    members.remove(at);
                }
            });
        }
        for network in come {
            next.edit(*network, |members, found| {
                if let Err(at) = found {
                    members.insert(at, *network);
                }
            });
        }
        next
    }

    fn edit(
        &mut self,
        network: Bounds<T>,
        change: impl FnOnce(&mut Vec<Bounds<T>>, Result<usize, usize>),
    ) {
        // What is beyond all others joins the last piece.
        let at = self
            .piece_of(network)
            .min(self.pieces.len().saturating_sub(1));
        let mut members = self
            .pieces
            .get(at)
            .map_or_else(Vec::new, |piece| piece.to_vec());
        let before = members.len();
        let found = members.binary_search(&network);
        change(&mut members, found);
        self.len = self.len - before + members.len();
        let piece_len = if members.len() > MAX_PIECE {
            PIECE
        } else {
            MAX_PIECE
        };
        let end = self.pieces.len().min(at + 1);
        self.pieces
            .splice(at..end, members.chunks(piece_len).map(Arc::from));
    }

    /// The members of either that are not members of both; `None` if they are more than `limit`.
    #[must_use]
    pub fn difference(&self, other: &Self, limit: usize) -> Option<Vec<Bounds<T>>> {
        let (mut one, mut two) = (Walk::new(self), Walk::new(other));
        let mut found = Vec::new();
        loop {
            if one.skip_if_same(&mut two) {
                continue;
            }
            let order = match (one.current(), two.current()) {
                (None, None) => return Some(found),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(&b),
            };
            if order != Ordering::Equal {
                let less = if order.is_lt() { &one } else { &two };
                found.extend(less.current());
                if found.len() > limit {
                    return None;
                }
            }
            if order.is_le() {
                one.step();
            }
            if order.is_ge() {
                two.step();
            }
        }
    }
}

impl<T: AddressBits> PartialEq for Members<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self
                .difference(other, 0)
                .is_some_and(|found| found.is_empty())
    }
}

impl<T: AddressBits> Eq for Members<T> {}

/// A place among members.
struct Walk<'m, T> {
    pieces: &'m [Arc<[Bounds<T>]>],
    at: usize,
}

impl<'m, T: AddressBits> Walk<'m, T> {
    fn new(members: &'m Members<T>) -> Self {
        Self {
            pieces: &members.pieces,
            at: 0,
        }
    }

    fn current(&self) -> Option<Bounds<T>> {
        self.pieces.first()?.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at += 1;
        if self
            .pieces
            .first()
            .is_some_and(|piece| self.at == piece.len())
        {
            self.pieces = &self.pieces[1..];
            self.at = 0;
        }
    }

    /// Steps over a piece that both share.
    fn skip_if_same(&mut self, other: &mut Self) -> bool {
        if let ([mine, rest @ ..], [theirs, their_rest @ ..]) = (self.pieces, other.pieces)
            && (self.at, other.at) == (0, 0)
            && Arc::ptr_eq(mine, theirs)
        {
            (self.pieces, other.pieces) = (rest, their_rest);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn host(address: u32) -> Bounds<u32> {
        (address, address)
    }

    #[test]
    fn a_change_shares_all_other_pieces_and_is_found_again() {
        let before = Members::new((0..100_000).map(|n| host(2 * n)).collect());
        let after = before.changed(&[host(40_000)], &[host(7), host(u32::MAX)]);

        assert_eq!(after.len(), 100_001);
        let shared = before
            .pieces
            .iter()
            .filter(|piece| after.pieces.iter().any(|other| Arc::ptr_eq(piece, other)));
        assert_eq!(shared.count(), before.pieces.len() - 3);
        assert_eq!(
            before.difference(&after, 3),
            Some(vec![host(7), host(40_000), host(u32::MAX)])
        );
        assert_eq!(before.difference(&after, 2), None);
        assert_ne!(before, after);
        assert_eq!(
            after.changed(&[host(7), host(u32::MAX)], &[host(40_000)]),
            before
        );
    }

    #[test]
    fn members_that_start_before_an_address_and_hold_it_reach_it() {
        let members = Members::new(vec![10_u32.around(32), 0x0a00_0000_u32.around(8)]);
        assert_eq!(members.reaching(0x0a00_0001), Some(0x0aff_ffff));
        assert_eq!(members.reaching(0x0a00_0000), None, "starts there");
        assert_eq!(members.reaching(10), None);
        assert_eq!(
            Members::new(vec![(0, u128::MAX)]).reaching(1),
            Some(u128::MAX)
        );
    }

    proptest! {
        #[test]
        fn changes_are_those_of_a_set(
            start in proptest::collection::vec(0_u32..3000, 0..2500),
            steps in proptest::collection::vec((0_u32..3000, any::<bool>()), 1..400),
        ) {
            let mut model: BTreeSet<_> = start.iter().map(|n| host(*n)).collect();
            let first = Members::new(start.into_iter().map(host).collect());
            let mut members = first.clone();
            for (address, comes) in steps {
                if comes {
                    model.insert(host(address));
                    members = members.changed(&[], &[host(address)]);
                } else {
                    model.remove(&host(address));
                    members = members.changed(&[host(address)], &[]);
                }
            }
            prop_assert_eq!(members.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(members.len(), model.len());
            prop_assert!(members.pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= MAX_PIECE));
            let expected: Vec<_> = first.iter().collect::<BTreeSet<_>>()
                .symmetric_difference(&model).copied().collect();
            prop_assert_eq!(first.difference(&members, usize::MAX), Some(expected));
            let from = members.starting_at(1500).collect::<Vec<_>>();
            prop_assert_eq!(from, model.range(host(1500)..).copied().collect::<Vec<_>>());
        }
    }
}
