//! Input and result of a load besides the units.

use std::{collections::BTreeMap, fmt};

use super::{Code, Problem, rigour::Rigour};
use crate::{
    model::{NodeName, Origin, Snapshot},
    printable::Printable,
};

/// The host that resources are loaded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, as in `spec.node` of its HostEndpoints.
    pub name: NodeName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Number of its CPUs, which `bpfMapSizePerCpuConntrack` multiplies.
    pub cpus: u32,
}

/// Whether the units are the whole configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything that is configured: what a resource names must exist.
    Directory,
    /// Some of it: what is not there may be elsewhere, so it is a warning (RS-213).
    Files,
    /// The objects of a store, one a unit, which are judged one by one (DS-312).
    Store,
}

impl Scope {
    /// How strictly it is read.
    pub(super) const fn rigour(self) -> Rigour {
        match self {
            Self::Directory | Self::Files => Rigour::Strict,
            Self::Store => Rigour::Stored,
        }
    }
}

/// An object of a store whose present version is not valid, so that it is not in force (DS-312).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Key and revision of the present version.
    pub origin: Origin,
    /// Content in force in its place.
    pub instead: Instead,
    /// The first thing that is wrong with it.
    pub reason: String,
}

/// Content in force in place of an object's present version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Its last valid version, of this key and revision.
    Former(Origin),
    /// As much as can be read of it: it was never valid.
    Remains,
    /// Nothing: it was never valid, and not enough of it can be read.
    Nothing,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origin,
            instead,
            reason,
        } = self;
        let instead = match instead {
            Instead::Former(former) => match former {
                Origin::Object { revision, .. } => format!("revision {revision} stays in force"),
                Origin::File(_) | Origin::BuiltIn => "the version before stays in force".to_owned(),
            },
            Instead::Remains => "what can be read of it is in force".to_owned(),
            Instead::Nothing => "nothing of it is in force".to_owned(),
        };
        let text = format!("{origin} is not valid, and {instead}: {reason}");
        write!(f, "{}", Printable(text))
    }
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The loaded resources; `None` if there is any error, except with [`Scope::Store`]. With
    /// [`Scope::Files`] it may name tiers and profiles that it does not contain.
    pub snapshot: Option<Snapshot>,
    /// Its problems, by place; if there are more than [`MAX_PROBLEMS`][1], the last one gives the number of
    /// the others.
    ///
    /// [1]: super::MAX_PROBLEMS
    pub problems: Vec<Problem>,
    /// With [`Scope::Store`]: the objects whose present version is not in force, by key.
    pub kept: Vec<Kept>,
    /// With [`Scope::Store`]: whether a rule in force on this node needs what
    /// [`Loader::set_workloads`](super::Loader::set_workloads) is about (DS-315).
    pub needs_workloads: bool,
}

impl Loaded {
    /// The reason why the state is degraded although there is a snapshot, if it is: objects that are not
    /// valid (DS-312), or conditions that cannot be judged (DS-316).
    #[must_use]
    pub fn degraded(&self) -> Option<String> {
        let unjudged = self.problems.iter().filter(|it| it.code == Code::Unjudged);
        let kept = self.kept.iter().map(Kept::to_string);
        let mut texts = kept.chain(unjudged.map(Problem::to_string));
        let first = texts.next()?;
        match texts.count() {
            0 => Some(first),
            more => Some(format!("{first}; and {more} more")),
        }
    }
}
