//! One of the two policies to compare.

use std::path::Path;

use crate::{
    cli::{auto::AutoHostEndpoint, host},
    compile::{self, Description, Generation, Slots, compile},
    daemon::sysctl,
    model::{Interface, Snapshot},
    source::Unit,
    validate::{self, Scope},
    view::{Failure, FailureKind, Former, Live},
};

/// A valid policy, and the generation compiled from it for this host.
pub(super) struct Side {
    pub(super) files: Vec<Unit>,
    pub(super) snapshot: Snapshot,
    pub(super) generation: Generation,
}

/// The error for a directory that cannot be read, or a policy that cannot be compiled.
pub(super) fn unusable(error: anyhow::Error) -> Failure {
    Failure {
        // The name from before there was one shape of errors.
        former: Box::new(Former {
            errors: Some(Vec::new()),
            ..Former::default()
        }),
        ..Failure::new(FailureKind::Invalid, format!("{error:#}"))
    }
}

impl Side {
    /// The description of the compiled generation.
    pub(super) const fn description(&self) -> &Description {
        &self.generation.description
    }

    /// Validates and compiles the files as the daemon would.
    pub(super) fn load(
        files: Vec<Unit>,
        (node, interfaces): (&str, &[Interface]),
        live: Option<&Live>,
        auto: &AutoHostEndpoint,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let loaded = validate::load(&files, &host::node(node.into()), Scope::Directory);
        let Some(snapshot) = loaded.snapshot else {
            let message = format!("{} is not a valid policy:", directory.display());
            return Err(Failure::invalid(message, &loaded.problems));
        };
        let snapshot = match live {
            Some(live) => live.complete(&snapshot),
            None => auto.complete(&snapshot, node, interfaces).into_owned(),
        };
        let slots = live.map_or_else(Slots::default, |live| live.description.slots.clone());
        let options = options(&snapshot, live);
        let generation = compile(&snapshot, node, interfaces, &options, &slots)
            .map_err(|error| unusable(error.into()))?;
        Ok(Self {
            files,
            snapshot,
            generation,
        })
    }
}

fn options(snapshot: &Snapshot, live: Option<&Live>) -> compile::Options {
    let felix = &snapshot.felix;
    compile::Options {
        behaviour: live.map(Live::behaviour).unwrap_or_default(),
        any_icmp: false,
        fragment_timeout: sysctl::fragment_timeout(felix.fragment_timeout),
        timeouts: sysctl::timeouts(&felix.timeouts),
    }
}
