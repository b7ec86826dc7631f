//! From a case to everything that an engine needs.

use std::path::{Path, PathBuf};

use super::{Case, CaseError, Resource};
use crate::{
    model::{Behaviour, Interface, LinkLayer, NodeName, Snapshot},
    reference::{Options, Packet},
    source::Unit,
    store::directory::{self, ReadError},
    validate::{self, Node, Problem, Scope, Severity},
};

/// Why a case cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file of resources cannot be read.
    #[error(transparent)]
    Source(#[from] ReadError),
    /// The resources are not valid.
    #[error("the resources are not valid: {}", join(.0))]
    Invalid(Vec<Problem>),
    /// A packet's fields do not go together.
    #[error("packet {index}")]
    Packet {
        /// Place of the packet in the case, from 0.
        index: usize,
        /// The conflict.
        source: CaseError,
    },
    /// More interfaces than the engine has devices.
    #[error("{wanted} interfaces, but only {available} devices to stand for them")]
    Interfaces {
        /// Interfaces of the case.
        wanted: usize,
        /// Devices.
        available: usize,
    },
}

fn join(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// A case whose resources are valid and whose packets are whole.
#[derive(Clone, Debug)]
pub struct LoadedCase {
    /// The host that decides.
    pub node: NodeName,
    /// Everything that is configured.
    pub snapshot: Snapshot,
    /// The host's interfaces.
    pub interfaces: Vec<Interface>,
    /// The packets.
    pub packets: Vec<Packet>,
    /// Options of `hep run`.
    pub options: Options,
}

impl LoadedCase {
    /// Loads a case. Paths of resources start at `directory`; interfaces get the numbers of
    /// `devices` in turn.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if a file cannot be read, a resource is not valid or a packet makes no sense.
    pub fn load(case: &Case, directory: &Path, devices: &[u32]) -> Result<Self, LoadError> {
        let node = Node {
            name: case.node.as_str().into(),
            labels: Default::default(),
            cpus: 1,
        };
        let loaded = validate::load(&files(case, directory)?, &node, Scope::Directory);
        let Some(snapshot) = loaded.snapshot else {
            let is_error = |problem: &Problem| problem.severity == Severity::Error;
            let errors = loaded.problems.into_iter().filter(is_error).collect();
            return Err(LoadError::Invalid(errors));
        };
        let packets = case.packets.iter().enumerate().map(|(index, packet)| {
            packet
                .packet(case)
                .map_err(|source| LoadError::Packet { index, source })
        });
        Ok(Self {
            node: case.node.as_str().into(),
            snapshot,
            interfaces: interfaces(case, devices)?,
            packets: packets.collect::<Result<_, _>>()?,
            options: Options {
                behaviour: Behaviour {
                    nd_exempt: case.options.ipv6_nd_exempt,
                    ra_exempt: case.options.ipv6_ra_exempt,
                    ..Behaviour::default()
                },
                any_icmp: !case.options.icmp_invalid_check,
            },
        })
    }
}

/// The case's resources as files: one for each that is written out, named by its place.
fn files(case: &Case, directory: &Path) -> Result<Vec<Unit>, ReadError> {
    let mut files = Vec::new();
    for (index, resource) in case.resources.iter().enumerate() {
        match resource {
            Resource::Path(path) => {
                let path = directory.join(path);
                if path.is_dir() {
                    files.extend(directory::read(&path)?);
                } else {
                    files.push(directory::read_file(&path)?);
                }
            }
            Resource::Inline(value) => files.push(Unit::file(
                PathBuf::from(format!("{} resources[{index}]", case.id)),
                value.to_string(),
            )),
        }
    }
    Ok(files)
}

fn interfaces(case: &Case, devices: &[u32]) -> Result<Vec<Interface>, LoadError> {
    let (wanted, available) = (case.interfaces.len(), devices.len());
    if wanted > available {
        return Err(LoadError::Interfaces { wanted, available });
    }
    let interfaces = case.interfaces.iter().zip(devices);
    Ok(interfaces
        .map(|((name, addresses), ifindex)| Interface {
            name: name.as_str().into(),
            ifindex: *ifindex,
            addresses: addresses.clone(),
            link_layer: if case.headerless.contains(name) {
                LinkLayer::None
            } else {
                LinkLayer::Ethernet
            },
            is_loopback: name == "lo",
            is_member: false,
            vlan_of: None,
            ..Interface::default()
        })
        .collect())
}
