//! Kinds of resources, and their identities.

use std::{fmt, sync::Arc};

/// Whether resources of a kind belong to a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    Global,
    Namespaced,
}

/// Makes [`Kind`] of the kinds' names, plurals and short names.
macro_rules! kinds {
    ($($kind:ident, $plural:literal, $space:ident, [$($alias:literal),*];)*) => {
        /// A kind of Calico's resources.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(
                #[doc = concat!("`kind: ", stringify!($kind), "`.")]
                $kind,
            )*
        }

        impl Kind {
            /// All of them: those that concern hosts, then the others.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            /// The name, as `kind` has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)*
                }
            }

            /// The plural, as keys of etcd and paths of the Kubernetes API have it.
            #[must_use]
            pub const fn plural(self) -> &'static str {
                match self {
                    $(Self::$kind => $plural,)*
                }
            }

            /// Its other names on a command line, as calicoctl has them.
            #[must_use]
            pub const fn aliases(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => &[$($alias),*],)*
                }
            }

            const fn space(self) -> Space {
                match self {
                    $(Self::$kind => Space::$space,)*
                }
            }
        }
    };
}

kinds! {
    HostEndpoint, "hostendpoints", Global, ["hep", "heps"];
    Profile, "profiles", Global, ["pro", "pros"];
    GlobalNetworkPolicy, "globalnetworkpolicies", Global, ["gnp", "gnps"];
    StagedGlobalNetworkPolicy, "stagedglobalnetworkpolicies", Global, ["sgnp", "sgnps"];
    Tier, "tiers", Global, [];
    GlobalNetworkSet, "globalnetworksets", Global, ["gnetsets"];
    FelixConfiguration, "felixconfigurations", Global, ["felixconfig", "felixconfigs"];
    NetworkSet, "networksets", Namespaced, [];
    NetworkPolicy, "networkpolicies", Namespaced, [];
    StagedNetworkPolicy, "stagednetworkpolicies", Namespaced, [];
    StagedKubernetesNetworkPolicy, "stagedkubernetesnetworkpolicies", Namespaced, [];
    WorkloadEndpoint, "workloadendpoints", Namespaced, [];
    Node, "nodes", Global, ["no", "nos"];
    KubeControllersConfiguration, "kubecontrollersconfigurations", Global,
        ["kubecontrollersconfig", "kubecontrollersconfigs"];
    IPPool, "ippools", Global, [];
    IPReservation, "ipreservations", Global, [];
    BGPConfiguration, "bgpconfigurations", Global, [];
    BGPFilter, "bgpfilters", Global, [];
    BGPPeer, "bgppeers", Global, [];
    IPAMBlock, "ipamblocks", Global, [];
    IPAMConfig, "ipamconfigs", Global, [];
    IPAMConfiguration, "ipamconfigurations", Global, [];
    IPAMHandle, "ipamhandles", Global, [];
    CalicoNodeStatus, "caliconodestatuses", Global, [];
    ClusterInformation, "clusterinformations", Global, ["clusterinfo", "clusterinfos"];
    BlockAffinity, "blockaffinities", Global, [];
    RemoteClusterConfiguration, "remoteclusterconfigurations", Global, [];
    LiveMigration, "livemigrations", Namespaced, [];
}

impl Kind {
    /// The kind of this name, spelled as Calico spells it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind that a command line means: its name, its plural or a short name, in any case.
    #[must_use]
    pub fn meant(word: &str) -> Option<Self> {
        let is_meant = |kind: &Self| {
            let names = [kind.name(), kind.plural()];
            let mut words = names.iter().chain(kind.aliases());
            words.any(|known| known.eq_ignore_ascii_case(word))
        };
        Self::ALL.into_iter().find(is_meant)
    }

    /// Whether its resources belong to a namespace.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        self.space() == Space::Namespaced
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Identity of a resource: no two have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, if its kind has them.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
}

impl ResourceId {
    /// A resource without a namespace.
    #[must_use]
    pub fn global(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            namespace: None,
            name: name.into(),
        }
    }

    /// `namespace/name`, or the name alone.
    #[must_use]
    pub fn full_name(&self) -> Arc<str> {
        match &self.namespace {
            Some(namespace) => Arc::from(format!("{namespace}/{}", self.name)),
            None => Arc::clone(&self.name),
        }
    }
}

impl fmt::Display for ResourceId {
    /// `Kind/name` or `Kind/namespace/name`; not escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.full_name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_word_means_one_kind() {
        let mut words: BTreeMap<String, Kind> = BTreeMap::new();
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
            let mut names = vec![kind.name().to_ascii_lowercase(), kind.plural().to_owned()];
            names.extend(kind.aliases().iter().map(ToString::to_string));
            for word in names {
                assert_eq!(words.insert(word.clone(), kind), None, "{word}");
            }
        }
        for (word, kind) in [
            ("GNP", Kind::GlobalNetworkPolicy),
            ("heps", Kind::HostEndpoint),
            ("Tiers", Kind::Tier),
        ] {
            assert_eq!(Kind::meant(word), Some(kind), "{word}");
        }
        assert_eq!(Kind::meant("pod"), None);
        assert_eq!(Kind::named("tier"), None);
    }

    #[test]
    fn a_resource_is_named_by_kind_namespace_and_name() {
        let tier = ResourceId::global(Kind::Tier, "net");
        let set = ResourceId {
            kind: Kind::NetworkSet,
            namespace: Some(Arc::from("prod")),
            name: Arc::from("db"),
        };
        assert_eq!(
            [tier.to_string(), set.to_string()],
            ["Tier/net", "NetworkSet/prod/db"]
        );
    }
}
