//! How packets and flows are treated beyond the policy.

use serde::{Deserialize, Serialize};

/// How packets and flows are treated beyond the policy: options of the daemon that the compiler, the
/// reference evaluator and the preflight all need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Behaviour {
    /// Judge established flows again when the policy changes, instead of keeping them (EV-160).
    pub revalidate: bool,
    /// Accept neighbour discovery and multicast listener traffic before policy (EV-172).
    pub nd_exempt: bool,
    /// Accept router advertisements among these.
    #[serde(default = "usual")]
    pub ra_exempt: bool,
    /// The skb mark bit of forwarded packets that an untracked policy accepted (EV-080); 0: none.
    pub bypass_mark: u32,
    /// Report denied packets on the event ring.
    #[serde(default)]
    pub deny_events: bool,
}

/// The default of `ra_exempt`.
const fn usual() -> bool {
    true
}

impl Default for Behaviour {
    /// The defaults of `hep run`, without a mark.
    fn default() -> Self {
        Self {
            revalidate: true,
            nd_exempt: true,
            ra_exempt: true,
            bypass_mark: 0,
            deny_events: false,
        }
    }
}
