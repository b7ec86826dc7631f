//! Things that take long to make, lent to one test after another.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
};

/// One thing that tests of a process share, each for a while. It is made by the
/// first and ends with the last of those that overlap in time.
#[derive(Debug)]
pub struct Pool<T>(Mutex<Weak<Shared<T>>>);

/// The thing while no test has it.
#[derive(Debug)]
struct Shared<T> {
    idle: Mutex<Option<T>>,
    returned: Condvar,
}

/// The thing while a test has it; returned on drop.
#[derive(Debug)]
pub struct Lease<T> {
    thing: Option<T>,
    shared: Arc<Shared<T>>,
}

impl<T> Pool<T> {
    /// An empty pool.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// Waits for the thing, or makes it.
    pub fn borrow(&self, make: impl FnOnce() -> T) -> Lease<T> {
        let shared = self.shared(make);
        let mut idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = loop {
            if let Some(thing) = idle.take() {
                break thing;
            }
            idle = shared
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(idle);
        Lease {
            thing: Some(thing),
            shared,
        }
    }

    fn shared(&self, make: impl FnOnce() -> T) -> Arc<Shared<T>> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = pool.upgrade() {
            return shared;
        }
        let shared = Arc::new(Shared {
            idle: Mutex::new(Some(make())),
            returned: Condvar::new(),
        });
        *pool = Arc::downgrade(&shared);
        shared
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        let mut idle = self
            .shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *idle = self.thing.take();
        self.shared.returned.notify_one();
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing.as_ref().expect("taken only on drop")
    }
}

impl<T> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.thing.as_mut().expect("taken only on drop")
    }
}
