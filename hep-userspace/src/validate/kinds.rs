//! API groups and kinds: which are read, which are skipped with a notice, and which are mistakes
//! (RS-001, RS-132 to RS-137, RS-308, RS-309).

use super::{
    cursor::{Value, nearest, one_of},
    names::NameRule,
    object::Object,
};

/// Handling of objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    HostEndpoint,
    Profile,
    Policy,
    StagedPolicy,
    Tier,
    GlobalSet,
    /// A set of a namespace.
    NamespacedSet,
    Felix,
    /// Skipped, with a notice of why it has no effect.
    Skipped(&'static str),
}

const NAMESPACED: &str = "policies of a namespace never apply to hosts";
const NOT_POLICY: &str = "it is not about host policy";
const NODE: &str = "the daemon takes its node's name from its own configuration";
const WORKLOADS: &str = "workloads are another component's job";

/// Kinds by name; those that are read come first.
pub(super) const KINDS: [(&str, Kind); 28] = [
    ("HostEndpoint", Kind::HostEndpoint),
    ("Profile", Kind::Profile),
    ("GlobalNetworkPolicy", Kind::Policy),
    ("StagedGlobalNetworkPolicy", Kind::StagedPolicy),
    ("Tier", Kind::Tier),
    ("GlobalNetworkSet", Kind::GlobalSet),
    ("FelixConfiguration", Kind::Felix),
    ("NetworkSet", Kind::NamespacedSet),
    ("NetworkPolicy", Kind::Skipped(NAMESPACED)),
    ("StagedNetworkPolicy", Kind::Skipped(NAMESPACED)),
    ("StagedKubernetesNetworkPolicy", Kind::Skipped(NAMESPACED)),
    ("WorkloadEndpoint", Kind::Skipped(WORKLOADS)),
    ("Node", Kind::Skipped(NODE)),
    ("KubeControllersConfiguration", Kind::Skipped(NOT_POLICY)),
    ("IPPool", Kind::Skipped(NOT_POLICY)),
    ("IPReservation", Kind::Skipped(NOT_POLICY)),
    ("BGPConfiguration", Kind::Skipped(NOT_POLICY)),
    ("BGPFilter", Kind::Skipped(NOT_POLICY)),
    ("BGPPeer", Kind::Skipped(NOT_POLICY)),
    ("IPAMBlock", Kind::Skipped(NOT_POLICY)),
    ("IPAMConfig", Kind::Skipped(NOT_POLICY)),
    ("IPAMConfiguration", Kind::Skipped(NOT_POLICY)),
    ("IPAMHandle", Kind::Skipped(NOT_POLICY)),
    ("CalicoNodeStatus", Kind::Skipped(NOT_POLICY)),
    ("ClusterInformation", Kind::Skipped(NOT_POLICY)),
    ("BlockAffinity", Kind::Skipped(NOT_POLICY)),
    ("RemoteClusterConfiguration", Kind::Skipped(NOT_POLICY)),
    ("LiveMigration", Kind::Skipped(NOT_POLICY)),
];

/// Kinds that are read.
const READ: usize = 8;

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

impl Kind {
    /// The kind of this name, spelled as Calico spells it.
    pub(super) fn of(name: &str) -> Option<(&'static str, Self)> {
        KINDS.iter().find(|(known, _)| *known == name).copied()
    }

    /// Which names it may have.
    pub(super) const fn name_rule(self) -> NameRule {
        match self {
            Self::Tier => NameRule::Label,
            Self::Policy | Self::StagedPolicy => NameRule::Policy,
            Self::HostEndpoint
            | Self::Profile
            | Self::GlobalSet
            | Self::NamespacedSet
            | Self::Felix
            | Self::Skipped(_) => NameRule::Subdomain,
        }
    }
}

/// Whether a word differs from a valid one by at most [`MISTYPED`] letters, ignoring case.
fn is_mistyped(word: &str, known: &str) -> bool {
    // The distance costs the product of the lengths.
    word.len() <= known.len() + MISTYPED
        && strsim::damerau_levenshtein(&word.to_ascii_lowercase(), &known.to_ascii_lowercase())
            <= MISTYPED
}

/// Whether an object of another group is called like something that is read, or nearly so.
pub(super) fn looks_read(kind: &str) -> bool {
    let kind = kind.strip_suffix("List").unwrap_or(kind);
    // Kubernetes has a kind of its own that is called so.
    kind != "NetworkPolicy"
        && KINDS[..READ]
            .iter()
            .any(|(known, _)| is_mistyped(kind, known))
}

/// Reports an `apiVersion` with a mistake.
pub(super) fn wrong_version(value: &Value<'_>) {
    value.error::<()>(
        "E-KIND",
        "is not a known API version",
        format!("write {VERSION}"),
    );
}

/// Notes that an object of another group is skipped. If single files are checked, every object must be
/// valid, so that there it is an error (`Loader`).
pub(super) fn notice_other(value: &Value<'_>, version: &str, kind: &str) {
    value.notice(
        super::OTHER_GROUP,
        format!("{version} {kind} is not a Calico resource, and is skipped"),
        "",
    );
}

/// Reports a `kind` that Calico does not have.
pub(super) fn unknown_kind(object: &Object<'_>) {
    let Some(value) = object.required("kind", "write the kind, such as kind: GlobalNetworkPolicy")
    else {
        return;
    };
    let Some(text) = value.text() else { return };
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let advice = match nearest(text, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write {}", one_of(&names[..READ])),
    };
    value.error::<()>("E-KIND", "is not a known kind", advice);
}
