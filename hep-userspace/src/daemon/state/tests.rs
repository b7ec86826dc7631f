//! The state directory on a real file system.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{
    super::mode::{Frozen, Mode},
    files::{JOURNAL, PENDING, snapshot_path},
    *,
};
use crate::store::{PolicySet, hex};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hep-state-{name}-{}", std::process::id()));
        Self(path)
    }

    fn open(&self) -> StateDirectory {
        StateDirectory::open(&self.0, 3).expect("nobody has it")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn policy_with(text: &str) -> PolicySet {
    PolicySet::of("/p", &[("a.yaml", text)])
}

fn pending(policy: PolicySet, cause: Cause) -> PendingPolicy {
    PendingPolicy {
        policy,
        cause,
        resources: 1,
        frozen: None,
        since_unix_ms: 1,
        previous: None,
    }
}

fn keep(state: &mut StateDirectory, generation: u32, cause: Cause) {
    let pending = pending(policy_with(&generation.to_string()), cause);
    let confirm = |journal: &mut Journal| {
        if cause == Cause::Try {
            journal.set_outcome(generation, Outcome::Confirmed);
        }
    };
    let kept = state.commit(pending, generation, confirm);
    kept.expect("can be written");
}

#[test]
fn a_second_daemon_is_kept_out_until_the_first_is_gone() {
    let scratch = Scratch::new("lock");
    let first = scratch.open();
    let second = StateDirectory::open(&scratch.0, 3);
    assert!(matches!(second, Err(StateError::Busy(_))));
    assert!(matches!(remove(&scratch.0), Err(StateError::Busy(_))));
    drop(first);
    drop(scratch.open());
    remove(&scratch.0).expect("nobody has it");
    assert!(!scratch.0.exists());
}

#[test]
fn what_was_kept_is_there_after_a_restart_and_the_oldest_go() {
    let scratch = Scratch::new("keep");
    let mut state = scratch.open();
    assert_eq!(state.journal(), &Journal::default());
    for generation in 1..=5 {
        keep(&mut state, generation, Cause::Store);
    }
    drop(state);
    let state = scratch.open();
    let kept: Vec<u32> = state
        .journal()
        .entries
        .iter()
        .map(|e| e.generation)
        .collect();
    assert_eq!(kept, [3, 4, 5]);
    let head = state.journal().head().expect("one is in force");
    assert_eq!(state.policy(head).expect("it is whole"), policy_with("5"));
    assert!(!snapshot_path(&scratch.0, 2).exists());
    drop(state);
    remove(&scratch.0).expect("nobody has it");
    assert!(!scratch.0.exists());
}

#[test]
fn a_torn_or_changed_snapshot_is_told_from_a_whole_one() {
    let scratch = Scratch::new("torn");
    let mut state = scratch.open();
    keep(&mut state, 1, Cause::Store);
    let path = snapshot_path(&scratch.0, 1);
    let body = fs::read(&path).expect("it was written");
    fs::write(&path, &body[..body.len() - 1]).expect("can be written");
    let head = state.journal().head().expect("one is in force");
    assert!(matches!(state.policy(head), Err(StateError::Damaged(_))));
}

#[test]
fn files_of_a_confirmed_trial_are_found_below_the_policy_directory() {
    let scratch = Scratch::new("rebase");
    let mut state = scratch.open();
    let policy = policy_with("x").rebased(Path::new("/new"));
    let confirm = |journal: &mut Journal| journal.entries[0].base = PathBuf::from("/p");
    let kept = state.commit(pending(policy, Cause::Try), 1, confirm);
    kept.expect("can be written");
    let entry = state.journal().head().expect("one is in force");
    assert_eq!(state.policy(entry).expect("it is whole"), policy_with("x"));
}

#[test]
fn a_damaged_journal_is_made_anew_and_holds_the_newest_good_policy() {
    let scratch = Scratch::new("journal");
    let mut state = scratch.open();
    keep(&mut state, 1, Cause::Store);
    keep(&mut state, 2, Cause::Store);
    keep(&mut state, 3, Cause::Try);
    drop(state);
    let path = scratch.0.join(JOURNAL);
    let mut body = fs::read(&path).expect("it was written");
    let last = body.len() - 2;
    body[last] ^= 1;
    fs::write(&path, body).expect("can be written");
    assert!(matches!(
        read_journal(&scratch.0),
        Err(StateError::Damaged(_))
    ));
    let state = scratch.open();
    let journal = state.journal();
    let outcomes: Vec<_> = journal
        .entries
        .iter()
        .map(|entry| (entry.generation, entry.outcome))
        .collect();
    let applied = Outcome::Applied;
    assert_eq!(
        outcomes,
        [(1, applied), (2, applied), (3, Outcome::RolledBack)]
    );
    assert_eq!(journal.in_force, Some(2));
    assert_eq!(
        journal.mode.frozen().map(|frozen| frozen.generation),
        Some(2)
    );
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let scratch = Scratch::new("same");
    let mut state = scratch.open();
    keep(&mut state, 1, Cause::Store);
    let written = || {
        let metadata = fs::metadata(scratch.0.join(JOURNAL)).expect("it was written");
        metadata.modified().expect("the file system knows")
    };
    let before = written();
    state.update(|_| {}).expect("nothing to do");
    assert_eq!(written(), before);
}

/// A daemon that prepared generation 2 beside 1, and died.
fn prepared(name: &str, cause: Cause) -> (Scratch, StateDirectory) {
    let scratch = Scratch::new(name);
    let mut state = scratch.open();
    keep(&mut state, 1, Cause::Store);
    let frozen = Some(Frozen {
        since_unix_ms: 1,
        generation: 1,
        overrides: None,
    });
    let pending = PendingPolicy {
        frozen,
        previous: Some((1, vec![Some([0, 0])])),
        ..pending(policy_with("22"), cause)
    };
    state.prepare(&pending, 2).expect("can be written");
    drop(state);
    let state = scratch.open();
    (scratch, state)
}

fn has_prepared(scratch: &Scratch) -> bool {
    scratch.0.join(PENDING).exists()
}

#[test]
fn what_was_prepared_and_is_in_force_is_on_record_after_a_restart() {
    let cause = Cause::Rollback { to: 1 };
    let (scratch, mut state) = prepared("committed", cause);
    state.recover(Some(2)).expect("can be written");
    let journal = state.journal();
    assert_eq!(journal.in_force, Some(2));
    assert_eq!(
        journal.mode.frozen().map(|frozen| frozen.generation),
        Some(1)
    );
    let outcomes = journal
        .entries
        .iter()
        .map(|entry| (entry.cause, entry.outcome));
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [
            (Cause::Store, Outcome::RolledBack),
            (cause, Outcome::Applied)
        ]
    );
    assert_eq!(state.head(), Some((2, policy_with("22"))));
    assert!(!has_prepared(&scratch));
}

#[test]
fn what_was_prepared_and_is_not_in_force_never_was() {
    for in_force in [None, Some(1), Some(3)] {
        let (scratch, mut state) = prepared("aborted", Cause::Store);
        state.recover(in_force).expect("nothing to do");
        assert_eq!(state.journal().in_force, Some(1));
        assert_eq!(state.journal().entries.len(), 1);
        assert_eq!(state.head(), Some((1, policy_with("1"))));
        assert!(!has_prepared(&scratch));
    }
}

#[test]
fn a_torn_note_is_none() {
    let (scratch, mut state) = prepared("torn-note", Cause::Store);
    let path = scratch.0.join(PENDING);
    let body = fs::read(&path).expect("it was written");
    fs::write(&path, &body[..body.len() - 1]).expect("can be written");
    state.recover(Some(2)).expect("nothing to do");
    assert_eq!(state.journal().in_force, Some(1));
    assert!(!has_prepared(&scratch));
}

/// Writes a journal of format 1, as earlier versions did, and reads it.
fn of_format_1(name: &str, decisions: &str) -> Journal {
    let scratch = Scratch::new(name);
    drop(scratch.open());
    let json = format!(
        r#"{{"format":1,"entries":[{{"generation":3,"sinceUnixMs":1,"cause":{{"kind":"directory"}},
            "outcome":"applied","resources":1,"checksum":"c","base":"/p"}}],"inForce":3,
            {decisions},"installing":null,"settings":null}}"#
    );
    let checksum = hex(&Sha256::digest(&json));
    let body = format!("hep-journal-1 {checksum}\n{json}");
    fs::write(scratch.0.join(JOURNAL), body).expect("can be written");
    let journal = read_journal(&scratch.0).expect("it is whole");
    let open = scratch.open();
    assert_eq!(open.journal(), &journal);
    journal
}

#[test]
fn what_was_decided_by_the_former_format_is_read() {
    let followed = of_format_1("format-1", r#""trial":null,"held":null,"panic":null"#);
    assert_eq!(followed.mode, Mode::default());
    assert_eq!(followed.head().map(|head| head.cause), Some(Cause::Store));
    let all = of_format_1(
        "format-1-all",
        r#""trial":{"generation":3,"backTo":2,"timeoutMs":5,"directory":"d",
            "began":{"bootId":"b","boottimeMs":1,"unixMs":2}},
        "held":{"sinceUnixMs":4,"generation":2,"directory":"h"},"panic":{"sinceUnixMs":5}"#,
    );
    let panic = all.mode.panic().map(|panic| panic.since_unix_ms);
    let trial = all
        .mode
        .trial()
        .map(|trial| (trial.back_to, trial.store.as_str()));
    let frozen = all
        .mode
        .frozen()
        .and_then(|frozen| frozen.overrides.as_deref());
    assert_eq!((panic, trial, frozen), (Some(5), Some((2, "d")), Some("h")));
}
