//! The name of a node.

use std::{convert::Infallible, fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Serialize};

/// The host's name in `spec.node` of its HostEndpoints and in `node.<name>` of its FelixConfiguration.
/// Its source is trimmed and lower-cased here and nowhere else, whatever it is (spec EV-007).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct NodeName(String);

impl From<&str> for NodeName {
    fn from(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }
}

impl From<String> for NodeName {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl FromStr for NodeName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

impl Deref for NodeName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EV-007, RS-135.
    #[test]
    fn ev_007_a_nodes_name_is_trimmed_and_in_lower_case_however_it_is_made() {
        let parsed: NodeName = " WEB-1\n".parse().expect("never fails");
        let read: NodeName = serde_json::from_str("\" Web-1 \"").expect("is a text");
        for name in [
            parsed,
            read,
            NodeName::from("web-1"),
            "Web-1".to_owned().into(),
        ] {
            assert_eq!(&*name, "web-1");
        }
    }
}
