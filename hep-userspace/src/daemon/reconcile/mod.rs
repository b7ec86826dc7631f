//! Brings a snapshot into force on the interfaces of this host.

mod attach;
mod outcome;

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Options,
    effective::{self, Host},
    inputs,
    local_in::{Guard, LocalInStatus},
    netlink::HostNetwork,
    newcomers::{self, NewcomerWatch},
    phases::Phases,
    purpose::{AtFlip, Purpose},
    sockets,
    summary::chain,
    sysctl, warnings,
};
use crate::{
    compile::{self, CompileError, Description, Generation, Slots, compile, compile_after},
    datapath::{
        self, FlowRoom, Kernel, KernelError, LoadOptions, OwnAddresses, attach::Attachments,
        local_in::LocalIn,
    },
    model::{Behaviour, Interface, NodeName, ReversePath, Snapshot},
    validate::Problem,
};

pub use outcome::{EnforceError, Enforced};

/// The state in the kernel, and the state that is wanted there.
pub struct Reconciler {
    options: Options,
    /// This node's name, which may have changed since the start.
    node: NodeName,
    attachments: Attachments,
    local_in: Guard,
    kernel: Option<Kernel>,
    network: HostNetwork,
    /// Input to the programs' classification as last written to the kernel: local addresses, and which
    /// interfaces forward.
    classified: Option<(OwnAddresses, Forwarding)>,
    /// The generation in force, if this daemon compiled it.
    last: Option<Generation>,
    /// The description of the generation that a previous daemon left in force, if any.
    left: Option<Description>,
    /// Whether no flow is known, whatever programs are attached.
    is_cold: bool,
    /// Whether every interface has the programs of this daemon.
    is_adopted: bool,
    /// Lower limit of generations: each new one is greater.
    floor: u32,
    /// Whether a panic is on: only failsafes and established flows pass, whatever the policy says.
    is_panic: bool,
    /// Polices interfaces as they appear, once there is a policy.
    newcomers: Option<NewcomerWatch>,
}

impl Reconciler {
    /// Creates a reconciler without loading anything; `left` describes the generation in force, which a
    /// previous daemon loaded, and new generations are greater than `floor`.
    #[must_use]
    pub fn new(
        options: Options,
        attachments: Attachments,
        left: Option<Description>,
        floor: u32,
    ) -> Self {
        Self {
            node: options.node.clone(),
            local_in: Guard::new(LocalIn::new(datapath::links_directory(&options.bpffs))),
            options,
            attachments,
            kernel: None,
            network: HostNetwork::default(),
            classified: None,
            last: None,
            left,
            is_cold: false,
            is_adopted: false,
            floor,
            is_panic: false,
            newcomers: None,
        }
    }

    /// First generation of the policy that a previous daemon left in force, if any.
    #[must_use]
    pub fn left_in_force(&self) -> Option<u32> {
        self.left.as_ref().map(|left| left.policy)
    }

    /// Counter slots that a previous daemon assigned.
    fn slots(&self) -> Slots {
        let left = self.left.as_ref();
        left.map_or_else(Slots::default, |left| left.slots.clone())
    }

    /// Sets whether the next [`Self::enforce`] lets only failsafes and established flows pass, or enforces
    /// the policy.
    pub fn set_panic(&mut self, is_panic: bool) {
        self.is_panic = is_panic;
    }

    /// Sets the node whose endpoints are enforced from now on.
    pub fn set_node(&mut self, node: NodeName) {
        self.node = node;
    }

    /// The network as last set.
    #[must_use]
    pub const fn network(&self) -> &HostNetwork {
        &self.network
    }

    /// Sets the network; returns whether it differs from before.
    pub fn set_network(&mut self, network: HostNetwork) -> bool {
        let is_different = self.network != network;
        self.network = network;
        if is_different && self.kernel.is_some() {
            // Before anything is compiled, which may take long; a failure is retried with the load.
            if let Err(error) = self.tell_addresses() {
                log::error!("{}", chain(&error));
            }
        }
        is_different
    }

    /// Writes this host's own addresses for the programs, and makes them reclassify flows (spec EV-259).
    fn tell_addresses(&mut self) -> Result<(), KernelError> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let now = (self.network.local.clone(), forwarding(&self.network));
        if self.classified.as_ref() == Some(&now) {
            return Ok(());
        }
        kernel.set_local(&now.0)?;
        kernel.reclassify()?;
        self.classified = Some(now);
        kernel.vouch()
    }

    /// Confirms that the programs have every address of this host; to be called every few seconds while the
    /// network is followed.
    pub fn vouch(&mut self) {
        if let Some(kernel) = &mut self.kernel
            && self.classified.is_some()
            && let Err(error) = kernel.vouch()
        {
            log::error!("{}", chain(&error));
        }
    }

    /// Whether packets that the kernel translates into this host are judged again.
    #[must_use]
    pub const fn local_in(&self) -> &LocalInStatus {
        self.local_in.status()
    }

    /// The handle of the kernel's state, once something was in force.
    pub fn kernel(&mut self) -> Option<&mut Kernel> {
        self.kernel.as_mut()
    }

    /// The generation that this daemon brought into force.
    #[must_use]
    pub fn in_force(&self) -> Option<&Generation> {
        self.last.as_ref()
    }

    /// Brings a snapshot into force on the present interfaces. Tables are filled before anything is attached
    /// (spec EV-189), so that no packet meets a program without rules.
    ///
    /// # Errors
    ///
    /// [`EnforceError`]; trying again is safe.
    pub async fn enforce(
        &mut self,
        snapshot: &Snapshot,
        mut purpose: Purpose<'_>,
    ) -> Result<Enforced, EnforceError> {
        let mut phases = Phases::default();
        let mut generation = self.compile(snapshot)?;
        let in_force = self.last.as_ref().map(|last| last.description.policy);
        generation.description.policy = match purpose {
            Purpose::Policy(_) => 0,
            Purpose::Known(policy) => policy,
            Purpose::Anew | Purpose::Interfaces => in_force.unwrap_or(0),
        };
        phases.end("compile");
        let is_new = !matches!(purpose, Purpose::Interfaces) || !self.is_in_force(&mut generation);
        let checks_path = snapshot.felix.reverse_path != ReversePath::Disabled;
        if checks_path {
            self.answer_routes(true)?;
        }
        let entries = self.apply(snapshot, generation, is_new, &mut purpose)?;
        if !checks_path {
            self.answer_routes(false)?;
        }
        phases.end("load");
        let (attached, detached) = self.attach(snapshot).await?;
        phases.end("attach");
        Ok(Enforced {
            generation: self
                .last
                .as_ref()
                .map_or(0, |last| last.description.generation),
            is_new,
            attached,
            detached,
            entries,
            phases: phases.found,
        })
    }

    /// Makes the kernel answer route lookups though it forwards nothing, or ends that.
    fn answer_routes(&self, wanted: bool) -> Result<(), EnforceError> {
        let links = datapath::links_directory(&self.options.bpffs);
        datapath::answer_routes(&links, wanted).map_err(EnforceError::ReversePath)
    }

    /// This host, as policy sees it.
    fn host(&self) -> Host<'_> {
        Host {
            node: &self.node,
            interfaces: &self.network.interfaces,
            generated: (self.options.auto_host_endpoint).then_some(&self.options.node_labels),
        }
    }

    /// Likely mistakes in a valid snapshot on this host.
    #[must_use]
    pub fn warnings(&self, snapshot: &Snapshot) -> Vec<Problem> {
        warnings::all(snapshot, &self.host())
    }

    /// The snapshot with the generated endpoint, if the option is set.
    #[must_use]
    pub fn completed<'a>(&self, snapshot: &'a Snapshot) -> Cow<'a, Snapshot> {
        effective::completed(snapshot, &self.host())
    }

    /// Whether a generation means the same as the last one.
    fn is_in_force(&self, generation: &mut Generation) -> bool {
        let Some(last) = &self.last else {
            return false;
        };
        generation.tables.settings.same_since = last.tables.settings.same_since;
        let is_same = inputs::is_same(last, generation);
        generation.tables.settings.same_since = 0;
        is_same
    }

    /// Stands for everything but the policy that a generation is compiled from.
    fn inputs(&self, options: &compile::Options) -> String {
        let of_host = (&self.node, &self.network.interfaces, self.is_panic);
        let endpoint = (self.options.auto_host_endpoint, &self.options.node_labels);
        inputs::digest(&(options, of_host, endpoint))
    }

    fn compile(&self, snapshot: &Snapshot) -> Result<Generation, CompileError> {
        let felix = &snapshot.felix;
        let behaviour = self.options.behaviour;
        let options = compile::Options {
            behaviour: Behaviour {
                revalidate: behaviour.revalidate && !self.is_panic,
                ..behaviour
            },
            any_icmp: false,
            fragment_timeout: sysctl::fragment_timeout(felix.fragment_timeout),
            timeouts: sysctl::timeouts(&felix.timeouts),
        };
        let (node, interfaces) = (&self.node, &self.network.interfaces);
        let snapshot = effective::snapshot(snapshot, &self.host(), self.is_panic);
        let mut generation = match &self.last {
            Some(last) => compile_after(&snapshot, node, interfaces, &options, last),
            None => compile(&snapshot, node, interfaces, &options, &self.slots()),
        }?;
        generation.description.inputs = self.inputs(&options);
        Ok(generation)
    }

    fn apply(
        &mut self,
        snapshot: &Snapshot,
        mut generation: Generation,
        is_new: bool,
        purpose: &mut Purpose<'_>,
    ) -> Result<[usize; 2], KernelError> {
        if self.kernel.is_none() {
            self.kernel = Some(Kernel::open(&LoadOptions {
                pins: Some(self.options.bpffs.clone()),
                flows: FlowRoom::of_host(self.options.memory_bytes, snapshot.felix.conntrack_size),
                connections: sockets::connections,
                interfaces: snapshot.felix.max_interfaces,
                log_level: snapshot.felix.bpf_log_level,
                record_decisions: false,
            })?);
        }
        self.tell_addresses()?;
        let Some(kernel) = &mut self.kernel else {
            return Ok([0; 2]);
        };
        let mut entries = [0; 2];
        if is_new {
            let is_cold = kernel.is_cold()?;
            if self.last.is_none()
                && let Some(since) = inputs::same_since(kernel, &generation.description)
            {
                generation.tables.settings.same_since = since;
            }
            let description = &mut generation.description;
            description.generation = description.generation.max(self.floor);
            let newcomers = self.newcomers.as_ref().map(|watch| {
                let rules = newcomers::Rules::of(&generation, &snapshot.felix);
                (watch.changing(), Some(rules))
            });
            let mut observer = AtFlip {
                purpose,
                generation: 0,
                newcomers,
            };
            let applied = kernel.apply_observed(&mut generation, &mut observer);
            // A number that the observer has seen names no other policy, even if the load failed.
            self.floor = self.floor.max(observer.generation);
            drop(observer);
            entries = applied?.entries_written();
            self.is_cold |= is_cold;
            self.last = Some(generation);
        }
        Ok(entries)
    }
}

/// Whether each interface forwards IPv4 and IPv6, by index.
type Forwarding = BTreeMap<u32, (bool, bool)>;

/// The forwarding state of each interface of the network.
fn forwarding(network: &HostNetwork) -> Forwarding {
    let forwards = |interface: &Interface| {
        let conf = &interface.conf;
        (conf.forwards_v4, conf.forwards_v6 || conf.is_forced_v6)
    };
    let interfaces = network.interfaces.iter();
    interfaces
        .map(|interface| (interface.ifindex, forwards(interface)))
        .collect()
}
