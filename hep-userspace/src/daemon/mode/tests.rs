//! Each edge of the table, and each change that it does not allow.

use std::time::Duration;

use super::{super::clock::Moment, *};

fn moment(boottime_ms: u64) -> Moment {
    Moment {
        boot_id: "a".to_owned(),
        boottime_ms,
        unix_ms: 1_000_000,
    }
}

fn trial() -> Trial {
    Trial {
        generation: None,
        back_to: 1,
        began: moment(1000),
        timeout_ms: 60_000,
        store: "s".to_owned(),
        frozen: None,
    }
}

fn frozen() -> Frozen {
    Frozen {
        since_unix_ms: 1,
        generation: 1,
        overrides: None,
    }
}

const FOLLOWING: Mode = Mode::Calm(Basis::Following);

fn calm(basis: Basis) -> Mode {
    Mode::Calm(basis)
}

fn panic(over: Basis) -> Mode {
    Mode::Panic(Panic {
        since_unix_ms: 7,
        over,
    })
}

/// Every basis.
fn bases() -> [Basis; 4] {
    [
        Basis::Following,
        Basis::Frozen(frozen()),
        Basis::Trial(trial()),
        Basis::Trial(trial().over(Some(frozen()))),
    ]
}

/// Every event.
fn events() -> [Event; 9] {
    [
        Event::BeginTrial(trial()),
        Event::TrialInForce(2, moment(2000)),
        Event::Confirm,
        Event::EndTrial,
        Event::Freeze(frozen()),
        Event::Override("o".to_owned()),
        Event::Follow,
        Event::Panic(7),
        Event::Resume,
    ]
}

fn after(mode: Mode, event: Event) -> Mode {
    mode.after(event).expect("the table has this edge")
}

#[test]
fn a_trial_begins_over_what_is_in_force_and_returns_to_it() {
    for (below, frozen) in [
        (Basis::Following, None),
        (Basis::Frozen(frozen()), Some(frozen())),
    ] {
        let begun = after(calm(below.clone()), Event::BeginTrial(trial()));
        assert_eq!(begun, calm(Basis::Trial(trial().over(frozen))));
        assert_eq!(after(begun, Event::EndTrial), calm(below));
    }
}

#[test]
fn the_time_of_a_trial_begins_when_its_policy_is_in_force() {
    let begun = after(FOLLOWING, Event::BeginTrial(trial()));
    let running = after(begun, Event::TrialInForce(2, moment(2000)));
    let trial = running.trial().expect("it is on trial");
    assert_eq!((trial.generation, &trial.began), (Some(2), &moment(2000)));
}

#[test]
fn a_confirmed_policy_ends_the_trial_and_what_was_frozen() {
    for frozen in [None, Some(frozen())] {
        let running = calm(Basis::Trial(trial().over(frozen)));
        assert_eq!(after(running, Event::Confirm), FOLLOWING);
    }
}

#[test]
fn a_frozen_policy_stays_until_the_store_is_followed() {
    let brought_back = after(FOLLOWING, Event::Freeze(frozen()));
    assert_eq!(brought_back, calm(Basis::Frozen(frozen())));
    let known = after(brought_back, Event::Override("o".to_owned()));
    let overrides = known.frozen().and_then(|it| it.overrides.clone());
    assert_eq!(overrides.as_deref(), Some("o"));
    let again = Frozen {
        generation: 3,
        ..frozen()
    };
    let further_back = after(known.clone(), Event::Freeze(again.clone()));
    assert_eq!(further_back, calm(Basis::Frozen(again)));
    assert_eq!(after(known, Event::Follow), FOLLOWING);
    assert_eq!(after(FOLLOWING, Event::Follow), FOLLOWING);
}

#[test]
fn a_panic_is_over_anything_and_returns_to_it() {
    for basis in bases() {
        let on = after(calm(basis.clone()), Event::Panic(7));
        assert_eq!(on, panic(basis.clone()));
        assert_eq!(on.basis(), &basis);
        assert_eq!(after(on.clone(), Event::Panic(9)), on);
        assert_eq!(after(on, Event::Resume), calm(basis));
    }
}

#[test]
fn below_a_panic_a_trial_ends_and_a_frozen_policy_learns_what_it_overrides() {
    let over_trial = panic(Basis::Trial(trial().over(Some(frozen()))));
    let over_frozen = after(over_trial, Event::EndTrial);
    assert_eq!(over_frozen, panic(Basis::Frozen(frozen())));
    let known = after(over_frozen, Event::Override("o".to_owned()));
    assert!(known.panic().is_some() && known.frozen().is_some());
}

/// The table has these edges and no other.
#[test]
fn whatever_else_happens_is_refused() {
    let mut allowed = 0;
    for basis in bases() {
        for event in events() {
            let is_allowed = match (&basis, &event) {
                (_, Event::Panic(_)) => true,
                (_, Event::Resume) => false,
                (Basis::Following, Event::BeginTrial(_) | Event::Freeze(_) | Event::Follow) => true,
                (
                    Basis::Frozen(_),
                    Event::BeginTrial(_) | Event::Freeze(_) | Event::Follow | Event::Override(_),
                ) => true,
                (Basis::Trial(_), Event::TrialInForce(..) | Event::Confirm | Event::EndTrial) => {
                    true
                }
                (Basis::Following | Basis::Frozen(_) | Basis::Trial(_), _) => false,
            };
            let calm = calm(basis.clone()).after(event.clone());
            assert_eq!(calm.is_ok(), is_allowed, "{basis:?} {event:?}");
            let under_panic = matches!(
                (&basis, &event),
                (_, Event::Panic(_) | Event::Resume)
                    | (Basis::Trial(_), Event::EndTrial)
                    | (Basis::Frozen(_), Event::Override(_))
            );
            let panic = panic(basis.clone()).after(event.clone());
            assert_eq!(panic.is_ok(), under_panic, "{basis:?} {event:?}");
            allowed += usize::from(is_allowed) + usize::from(under_panic);
        }
    }
    assert_eq!(allowed, 28);
}

#[test]
fn a_refusal_says_what_is_not_possible_and_when() {
    let refused = calm(Basis::Trial(trial())).after(Event::Freeze(frozen()));
    let text = refused.expect_err("a trial must end first").to_string();
    assert_eq!(text, "a rollback is not possible during a trial");
}

#[test]
fn a_trial_counts_by_the_clock_since_the_hosts_start_alone() {
    let at = |boot_id: &str, boottime_ms, unix_ms| {
        trial().left(&Moment {
            boot_id: boot_id.to_owned(),
            boottime_ms,
            unix_ms,
        })
    };
    assert_eq!(at("a", 1000, 1_000_000), Duration::from_secs(60));
    assert_eq!(at("a", 31_000, 0), Duration::from_secs(30));
    assert_eq!(at("a", 31_000, u64::MAX), Duration::from_secs(30));
    assert_eq!(at("a", 61_000, 1_000_000), Duration::ZERO);
    assert_eq!(at("a", 90_000, 1_000_000), Duration::ZERO);
    // After a restart of the host.
    assert_eq!(at("b", 10, 1_000_001), Duration::ZERO);
}

#[test]
fn other_content_ends_a_frozen_policy() {
    let unknown = frozen();
    assert!(!unknown.ends_with("x", None));
    assert!(!unknown.ends_with("x", Some("y")));
    assert!(unknown.ends_with("x", Some("x")));
    let known = unknown.overriding("x".to_owned());
    assert!(!known.ends_with("x", Some("x")));
    assert!(known.ends_with("y", Some("x")));
}
