//! API versions: Calico's, those of others, and mistyped ones (RS-001, RS-308, RS-309).

use super::{Code, cursor::Value};

/// The `apiVersion` that users write.
const VERSION: &str = "projectcalico.org/v3";
/// The form in which Calico keeps resources in Kubernetes (RS-308).
const STORED_VERSION: &str = "crd.projectcalico.org/v1";
/// Most letters by which a group or kind is a mistyped one of Calico's (RS-309).
const MISTYPED: usize = 2;

/// Kind of an `apiVersion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Calico's, as users write it.
    Calico,
    /// Calico's, as it is kept in Kubernetes.
    Stored,
    /// Something that is none of Calico's business.
    Other,
    /// Calico's, with a mistake.
    Mistyped,
}

impl Version {
    /// The kind of this `apiVersion`.
    pub(super) fn of(text: &str) -> Self {
        let (group, _) = text.split_once('/').unwrap_or(("", text));
        let is_near = |known: &str| {
            let known = known.split('/').next().unwrap_or_default();
            is_mistyped(group, known)
        };
        match text {
            VERSION => Self::Calico,
            STORED_VERSION => Self::Stored,
            _ if is_near(VERSION) || is_near(STORED_VERSION) => Self::Mistyped,
            _ => Self::Other,
        }
    }
}

/// Whether a word differs from a valid one by at most [`MISTYPED`] letters, ignoring case.
pub(super) fn is_mistyped(word: &str, known: &str) -> bool {
    // The distance costs the product of the lengths.
    word.len() <= known.len() + MISTYPED
        && strsim::damerau_levenshtein(&word.to_ascii_lowercase(), &known.to_ascii_lowercase())
            <= MISTYPED
}

/// Reports an `apiVersion` with a mistake.
pub(super) fn wrong_version(value: &Value<'_>) {
    value.error::<()>(
        Code::Kind,
        "is not a known API version",
        format!("write {VERSION}"),
    );
}
