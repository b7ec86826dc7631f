//! The name and the identity of this host.

use std::{fs, path::Path};

use super::state::{self, Settings};
use crate::model::NodeName;

/// File with the host's identity, which a cloned image does not share with its template.
const MACHINE_ID: &str = "/etc/machine-id";
/// Length of a machine-id in characters.
const MACHINE_ID_LENGTH: usize = 32;

/// The kernel's host name, converted to a node name as Calico does.
#[must_use]
pub fn host_name() -> NodeName {
    let name = rustix::system::uname();
    NodeName::from(&*name.nodename().to_string_lossy())
}

/// The name of a node that was started without `--node` (spec EV-266): the name used last on this same
/// host, since a host may start before its name is set; else its host name.
#[must_use]
pub fn node_name(state_dir: &Path) -> NodeName {
    let kept = state::read_journal(state_dir).ok();
    let kept = kept.and_then(|journal| journal.settings);
    kept.and_then(|settings| kept_name(&settings, machine_id().as_deref()))
        .unwrap_or_else(host_name)
}

/// Whether a node's name is this host's: its host name, or the name under which the daemon ran here last.
#[must_use]
pub fn is_this_host(node: &str, state_dir: &Path) -> bool {
    let kept = state::read_journal(state_dir).ok();
    let kept = kept.and_then(|journal| journal.settings);
    let is_kept = |kept: Settings| *kept.node == *node && kept.machine_id == machine_id();
    *node == *host_name() || kept.is_some_and(is_kept)
}

/// The stored name, if it is this host's and was not chosen by its operator.
fn kept_name(settings: &Settings, machine_id: Option<&str>) -> Option<NodeName> {
    let is_own = machine_id.is_some() && settings.machine_id.as_deref() == machine_id;
    (settings.follows_host && is_own && !settings.node.is_empty()).then(|| settings.node.clone())
}

/// The id that distinguishes this host from others; `None` if it has none (yet).
#[must_use]
pub fn machine_id() -> Option<String> {
    let text = fs::read_to_string(MACHINE_ID).ok()?;
    let text = text.trim();
    let is_hex = |character: char| character.is_ascii_hexdigit();
    (text.len() == MACHINE_ID_LENGTH && text.chars().all(is_hex)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EV-266: a clone has its template's state directory, and another machine-id.
    #[test]
    fn ev_266_a_name_is_kept_for_the_host_that_had_it_and_not_for_its_clone() {
        let kept = Settings {
            node: "web-1".into(),
            machine_id: Some("a".repeat(32)),
            follows_host: true,
            ..Settings::default()
        };
        let own = "a".repeat(32);
        assert_eq!(kept_name(&kept, Some(&own)), Some("web-1".into()));
        assert_eq!(kept_name(&kept, Some("b")), None, "a clone");
        assert_eq!(kept_name(&kept, None), None, "no identity yet");
        let chosen = Settings {
            follows_host: false,
            ..kept.clone()
        };
        assert_eq!(kept_name(&chosen, Some(&own)), None, "--node was given");
        let unknown = Settings {
            machine_id: None,
            ..kept
        };
        assert_eq!(kept_name(&unknown, None), None, "nobody knows whose");
    }
}
