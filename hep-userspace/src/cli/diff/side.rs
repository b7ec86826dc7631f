//! One of the two policies to compare.

use std::{fmt, path::Path};

use crate::{
    cli::{auto::AutoHostEndpoint, host, live::Live},
    compile::{self, Description, Generation, Slots, compile},
    daemon::sysctl,
    model::{Interface, Snapshot},
    printable::Printable,
    source::Unit,
    validate::{self, Problem, Scope, Severity},
};

/// A valid policy, and the generation compiled from it for this host.
pub(super) struct Side {
    pub(super) files: Vec<Unit>,
    pub(super) snapshot: Snapshot,
    pub(super) generation: Generation,
}

/// The problems that make a policy invalid.
#[derive(Debug)]
pub(super) struct Problems {
    /// All problems of its files.
    pub(super) found: Vec<Problem>,
    text: String,
}

impl Problems {
    /// A directory that cannot be read, or a policy that cannot be compiled.
    pub(super) fn of_reading(error: anyhow::Error) -> Self {
        Self {
            found: Vec::new(),
            text: format!("{error:#}"),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&self.text))?;
        self.found
            .iter()
            .try_for_each(|problem| write!(f, "\n{problem}"))
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
    ) -> Result<Self, Problems> {
        let loaded = validate::load(&files, &host::node(node.into()), Scope::Directory);
        let Some(snapshot) = loaded.snapshot else {
            let mut found = loaded.problems;
            found.retain(|problem| problem.severity == Severity::Error);
            let text = format!("{} is not a valid policy:", directory.display());
            return Err(Problems { found, text });
        };
        let snapshot = match live {
            Some(live) => live.complete(snapshot),
            None => auto.complete(&snapshot, node, interfaces).into_owned(),
        };
        let slots = live.map_or_else(Slots::default, |live| live.description.slots.clone());
        let options = options(&snapshot, live);
        let generation = compile(&snapshot, node, interfaces, &options, &slots)
            .map_err(|error| Problems::of_reading(error.into()))?;
        Ok(Self {
            files,
            snapshot,
            generation,
        })
    }
}

fn options(snapshot: &Snapshot, live: Option<&Live>) -> compile::Options {
    let felix = &snapshot.felix;
    let reference = live.map(Live::options).unwrap_or_default();
    compile::Options {
        nd_exempt: reference.nd_exempt,
        ra_exempt: reference.ra_exempt,
        revalidate: live.is_none_or(Live::revalidates),
        bypass_mark: reference.bypass_mark,
        deny_events: live.is_some_and(Live::reports_denials),
        any_icmp: false,
        fragment_timeout: sysctl::fragment_timeout(felix.fragment_timeout),
        timeouts: sysctl::timeouts(&felix.timeouts),
    }
}
