//! The wanted state: the store's content, validated for this node.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    DaemonError, Options, Role, identity,
    summary::{chain, refusal},
    sysctl,
};
use crate::{
    model::{NodeName, Snapshot},
    store::{Found, PolicySet, Source, follow},
    validate::{Loaded, Loader, Node, Scope},
};

/// A validated policy, with the durations of reading and validating it.
pub(super) struct Judged {
    pub(super) loaded: Loaded,
    /// The node name that it was validated for, if that is not the node's yet.
    pub(super) name: Option<NodeName>,
    /// The policy to record in its place: objects that are not valid, in their last valid versions.
    pub(super) recorded: Option<PolicySet>,
    pub(super) phases: Vec<(&'static str, Duration)>,
}

impl From<Loaded> for Judged {
    fn from(loaded: Loaded) -> Self {
        Self {
            loaded,
            name: None,
            recorded: None,
            phases: Vec::new(),
        }
    }
}

/// Follows the store and validates its content.
pub(super) struct Follower {
    /// `None` if no store is followed (`hep boot`).
    pub(super) source: Option<Box<dyn Source>>,
    /// For files.
    loader: Loader,
    /// For objects of a store; remembers their last valid versions.
    objects: Loader,
    /// This node; its name may follow the host's.
    pub(super) node: Node,
    follows_host: bool,
    /// A change of the store that is not followed for now (panic, trial).
    pub(super) pending: Option<PolicySet>,
    /// Reason why the store's present content is not in force.
    pub(super) refused: Option<String>,
    /// Objects of the store whose present versions are not in force, and conditions that cannot be judged.
    kept: Option<String>,
    /// Reason why the store could not be read.
    unreadable: Option<String>,
    /// Reason why the store's present content is not trusted.
    pub(super) untrusted: Option<String>,
}

impl Follower {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            source: match &options.role {
                Role::Follow(location) => Some(location.open(&options.node)),
                Role::Boot => None,
            },
            loader: Loader::default(),
            objects: Loader::default(),
            node: Node {
                name: options.node.clone(),
                labels: options.node_labels.clone(),
                cpus: sysctl::cpus(),
            },
            follows_host: options.follows_host,
            pending: None,
            refused: None,
            kept: None,
            unreadable: None,
            untrusted: None,
        }
    }

    /// Waits for a change of the store; forever without one.
    pub(super) async fn changed(&mut self) {
        match &mut self.source {
            Some(source) => source.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Makes the next read look at everything.
    pub(super) fn forget(&mut self) {
        if let Some(source) = &mut self.source {
            source.forget();
        }
    }

    /// Makes the next read take what is there, also what would not be trusted otherwise.
    pub(super) fn believe(&mut self) {
        if let Some(source) = &mut self.source {
            source.believe();
        }
    }

    /// Reads the store; `None` if its content is as before.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Untrusted`] and [`DaemonError::Store`], each logged when it begins.
    pub(super) async fn read(&mut self) -> Result<Option<PolicySet>, DaemonError> {
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        let found = source.read().await;
        if matches!(found, Found::Unchanged | Found::Changed(_)) {
            self.untrusted = None;
            self.unreadable = None;
        }
        match found {
            Found::Unchanged => Ok(None),
            Found::Changed(policy) => Ok(Some(policy)),
            Found::Untrusted(distrust) => {
                let advice = distrust.advice().into_owned();
                if self.untrusted.as_ref() != Some(&advice) {
                    log::warn!("{advice}");
                }
                self.untrusted = Some(advice);
                self.unreadable = None;
                Err(DaemonError::Untrusted(distrust))
            }
            Found::Unreadable(error) => {
                let text = chain(&error);
                if self.unreadable.as_ref() != Some(&text) {
                    log::error!("{text}; the policy in force stays");
                }
                self.unreadable = Some(text);
                Err(DaemonError::Store(error))
            }
        }
    }

    /// The state of a store of objects.
    pub(super) fn store(&self) -> Option<follow::Report> {
        self.source.as_ref()?.report()
    }

    /// Checksum of the store's content as it was read last.
    pub(super) fn checksum(&self) -> Option<String> {
        Some(self.source.as_ref()?.content().checksum())
    }

    /// Reason why the store cannot be relied on now, if any.
    pub(super) fn obstacle(&self) -> Option<String> {
        let untrusted = self.untrusted.clone();
        untrusted.or_else(|| self.unreadable.clone())
    }

    /// Reason why what is in force is not the store's content, if so.
    pub(super) fn degraded(&self) -> Option<String> {
        let refused = self.unreadable.clone().or_else(|| self.refused.clone());
        refused.or_else(|| self.kept.clone())
    }

    /// Checks that a confirmed policy could be written to the store; else returns the reason.
    pub(super) fn may_write(&self, policy: &PolicySet) -> Result<(), String> {
        let Some(source) = &self.source else {
            return Err("only `hep boot` runs; start the daemon first".to_owned());
        };
        source.may_write(policy).map_err(|error| {
            format!(
                "`hep confirm` could not put the policy into {}: {}; {}",
                source.content().base.display(),
                chain(&error),
                error.advice()
            )
        })
    }

    /// Validates a policy.
    pub(super) fn load(&mut self, policy: &PolicySet) -> Loaded {
        let node = self.node.clone();
        self.load_for(policy, &node)
    }

    /// Validates a policy for a node.
    fn load_for(&mut self, policy: &PolicySet, node: &Node) -> Loaded {
        if policy.is_of_objects() {
            self.objects.load(&policy.files, node, Scope::Store)
        } else {
            self.loader.load(&policy.files, node, Scope::Directory)
        }
    }

    /// Sets the content of the previous run, before the first read.
    pub(super) fn assume(&mut self, content: PolicySet) {
        if content.is_of_objects() {
            // What is not valid in the store now may be valid there.
            drop(self.load(&content));
        }
        if let Some(source) = &mut self.source {
            source.assume(content);
        }
    }

    /// The policy to record in place of one of which not every object is valid.
    fn recorded(&self, policy: &PolicySet, loaded: &Loaded) -> Option<PolicySet> {
        let is_kept = policy.is_of_objects() && !loaded.kept.is_empty();
        is_kept.then(|| PolicySet {
            base: policy.base.clone(),
            files: self.objects.in_force(),
            // The next run has to see again what is not valid.
            resume: None,
        })
    }

    /// Validates a policy for the name that this node has with it.
    pub(super) fn judge(&mut self, policy: &PolicySet, started: Instant) -> Judged {
        let read = started.elapsed();
        let begin = Instant::now();
        let mut loaded = self.load(policy);
        let snapshot = loaded.snapshot.as_ref();
        let name = snapshot.and_then(|snapshot| self.new_name(snapshot));
        if let Some(name) = &name {
            let node = Node {
                name: name.clone(),
                ..self.node.clone()
            };
            loaded = self.load_for(policy, &node);
        }
        self.kept = loaded.degraded();
        Judged {
            recorded: self.recorded(policy, &loaded),
            loaded,
            name,
            phases: vec![("read", read), ("validate", begin.elapsed())],
        }
    }

    /// Notes why a policy was refused, unless it was not.
    pub(super) fn note_refusal(&mut self, outcome: &Result<(), DaemonError>) {
        match outcome {
            Ok(()) => {}
            Err(DaemonError::Invalid(problems)) => self.refused = Some(refusal(problems)),
            Err(error) => self.refused = Some(chain(error)),
        }
    }

    /// The host's name, if it differs from the node's and the node follows it.
    pub(super) fn other_host_name(&self) -> Option<NodeName> {
        let host = identity::host_name();
        (self.follows_host && host != self.node.name).then_some(host)
    }

    /// The host's name, if it differs from the node's and the node should take it for this policy: an
    /// endpoint names it, or none names the node, so that no endpoint is lost (spec EV-266).
    pub(super) fn new_name(&self, snapshot: &Snapshot) -> Option<NodeName> {
        let host = self.other_host_name()?;
        let is_named = |name: &NodeName| {
            let mut endpoints = snapshot.endpoints.iter();
            endpoints.any(|endpoint| *endpoint.node == **name)
        };
        (is_named(&host) || !is_named(&self.node.name)).then_some(host)
    }
}
