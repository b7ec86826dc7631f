//! Threads of one task.

use std::thread::ScopedJoinHandle;

/// The result of a thread; a panic of its continues here.
pub(crate) fn join<T>(worker: ScopedJoinHandle<'_, T>) -> T {
    worker
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
