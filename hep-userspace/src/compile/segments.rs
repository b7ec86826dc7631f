//! Tables in pieces that generations share.

use std::{ops::Index, sync::Arc};

/// Bytes of a piece: whole pages of memory on every architecture.
const PIECE_BYTES: usize = 1 << 16;

/// A long table. A copy shares all pieces with the original until either of them changes.
#[derive(Clone, Debug)]
pub struct Segments<T> {
    /// All but the last are full.
    pieces: Vec<Arc<[T]>>,
    len: usize,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Segments<T> {
    /// Values in a piece.
    const PIECE: usize = PIECE_BYTES / size_of::<T>();

    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether both are one table, of which neither has changed since it was copied from the other.
    #[must_use]
    pub fn is_one(&self, other: &Self) -> bool {
        let mut pairs = self.pieces.iter().zip(&other.pieces);
        self.len == other.len && pairs.all(|(one, two)| Arc::ptr_eq(one, two))
    }

    /// The pieces, in order. One that two tables share is the same in both.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &Arc<[T]>> {
        self.pieces.iter()
    }
}

impl<T: Clone> Segments<T> {
    /// Replaces values from `first` on. Their pieces are this table's own afterwards, whether or not
    /// the values differ from those before.
    ///
    /// # Panics
    ///
    /// If the table ends before the values do.
    pub(crate) fn write(&mut self, first: usize, values: &[T]) {
        let (mut at, mut rest) = (first, values);
        while !rest.is_empty() {
            let piece = Arc::make_mut(&mut self.pieces[at / Self::PIECE]);
            let place = &mut piece[at % Self::PIECE..];
            let count = place.len().min(rest.len());
            place[..count].clone_from_slice(&rest[..count]);
            (at, rest) = (at + count, &rest[count..]);
        }
    }
}

impl<T: Clone> Segments<T> {
    /// The values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }
}

impl<T: Clone> From<Vec<T>> for Segments<T> {
    fn from(values: Vec<T>) -> Self {
        Self {
            pieces: values.chunks(Self::PIECE).map(Arc::from).collect(),
            len: values.len(),
        }
    }
}

impl<T> Index<usize> for Segments<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.pieces[index / Self::PIECE][index % Self::PIECE]
    }
}

impl<T: PartialEq> PartialEq for Segments<T> {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.pieces.iter().zip(&other.pieces);
        self.len == other.len && pairs.all(|(one, two)| Arc::ptr_eq(one, two) || one == two)
    }
}

impl<T: Eq> Eq for Segments<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_copy_shares_what_was_not_written() {
        let before = Segments::from((0..40_000_u64).collect::<Vec<_>>());
        let mut after = before.clone();
        let border = Segments::<u64>::PIECE;
        after.write(border - 1, &[7, 8]);

        assert_eq!([after[border - 1], after[border]], [7, 8]);
        assert_eq!(before[border], border as u64);
        let shared = before.segments().zip(after.segments());
        let shared: Vec<bool> = shared.map(|(one, two)| Arc::ptr_eq(one, two)).collect();
        assert_eq!(shared, [false, false, true, true, true]);
        assert_ne!(before, after);
        after.write(border - 1, &[border as u64 - 1, border as u64]);
        assert_eq!(before, after);
    }
}
