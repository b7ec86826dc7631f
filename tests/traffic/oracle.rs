//! Packets that get past hep, judged by nftables behind it.

use std::time::Duration;

use hep_tests::oracle::{Plan, run};

/// Frames of every test run.
const FRAMES: u64 = 200_000;
/// They may take so long; what was not sent by then is not missed.
const LIMIT: Duration = Duration::from_secs(20);

/// EV-258, EV-184, EV-270: whatever a frame looks like, nothing that policy denies gets past, over any
/// kind of link.
#[test]
fn ev_258_nothing_that_policy_denies_gets_past() {
    let seed = fastrand::u64(..u64::MAX / 2);
    println!("cargo xtask fuzz --oracle nftables --seed {seed} repeats it");
    let plan = Plan {
        frames: FRAMES,
        limit: LIMIT,
        seed,
        only: None,
    };
    let outcomes = run(&plan, |link| println!("no {link} here"), |_| {});
    for outcome in &outcomes {
        let link = outcome.link;
        assert_eq!(outcome.past, None, "{link}:\n{}", outcome.text());
        // A test that sends nothing, or nothing that passes, proves nothing.
        assert!(outcome.judged() * 2 > outcome.sent, "{outcome:?}");
        assert!(outcome.seen * 50 > outcome.sent, "{outcome:?}");
    }
    assert!(outcomes.len() >= 5, "{outcomes:?}");
}
