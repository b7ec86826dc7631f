//! Errors of single reads and writes, in the words that Calico's clients use (spec DS-209).

use std::fmt;

use crate::model::{Kind, ResourceId};

/// Operation of a store, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `Create`
    Create,
    /// `Update`
    Update,
    /// `Delete`
    Delete,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        })
    }
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its path, such as `Metadata.ResourceVersion`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Description of the mistake.
    pub reason: String,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = '{}'", self.name, self.value)?;
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.reason)
    }
}

/// Reason why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no such object.
    #[error("resource does not exist: {} with error: {}", called(.id), nil(.cause))]
    DoesNotExist {
        /// The object.
        id: ResourceId,
        /// The store's own words, if it has any.
        cause: Option<String>,
    },
    /// There is such an object already.
    #[error("resource already exists: {} with error: {}", called(.id), nil(.cause))]
    AlreadyExists {
        /// The object.
        id: ResourceId,
        /// The store's own words, if it has any.
        cause: Option<String>,
    },
    /// It was changed since it was read.
    #[error("update conflict: {}", called(.0))]
    Conflict(ResourceId),
    /// The store does not permit it.
    #[error("connection is unauthorized: {0}")]
    Unauthorized(String),
    /// The store, or the kind, does not have this operation.
    #[error("operation {operation} is not supported on {on}{}", because(.reason))]
    NotSupported {
        /// The operation, as the message names it.
        operation: String,
        /// Object or kind of the operation.
        on: String,
        /// Why not; may be empty.
        reason: String,
    },
    /// Fields are wrong.
    #[error("{}", listed(.0))]
    Invalid(Vec<Field>),
    /// The store could not be reached, or answered with an error.
    #[error("{0}")]
    Store(String),
    /// The store does not have this kind: its definition (CRD) is missing (spec DS-144).
    #[error("the store does not serve {0}")]
    NotServed(Kind),
    /// The value there is not the object that it should be.
    #[error("{}: {text}", called(.id))]
    Undecodable {
        /// The object.
        id: ResourceId,
        /// Description of the mistake.
        text: String,
    },
}

/// An object as messages of calicoctl name it: `Kind(name)` or `Kind(namespace/name)`.
fn called(id: &ResourceId) -> String {
    format!("{}({})", id.kind, id.full_name())
}

/// A cause as messages of calicoctl have it.
fn nil(cause: &Option<String>) -> &str {
    cause.as_deref().unwrap_or("<nil>")
}

fn because(reason: &str) -> String {
    match reason {
        "" => String::new(),
        reason => format!(": {reason}"),
    }
}

fn listed(fields: &[Field]) -> String {
    match fields {
        [field] => format!("error with field {field}"),
        fields => fields.iter().fold(
            "error with the following fields:".to_owned(),
            |text, field| format!("{text}\n-  {field}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_calicoctl() {
        let id = ResourceId::global(Kind::Tier, "nope");
        let cause = None;
        assert_eq!(
            ClientError::DoesNotExist {
                id: id.clone(),
                cause
            }
            .to_string(),
            "resource does not exist: Tier(nope) with error: <nil>"
        );
        assert_eq!(
            ClientError::Conflict(id).to_string(),
            "update conflict: Tier(nope)"
        );
        let field = Field {
            name: "ResourceVersion".to_owned(),
            value: "x".to_owned(),
            reason: "not a number".to_owned(),
        };
        assert_eq!(
            ClientError::Invalid(vec![field]).to_string(),
            "error with field ResourceVersion = 'x' (not a number)"
        );
    }
}
