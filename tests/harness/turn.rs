//! Things that take long to make, lent to one test after another.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
};

/// Where tests of one process meet that use the same thing, each for a while. It is made by the
/// first and ends with the last of those that overlap in time.
#[derive(Debug)]
pub struct Place<T>(Mutex<Weak<Turn<T>>>);

/// The thing while no test has it.
#[derive(Debug)]
struct Turn<T> {
    idle: Mutex<Option<T>>,
    returned: Condvar,
}

/// A thing on loan; returned on drop.
#[derive(Debug)]
pub struct Loan<T> {
    thing: Option<T>,
    turn: Arc<Turn<T>>,
}

impl<T> Place<T> {
    /// An empty place.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// Waits for the thing, or makes it.
    pub fn borrow(&self, make: impl FnOnce() -> T) -> Loan<T> {
        let turn = self.turn(make);
        let mut idle = turn.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = loop {
            if let Some(thing) = idle.take() {
                break thing;
            }
            idle = turn
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(idle);
        Loan {
            thing: Some(thing),
            turn,
        }
    }

    fn turn(&self, make: impl FnOnce() -> T) -> Arc<Turn<T>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = place.upgrade() {
            return turn;
        }
        let turn = Arc::new(Turn {
            idle: Mutex::new(Some(make())),
            returned: Condvar::new(),
        });
        *place = Arc::downgrade(&turn);
        turn
    }
}

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        let mut idle = self
            .turn
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *idle = self.thing.take();
        self.turn.returned.notify_one();
    }
}

impl<T> Deref for Loan<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing.as_ref().expect("taken only on drop")
    }
}

impl<T> DerefMut for Loan<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.thing.as_mut().expect("taken only on drop")
    }
}
