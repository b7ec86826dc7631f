//! Which entries a journal keeps and returns to.

use super::*;

fn entry(generation: u32, cause: Cause, outcome: Outcome, checksum: &str) -> Entry {
    Entry {
        generation,
        since_unix_ms: 0,
        cause,
        outcome,
        resources: 1,
        checksum: checksum.to_owned(),
        base: PathBuf::from("/p"),
    }
}

fn applied(generation: u32, checksum: &str) -> Entry {
    entry(generation, Cause::Store, Outcome::Applied, checksum)
}

fn journal(entries: Vec<Entry>) -> Journal {
    Journal {
        in_force: entries.last().map(|entry| entry.generation),
        entries,
        ..Journal::default()
    }
}

fn previous(journal: &Journal) -> Option<u32> {
    journal.previous().map(|entry| entry.generation)
}

#[test]
fn going_back_skips_what_was_rolled_back_and_what_is_the_same() {
    let tried = entry(4, Cause::Try, Outcome::RolledBack, "d");
    let mut journal = journal(vec![
        applied(1, "a"),
        applied(2, "b"),
        tried,
        applied(6, "b"),
        applied(7, "c"),
    ]);
    assert_eq!(previous(&journal), Some(6));
    journal.in_force = Some(6);
    assert_eq!(previous(&journal), Some(1));
    journal.in_force = Some(1);
    assert_eq!(previous(&journal), None);
}

#[test]
fn going_back_twice_goes_further_back() {
    let mut journal = journal(vec![applied(1, "a"), applied(2, "b"), applied(3, "c")]);
    journal.set_outcome(3, Outcome::RolledBack);
    let back = Cause::Rollback { to: 2 };
    journal.entries.push(entry(4, back, Outcome::Applied, "b"));
    journal.in_force = Some(4);
    assert_eq!(previous(&journal), Some(1));
}

#[test]
fn a_generation_between_two_entries_belongs_to_the_earlier() {
    let journal = journal(vec![applied(2, "a"), applied(5, "b")]);
    let at = |generation| journal.at(generation).map(|entry| entry.generation);
    assert_eq!(
        [at(1), at(2), at(4), at(9)],
        [None, Some(2), Some(2), Some(5)]
    );
}

#[test]
fn the_newest_good_ones_and_the_one_in_force_are_kept() {
    let mut entries: Vec<Entry> = (1..=5).map(|number| applied(number, "x")).collect();
    entries.extend((6..=9).map(|number| entry(number, Cause::Try, Outcome::RolledBack, "y")));
    let mut journal = journal(entries);
    journal.in_force = Some(1);
    let removed: Vec<u32> = journal.prune(2).iter().map(|e| e.generation).collect();
    let kept: Vec<u32> = journal.entries.iter().map(|e| e.generation).collect();
    assert_eq!(kept, [1, 4, 5, 8, 9]);
    assert_eq!(removed, [7, 6, 3, 2]);
}
