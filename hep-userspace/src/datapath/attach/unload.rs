//! The end of programs that are attached nowhere any more.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Waits until none of these programs is loaded: the kernel releases links and programs a moment after their
/// last pin is gone. Returns whether that happened in time.
#[must_use]
pub fn wait_until_unloaded(programs: &BTreeSet<u32>, limit: Duration) -> bool {
    const PAUSE: Duration = Duration::from_millis(5);
    let start = Instant::now();
    loop {
        let is_loaded = aya::programs::loaded_programs()
            .flatten()
            .any(|program| programs.contains(&program.id()));
        if !is_loaded || start.elapsed() > limit {
            return !is_loaded;
        }
        std::thread::sleep(PAUSE);
    }
}
