//! The kernel and the reference evaluator agree on random resources and packets, and on every case.

use std::thread;

use hep_tests::differential::{Outcome, Tally, run_seed, shrink};
use hep_userspace::cases::KernelEngine;

/// Resource sets that every test run judges.
const SETS: u64 = 150;
/// Packets for each of them.
const PACKETS: usize = 200;

#[test]
fn kernel_and_reference_agree_on_verdict_and_rule() {
    let first_seed = match std::env::var("HEP_FUZZ_SEED") {
        Ok(text) => text.parse().expect("HEP_FUZZ_SEED is a number"),
        Err(_unset) => fastrand::u64(..u64::MAX / 2),
    };
    println!(
        "seeds {first_seed}..{}; HEP_FUZZ_SEED={first_seed} repeats them",
        first_seed + SETS
    );
    // The kernel engine changes the network namespace of its thread.
    let tally = thread::spawn(move || {
        let mut kernel = KernelEngine::new().expect("the suite runs as root");
        let mut tally = Tally::default();
        for seed in first_seed..first_seed + SETS {
            let outcome = run_seed(seed, PACKETS, &mut kernel, &mut tally)
                .unwrap_or_else(|error| panic!("{error:#}"));
            if let Outcome::Disagree(case, problem) = outcome {
                let small = shrink(&case, &mut kernel).unwrap_or(*case);
                let text = serde_json::to_string(&small).expect("a case is plain data");
                panic!("seed {seed}: {problem}\n{text}");
            }
        }
        tally
    })
    .join()
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    println!("{tally:?}");
    // A generator that makes little of value proves little.
    assert!(
        tally.invalid * 5 < tally.sets,
        "most resource sets are valid: {tally:?}"
    );
    assert!(
        tally.by_rule * 3 > tally.packets,
        "rules decide many packets: {tally:?}"
    );
    assert!(
        tally.allowed * 10 > tally.packets,
        "some packets pass: {tally:?}"
    );
}
