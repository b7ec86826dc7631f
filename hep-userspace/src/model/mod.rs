//! The resources, as types that cannot hold nonsense (spec `resources.md`).
//!
//! Everything here has been checked field by field; what spans fields or resources is `validate`'s.

mod address_bits;
mod behaviour;
mod endpoint;
mod felix;
mod host;
mod kind;
mod members;
mod metadata;
mod nets;
mod network_set;
mod node_name;
mod origin;
mod policy;
mod profile;
mod rule;
mod scalar;
mod snapshot;
mod tier;
mod workload;

pub use address_bits::AddressBits;
pub use behaviour::Behaviour;
pub use endpoint::{EndpointPort, HostEndpoint, InterfaceMatch};
pub use felix::{
    AttachType, EndpointToHostAction, FailsafePort, FelixConfiguration, LogLevel, LogRate,
    ReversePath, TimeoutSetting, Timeouts,
};
pub use host::{Conf, Interface, LinkLayer};
pub use kind::{Kind, ResourceId};
pub use members::{Bounds, Members};
pub use metadata::Metadata;
pub use nets::{NetList, Nets};
pub use network_set::GlobalNetworkSet;
pub use node_name::NodeName;
pub use origin::{ObjectKey, Origin, Position, written_at};
pub use policy::{Policy, PolicyKind, Stage, StagedAction};
pub use profile::{DEFAULT_ALLOW_PROFILE, Profile};
pub use rule::{Action, EntityRule, IcmpMatch, PortMatch, Rule};
pub use scalar::{IpFamily, PortName, PortRange, Protocol};
pub use snapshot::Snapshot;
pub use tier::{DEFAULT_TIER, DefaultAction, Tier};
pub use workload::{NAMESPACE_LABEL, Workload};
