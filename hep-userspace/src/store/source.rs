//! The trait that every kind of store implements, and the results of its methods.

use std::{borrow::Cow, pin::Pin};

use super::{
    directory,
    follow::{Reason, Report},
    policy_set::PolicySet,
};

/// A future of a [`Source`], which is used as a trait object.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Reason why a store's present content is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The directory does not exist.
    Gone,
    /// The directory held policy files, and now holds none.
    Empty,
    /// The content of a store of objects is not to be believed now.
    Objects(Reason),
}

impl Distrust {
    /// Message for the operator.
    #[must_use]
    pub fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::Objects(reason) => reason.advice().into(),
            Self::Gone => {
                "the policy directory is gone; the last policy stays in force until it is back, \
                 or until `hep down`"
                    .into()
            }
            Self::Empty => {
                "the policy directory turned empty; the last policy stays in force until there \
                 is a file in it (one that holds a comment means no policy), or until `hep down`"
                    .into()
            }
        }
    }
}

/// The result of reading a store.
#[derive(Debug)]
pub enum Found {
    /// The same content as at the last read.
    Unchanged,
    /// Other content.
    Changed(PolicySet),
    /// Content that is not followed.
    Untrusted(Distrust),
    /// The store could not be read.
    Unreadable(StoreError),
}

/// Reason why a store cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Files of a directory cannot be read.
    #[error(transparent)]
    Directory(#[from] directory::ReadError),
    /// A store of objects cannot be reached.
    #[error("{}", .0.problem())]
    Objects(Reason),
}

/// Reason why a policy cannot be written to a store, with advice.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Files of a directory cannot be written.
    #[error(transparent)]
    Directory(#[from] directory::DirectoryError),
    /// The daemon never writes to a store of objects (spec DS-308).
    #[error("the daemon does not write to a store of objects")]
    Objects,
}

impl WriteError {
    /// Advice for the operator.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Directory(error) => error.advice(),
            Self::Objects => "write it there with `hep apply -f DIR`",
        }
    }
}

/// A store of policy that is read, followed and written to.
pub trait Source {
    /// Waits until the store should be read. Cancel-safe.
    fn changed(&mut self) -> Later<'_, ()>;

    /// Reads all content, complete and at one moment.
    fn read(&mut self) -> Later<'_, Found>;

    /// The last content that was trusted: of a read, or assumed.
    fn content(&self) -> &PolicySet;

    /// Sets the content of the previous run, before the first read: the read compares with it, and takes from
    /// it the files that are being written.
    fn assume(&mut self, content: PolicySet);

    /// Makes the next read cover everything, also what seems unchanged.
    fn forget(&mut self);

    /// The state of a store of objects.
    fn report(&self) -> Option<Report> {
        None
    }

    /// Makes the next read take what is there, also what would not be trusted otherwise.
    fn believe(&mut self) {
        self.forget();
    }

    /// `policy` as it would be read from this store: with this store's names.
    fn adopt(&self, policy: &PolicySet) -> PolicySet;

    /// Checks that [`Self::write`] could make the store hold `policy`.
    ///
    /// # Errors
    ///
    /// The first obstacle.
    fn may_write(&self, policy: &PolicySet) -> Result<(), WriteError>;

    /// Makes the store hold `policy` and no other; reads its present content first, to replace all of it.
    ///
    /// # Errors
    ///
    /// The first obstacle; a part may be written then.
    fn write(&mut self, policy: &PolicySet) -> Result<(), WriteError>;
}
