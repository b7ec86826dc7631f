//! The hook that judges packets once more that the kernel hands to this host's processes after TC (spec
//! EV-260): attached while something translates, if the kernel has such a hook.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::translation::Translation;
use crate::datapath::{
    Kernel,
    local_in::{self, LocalIn, LocalInError},
};

/// State of the hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing translates, so there is no hook.
    #[default]
    NotNeeded,
    /// The hook is attached, and translated packets are judged.
    Attached,
    /// Translated packets are not judged: the kernel has no such hook.
    Unsupported,
    /// Packets that NAT rules translate are not judged: the kernel's BTF does not describe its connections.
    Blind,
    /// Translated packets are not judged, or by an older program: the kernel refused the hook.
    Failed,
}

/// State of the hook, and the reason why it is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalInStatus {
    /// State of the hook.
    pub state: State,
    /// Features in use that hand packets to this host's processes, as text; empty if none.
    pub causes: String,
}

impl LocalInStatus {
    /// The state that a stopped daemon left, read from its directory of links.
    #[must_use]
    pub fn left_in(links: &Path) -> Self {
        let (state, causes) = if local_in::is_attached(links) {
            (State::Attached, "NAT rules or routes")
        } else {
            (State::NotNeeded, "")
        };
        Self {
            state,
            causes: causes.to_owned(),
        }
    }

    /// Note on the further judgement of a packet that TC accepted as forwarded; empty if there is none.
    #[must_use]
    pub fn of_forwarded(&self) -> String {
        if self.state == State::Attached {
            return format!(
                "if {} hand it to a process of this host, it is judged again as what it becomes: ask \
                 with that destination",
                self.causes
            );
        }
        self.warning().unwrap_or_default()
    }

    /// A line of `hep status`; `None` if nothing translates.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        if self.state == State::Attached {
            return Some(format!(
                "translated: what {} hand to processes of this host is judged again, as what it becomes",
                self.causes
            ));
        }
        self.warning().map(|warning| format!("warning: {warning}"))
    }

    /// A warning that translated packets are not judged, if so.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let lack = match self.state {
            State::NotNeeded | State::Attached => return None,
            State::Unsupported => {
                "this kernel has no hook to judge them at (Linux 6.4, CONFIG_NETFILTER_BPF_LINK)"
            }
            State::Blind => {
                "the kernel does not describe its connections (BTF of nf_conntrack), so NAT cannot be seen"
            }
            State::Failed => "the kernel refused the hook",
        };
        Some(format!(
            "{} may hand processes of this host packets that came for other addresses, which normal \
             policy does NOT judge: {lack}; deny them by a policy with preDNAT: true",
            self.causes
        ))
    }
}

/// The hook, attached while it is needed.
#[derive(Debug)]
pub(super) struct Guard {
    hook: LocalIn,
    /// Whether the hook has been attached, by this daemon or by a previous one whose links were there.
    was_attached: bool,
    status: LocalInStatus,
}

impl Guard {
    /// Creates the guard of an instance's hook, without reading its state.
    pub(super) fn new(hook: LocalIn) -> Self {
        Self {
            hook,
            was_attached: false,
            status: LocalInStatus::default(),
        }
    }

    /// State of the hook, and the reason why it is needed.
    pub(super) const fn status(&self) -> &LocalInStatus {
        &self.status
    }

    /// Attaches the hook if something translates, and detaches it otherwise. Earlier connections continue
    /// under generation `spare`, unless that is 0 or the hook was attached before, by whichever daemon: rules
    /// have judged them then, and those that they denied are not to continue.
    ///
    /// # Errors
    ///
    /// [`LocalInError`], except for a kernel without such a hook: that is a state.
    pub(super) fn settle(
        &mut self,
        translation: Translation,
        kernel: &Kernel,
        spare: u32,
    ) -> Result<(), LocalInError> {
        self.was_attached |= self.hook.is_recorded();
        let outcome = if translation.is_possible() {
            let spare = if self.was_attached { 0 } else { spare };
            self.hook.attach(kernel, spare).map(|_new| {
                if translation.nat && !self.hook.knows_connections() {
                    State::Blind
                } else {
                    State::Attached
                }
            })
        } else {
            self.hook.detach().map(|_found| State::NotNeeded)
        };
        let (state, result) = match outcome {
            Ok(state) => (state, Ok(())),
            Err(LocalInError::Unsupported) => (State::Unsupported, Ok(())),
            Err(error) => (State::Failed, Err(error)),
        };
        let status = LocalInStatus {
            state,
            causes: translation.causes().to_owned(),
        };
        if status != self.status {
            match (status.warning(), state) {
                (Some(warning), _) => log::warn!("{warning}"),
                (None, State::Attached) => log::info!(
                    "{} hand packets to this host: those for other addresses are judged again as what \
                     they become",
                    status.causes
                ),
                (None, _) => {
                    log::info!("nothing translates into a policed host: the hook behind it is off");
                }
            }
            self.status = status;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EV-260: where the kernel has no hook after translation, hep says so, and what to write instead.
    #[test]
    fn ev_260_without_a_hook_the_warning_names_cause_and_remedy() {
        let status = |state, causes: &str| LocalInStatus {
            state,
            causes: causes.to_owned(),
        };
        let warning = status(State::Unsupported, "NAT rules").warning();
        let warning = warning.expect("there is one");
        for words in ["NAT rules", "NOT judge", "Linux 6.4", "preDNAT: true"] {
            assert!(warning.contains(words), "{words}: {warning}");
        }
        assert!(status(State::Failed, "NAT rules").warning().is_some());
        let blind = status(State::Blind, "NAT rules").warning();
        assert!(blind.is_some_and(|warning| warning.contains("BTF of nf_conntrack")));
        assert_eq!(status(State::Attached, "NAT rules").warning(), None);
        assert_eq!(status(State::NotNeeded, "").warning(), None);
    }
}
