//! How bad a problem is.

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The load is refused.
    Error,
    /// The load continues, but probably not as the author meant it.
    Warning,
    /// Worth knowing; nothing needs to change. Never degrades the daemon, never fails `--strict`.
    Notice,
}

impl Severity {
    /// Lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}
