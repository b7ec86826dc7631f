//! The soaks, shortened, as tests.

use std::sync::{Mutex, PoisonError};

use clap::Parser as _;

use crate::{Arguments, run};

/// Runs a soak as `--quick` does, without another at the same time: they need the machine.
#[track_caller]
fn passes(soak: &str) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let figures = run(Arguments::parse_from(["hep-soak", "--quick", soak]));
    assert!(figures.are_met(), "\n{}", figures.table());
}

/// EV-190, EV-191: no packet is judged by no policy or by a mixture, whatever happens to the daemon.
#[test]
fn traffic_does_not_notice_swaps_kills_and_upgrades() {
    passes("continuity");
}

/// EV-158: connections in mid-transfer lose no segment when policy is enforced for the first time.
#[test]
fn transfers_do_not_notice_a_cold_start() {
    passes("cold-start");
}

/// EV-159: floods of new flows push out no established one, and full tables deny nothing.
#[test]
fn connections_outlive_floods() {
    passes("flood");
}

/// EV-156, EV-264: neither blind RSTs nor the timer end a connection that both ends have.
#[test]
fn connections_outlive_blind_resets_and_their_timer() {
    passes("idle");
}

/// RS-006, EV-190: the policy in force is that of a complete directory, whatever happens to it.
#[test]
fn only_complete_directories_count() {
    passes("directory");
}

/// EV-190: whichever system call of a load fails, a whole generation is in force.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_failed_system_call_leaves_a_whole_generation() {
    passes("faults");
}

/// EV-190: an address that joins a large set comes into force by itself.
#[test]
fn an_address_joins_a_large_set() {
    passes("big-set");
}

/// EV-018: an interface that appears is policed during a flood of other notifications.
#[test]
fn an_interface_that_appears_is_policed() {
    passes("newcomers");
}

/// EV-191: a policy on trial is rolled back in time, whatever dies.
#[test]
fn an_unconfirmed_policy_goes_in_time() {
    passes("try");
}
