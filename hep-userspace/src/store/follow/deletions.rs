//! When deletions are believed without a look whether their kind is still there (spec DS-318).

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::model::Kind;

/// The time that deletions are remembered for.
const MEMORY: Duration = Duration::from_secs(60);
/// More deletions of a kind than this within that time are looked at.
const FEW: usize = 10;
/// So are more than one in this many objects of the kind.
const SHARE: usize = 10;

/// The deletions of each kind within the last minute.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    recent: HashMap<Kind, VecDeque<Instant>>,
}

impl Deletions {
    /// Notes deletions of a kind that has `left` objects besides; returns whether the kind should be looked
    /// at before they are believed.
    pub(super) fn note(&mut self, kind: Kind, number: usize, left: usize, now: Instant) -> bool {
        let recent = self.recent.entry(kind).or_default();
        while recent
            .front()
            .is_some_and(|at| now.duration_since(*at) >= MEMORY)
        {
            recent.pop_front();
        }
        let is_first = recent.is_empty();
        recent.extend(std::iter::repeat_n(now, number));
        let deleted = recent.len();
        is_first || deleted > FEW || deleted * SHARE > left + deleted
    }

    /// Whether a mass of objects of this kind was deleted within the last minute.
    pub(super) fn is_mass(&self, kind: Kind) -> bool {
        self.recent
            .get(&kind)
            .is_some_and(|recent| recent.len() > FEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deletion_and_masses_are_looked_at() {
        let mut deletions = Deletions::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(deletions.note(Kind::Tier, 1, 999, at(0)), "the first");
        for second in 1..10 {
            assert!(!deletions.note(Kind::Tier, 1, 999, at(second)), "{second}");
        }
        assert!(deletions.note(Kind::Tier, 1, 999, at(10)), "more than ten");
        assert!(deletions.is_mass(Kind::Tier));
        assert!(
            !deletions.note(Kind::Tier, 1, 999, at(65)),
            "most are forgotten"
        );
        assert!(deletions.note(Kind::Tier, 1, 999, at(200)), "first again");
        assert!(deletions.note(Kind::Tier, 1, 8, at(201)), "two of ten");
    }
}
