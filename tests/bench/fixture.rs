//! The programs under measurement: yardsticks, and hep's own with a policy loaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf,
    programs::{Program, SchedClassifier},
};
use hep_common::{Direction, settings::Timeouts};
use hep_tests::namespace::Namespace;
use hep_userspace::{
    compile::{self, Generation, Options, Slots, compile},
    datapath::{FlowRoom, Kernel, LoadOptions},
    model::{Behaviour, Interface, LinkLayer, LogLevel, Snapshot},
    source::Unit,
    validate::{Loader, Node, Scope},
};

use crate::policy;

/// The programs that hep's are compared with.
pub(crate) struct Yardsticks(Ebpf);

impl Yardsticks {
    /// Loads them.
    pub(crate) fn load() -> Result<Self> {
        let path = env!("HEP_YARDSTICKS");
        let mut ebpf = Ebpf::load_file(path).with_context(|| format!("load {path}"))?;
        for (_name, program) in ebpf.programs_mut() {
            if let Program::SchedClassifier(program) = program {
                program.load()?;
            }
        }
        Ok(Self(ebpf))
    }

    /// One of them.
    pub(crate) fn program(&self, name: &str) -> Result<&SchedClassifier> {
        let program = self
            .0
            .program(name)
            .with_context(|| format!("no program {name}"))?;
        Ok(program.try_into()?)
    }

    /// One of them, to be attached.
    pub(crate) fn program_mut(&mut self, name: &str) -> Result<&mut SchedClassifier> {
        let program = self
            .0
            .program_mut(name)
            .with_context(|| format!("no program {name}"))?;
        Ok(program.try_into()?)
    }
}

/// The loopback interface exists everywhere, and carries an Ethernet header in a test run.
pub(crate) const IFINDEX: u32 = 1;

/// Destination addresses of packets to this host; the bench gives them to the programs, as a daemon does.
pub(crate) const OWN_ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10)),
];

/// Loads hep's programs with the policy in `text`, on the interface [`IFINDEX`].
pub(crate) fn hep(text: &str) -> Result<Kernel> {
    let snapshot = snapshot(file(text.to_owned()))?;
    let mut kernel = empty()?;
    kernel.apply(&mut compile_for(&snapshot, IFINDEX, &Slots::default())?)?;
    kernel.set_local(&BTreeSet::from(OWN_ADDRESSES).into())?;
    Ok(kernel)
}

/// Loads hep's programs without a policy.
pub(crate) fn empty() -> Result<Kernel> {
    Ok(Kernel::open(&LoadOptions {
        pins: None,
        flows: FlowRoom::uniform(hep_common::conntrack::DEFAULT_FLOWS),
        connections: Vec::new,
        interfaces: 16,
        log_level: LogLevel::Off,
        record_decisions: false,
    })?)
}

/// A file of the policy directory.
pub(crate) fn file(text: String) -> Unit {
    file_of("bench.yaml", text)
}

/// A file of the policy directory, of this name.
pub(crate) fn file_of(name: &str, text: String) -> Unit {
    Unit::file(Path::new(name), text)
}

/// A namespace with the policed interface, for a daemon.
pub(crate) fn host(role: &str) -> Namespace {
    let host = Namespace::new(role);
    host.ip(&format!(
        "link add {} type veth peer name far0",
        policy::INTERFACE
    ));
    host
}

/// Parses and validates one file.
pub(crate) fn snapshot(file: Unit) -> Result<Snapshot> {
    snapshot_by(&mut Loader::default(), &[file])
}

/// Validates several files, with a loader that may have cached earlier versions of them.
pub(crate) fn snapshot_by(loader: &mut Loader, files: &[Unit]) -> Result<Snapshot> {
    let node = Node {
        name: policy::NODE.into(),
        labels: BTreeMap::new(),
        cpus: 1,
    };
    let loaded = loader.load(files, &node, Scope::Directory);
    match loaded.snapshot {
        Some(snapshot) => Ok(snapshot),
        None => bail!(
            "the policy of the bench is invalid: {:?}",
            loaded.problems.first()
        ),
    }
}

/// Compiles for the one policed interface.
pub(crate) fn compile_for(
    snapshot: &Snapshot,
    ifindex: u32,
    previous: &Slots,
) -> Result<Generation> {
    let interfaces = [interface(ifindex)];
    let (node, options) = (policy::NODE, options());
    Ok(compile(snapshot, node, &interfaces, &options, previous)?)
}

/// Compiles for the interface [`IFINDEX`] when `former` is in force.
pub(crate) fn compile_after(snapshot: &Snapshot, former: &Generation) -> Result<Generation> {
    let interfaces = [interface(IFINDEX)];
    let (node, options) = (policy::NODE, options());
    Ok(compile::compile_after(
        snapshot,
        node,
        &interfaces,
        &options,
        former,
    )?)
}

/// The one policed interface.
fn interface(ifindex: u32) -> Interface {
    Interface {
        name: Arc::from(policy::INTERFACE),
        ifindex,
        addresses: Vec::new(),
        link_layer: LinkLayer::Ethernet,
        is_loopback: false,
        is_member: false,
        vlan_of: None,
        ..Interface::default()
    }
}

/// The daemon's usual behaviour, with timers that no bench outlives.
fn options() -> Options {
    const HOUR_NS: u64 = 3_600_000_000_000;
    Options {
        behaviour: Behaviour::default(),
        any_icmp: false,
        fragment_timeout: Duration::from_secs(30),
        timeouts: Timeouts {
            tcp_syn_sent_ns: HOUR_NS,
            tcp_established_ns: HOUR_NS,
            tcp_fins_seen_ns: HOUR_NS,
            tcp_reset_seen_ns: HOUR_NS,
            udp_ns: HOUR_NS,
            icmp_ns: HOUR_NS,
            generic_ns: HOUR_NS,
        },
    }
}

/// Has hep judge one packet, which must be accepted.
pub(crate) fn accept(kernel: &Kernel, hook: Direction, frame: &[u8]) -> Result<()> {
    let outcome = kernel.test_run(hook, IFINDEX, 0, frame)?;
    if !outcome.accepted {
        bail!("a packet of the bench was denied");
    }
    Ok(())
}
