//! Exit codes.

use std::process::ExitCode;

use crate::view::FailureKind;

/// Exit codes. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// A positive answer, or done.
    Ok = 0,
    /// A negative answer, or a failure at run time.
    Negative = 1,
    /// Wrong arguments; clap exits with this number itself.
    Usage = 2,
    /// The input is invalid.
    Invalid = 3,
    /// The daemon cannot be reached.
    Unreachable = 4,
    /// Refused by a safety check.
    Refused = 5,
    /// Applied, but rolled back.
    RolledBack = 6,
}

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Failed => Self::Negative,
            FailureKind::Usage => Self::Usage,
            FailureKind::Invalid => Self::Invalid,
            FailureKind::Unreachable => Self::Unreachable,
            FailureKind::Refused => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
