//! Brings a snapshot into force on the interfaces of this host.

use std::{borrow::Cow, collections::BTreeMap, io, sync::Arc, time::Duration};

use hep_common::Direction;

use super::{
    Options, host_endpoint, inputs,
    local_in::{Guard, LocalInStatus},
    netlink::HostNetwork,
    newcomers::{self, NewcomerWatch},
    panic_mode,
    phases::Phases,
    purpose::{AtFlip, Purpose},
    sockets,
    summary::chain,
    sysctl,
    takeover::Takeover,
    translation::Translation,
};
use crate::{
    compile::{self, CompileError, Generation, Slots, compile, compile_after},
    datapath::{
        self, FlowRoom, Kernel, KernelError, LoadOptions, OwnAddresses,
        attach::{AttachError, Attachments, Outcome, Target},
        local_in::{LocalIn, LocalInError},
    },
    model::{AttachType, Interface, NodeName, ReversePath, Snapshot},
    validate::{self, Problem},
};

/// Reason why a snapshot could not be brought into force. The previous generation stays in force unless
/// [`Self::is_in_force`].
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// The compiler refused.
    #[error("compile the policy")]
    Compile(#[from] CompileError),
    /// The kernel refused the tables or programs.
    #[error("load the policy")]
    Kernel(#[from] KernelError),
    /// The reverse-path check that policy requires cannot be set up (EV-187).
    #[error("bpfEnforceRPF: have the kernel answer about routes")]
    ReversePath(#[source] io::Error),
    /// A step after the flip failed in the kernel.
    #[error("finish the load of the policy")]
    Unfinished(#[source] KernelError),
    /// An interface could not be attached or detached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The hook behind the kernel's translation could not be attached or detached.
    #[error("judge what the kernel translates into this host")]
    LocalIn(#[from] LocalInError),
}

impl EnforceError {
    /// Whether the new rules are in force where programs are attached; the rest can be tried again.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        match self {
            Self::Compile(_) | Self::Kernel(_) | Self::ReversePath(_) => false,
            Self::Unfinished(_) | Self::Attach(_) | Self::LocalIn(_) => true,
        }
    }
}

/// The result of bringing a snapshot into force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforced {
    /// The generation in force.
    pub generation: u32,
    /// Whether that generation is new.
    pub is_new: bool,
    /// Interfaces that got programs they did not have, or a newer program.
    pub attached: usize,
    /// Interfaces that lost their programs.
    pub detached: usize,
    /// Entries of all tables, and the number of them that were written; zeros if nothing was loaded.
    pub entries: [usize; 2],
    /// Name and duration of each phase, in order.
    pub phases: Vec<(&'static str, Duration)>,
}

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
    /// Counter slots that a previous daemon assigned.
    slots: Slots,
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
    /// Creates a reconciler without loading anything; `slots` are those of the generation in force, and new
    /// generations are greater than `floor`.
    #[must_use]
    pub fn new(options: Options, attachments: Attachments, slots: Slots, floor: u32) -> Self {
        Self {
            node: options.node.clone(),
            local_in: Guard::new(LocalIn::new(datapath::links_directory(&options.bpffs))),
            options,
            attachments,
            kernel: None,
            network: HostNetwork::default(),
            classified: None,
            last: None,
            slots,
            is_cold: false,
            is_adopted: false,
            floor,
            is_panic: false,
            newcomers: None,
        }
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

    /// The snapshot as it is enforced: completed, and restricted during a panic.
    fn effective<'a>(&self, snapshot: &'a Snapshot) -> Cow<'a, Snapshot> {
        let completed = self.completed(snapshot);
        if self.is_panic {
            Cow::Owned(panic_mode::restrict(completed.into_owned(), &self.node))
        } else {
            completed
        }
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
        let options = compile::Options {
            nd_exempt: self.options.nd_exempt,
            ra_exempt: self.options.ra_exempt,
            revalidate: self.options.revalidate && !self.is_panic,
            bypass_mark: self.options.bypass_mark,
            deny_events: self.options.deny_events,
            any_icmp: false,
            fragment_timeout: sysctl::fragment_timeout(felix.fragment_timeout),
            timeouts: sysctl::timeouts(&felix.timeouts),
        };
        let (node, interfaces) = (&self.node, &self.network.interfaces);
        let snapshot = self.effective(snapshot);
        let mut generation = match &self.last {
            Some(last) => compile_after(&snapshot, node, interfaces, &options, last),
            None => compile(&snapshot, node, interfaces, &options, &self.slots),
        }?;
        generation.description.inputs = self.inputs(&options);
        Ok(generation)
    }

    /// Likely mistakes in a valid snapshot, by itself and on the present interfaces.
    #[must_use]
    pub fn warnings(&self, snapshot: &Snapshot) -> Vec<Problem> {
        let snapshot = self.completed(snapshot);
        let node = &self.node;
        let mut problems = validate::advice(&snapshot, node);
        problems.extend(compile::warnings(&snapshot, node, &self.network.interfaces));
        problems
    }

    /// Adds the generated endpoint to the snapshot, if the option is set.
    #[must_use]
    pub fn completed<'a>(&self, snapshot: &'a Snapshot) -> Cow<'a, Snapshot> {
        if !self.options.auto_host_endpoint {
            return Cow::Borrowed(snapshot);
        }
        host_endpoint::complete(
            snapshot,
            &self.node,
            &self.options.node_labels,
            &self.network.interfaces,
        )
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

    /// Attaches the programs where the generation in force has rules, and detaches them elsewhere. Returns
    /// the number of interfaces that got programs they did not have or newer ones, and that lost theirs.
    ///
    /// # Errors
    ///
    /// [`EnforceError::Attach`] and [`EnforceError::Unfinished`]; trying again is safe.
    pub async fn attach(&mut self, snapshot: &Snapshot) -> Result<(usize, usize), EnforceError> {
        let (Some(kernel), Some(generation)) = (&mut self.kernel, &self.last) else {
            return Ok((0, 0));
        };
        let names: BTreeMap<u32, Arc<str>> = self
            .network
            .interfaces
            .iter()
            .map(|interface| (interface.ifindex, Arc::clone(&interface.name)))
            .collect();
        if !self.is_adopted {
            kernel.carry_over().map_err(EnforceError::Unfinished)?;
            let directories = datapath::all_links_directories(&self.options.bpffs);
            for links in directories.map_err(EnforceError::Unfinished)? {
                self.attachments.take_over(&links)?;
            }
        }
        let interfaces = &generation.description.interfaces;
        let wanted = interfaces.iter().map(|policed| policed.ifindex).collect();
        let recorded = self.attachments.recorded()?;
        let takeover = Takeover::plan(&wanted, &recorded, &names, self.is_cold);
        takeover
            .begin(kernel, &self.network)
            .map_err(EnforceError::Unfinished)?;
        let attach_type = snapshot.felix.attach_type;
        let _expedited = self.attachments.expedite_attaching(&wanted, attach_type);
        let mut attached = 0;
        let mut first_error = None;
        for interface in interfaces {
            let target = Target {
                ifindex: interface.ifindex,
                name: Arc::from(interface.name.as_str()),
            };
            match attach_both(kernel, &mut self.attachments, &target, attach_type).await {
                Ok(is_changed) => attached += usize::from(is_changed),
                // Attach the others even if one interface fails.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        takeover
            .end(kernel, &self.network)
            .map_err(EnforceError::Unfinished)?;
        let number = generation.description.generation;
        let spare = if takeover.is_whole() { number } else { 0 };
        let translation = if wanted.is_empty() {
            Translation::default()
        } else {
            self.network.translation
        };
        let guarded = self.local_in.settle(translation, kernel, spare);
        self.is_cold = false;
        if self.newcomers.is_none() {
            let rules = newcomers::Rules::of(generation, &snapshot.felix);
            match NewcomerWatch::start(kernel, &self.attachments, number, rules) {
                Ok(watch) => self.newcomers = Some(watch),
                Err(error) => log::error!("{}", chain(&error)),
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
        let watch = self.newcomers.as_ref();
        let is_new = |ifindex| watch.is_some_and(|watch| watch.polices(ifindex));
        let detached = self
            .attachments
            .detach_others(&wanted, &names, is_new)
            .await?;
        if !self.is_adopted {
            kernel.finish_adoption().map_err(EnforceError::Unfinished)?;
            self.is_adopted = true;
        }
        guarded?;
        Ok((attached, detached))
    }
}

async fn attach_both(
    kernel: &mut Kernel,
    attachments: &mut Attachments,
    target: &Target,
    attach_type: AttachType,
) -> Result<bool, EnforceError> {
    let mut is_changed = false;
    for direction in [Direction::Ingress, Direction::Egress] {
        let program = kernel.program(direction);
        let attached = attachments.attach(program, direction, target, attach_type);
        is_changed |= attached.await? != Outcome::Already;
    }
    Ok(is_changed)
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
