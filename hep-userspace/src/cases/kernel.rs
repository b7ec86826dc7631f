//! The kernel engine: the shipped programs on compiled tables, run on crafted frames.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use hep_common::{Direction, counter::Reason, settings::Timeouts};

use super::{
    LoadedCase, NamespaceError,
    frame::{EMBEDDED_PROTOCOL, frames},
    namespace,
};
use crate::{
    compile::{self, CompileError, Description, Generation, RuleDescription, Slots},
    datapath::{FlowRoom, Kernel, KernelError, LoadOptions},
    model::{LinkLayer, LogLevel},
    reference::{Packet, Place},
};

/// Flows that the engine's tables of established ones hold; no packet of a case gets there.
const FLOWS: u32 = 64;
/// Flows after which the tables are cleared anyhow.
const MOST_FLOWS: usize = 4096;
/// Interfaces that the engine's tables hold.
const INTERFACES: u32 = 64;
/// No packet of a case waits.
const LONG: Duration = Duration::from_secs(3600);

/// Why the kernel engine cannot judge.
#[derive(Debug, thiserror::Error)]
pub enum KernelEngineError {
    /// There is no network namespace for it.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The programs or tables were refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The resources do not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A packet names an interface that the case does not have.
    #[error("no interface {0}")]
    Interface(String),
    /// The programs dropped a packet without telling why.
    #[error("the programs recorded no decision about a packet they dropped")]
    NoDecision,
    /// The programs recorded a reason that does not exist.
    #[error("the programs gave reason number {0}")]
    Reason(u8),
}

/// Verdict of the programs on a packet.
#[derive(Clone, Debug)]
pub struct KernelVerdict {
    /// Whether it passes, by the program's return value.
    pub passes: bool,
    /// Why.
    pub reason: Reason,
    /// Whether it was classified as forwarded.
    pub forwarded: bool,
    /// The rule that decided.
    pub rule: Option<RuleDescription>,
    /// Whether a later fragment passes, if there is one; the rest is about the first.
    pub later_passes: Option<bool>,
}

impl KernelVerdict {
    /// The rule or stage that decided.
    #[must_use]
    pub fn place(&self) -> Place {
        self.rule
            .as_ref()
            .map_or_else(Place::default, |rule| Place {
                stage: rule.stage.clone(),
                tier: rule.tier.clone(),
                policy: rule.policy.clone(),
                rule: rule.rule.clone(),
                action: rule.action.clone(),
                file: rule.file.clone(),
                line: rule.line,
            })
    }

    /// The steps to the verdict, as far as the programs record them.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        let kind = if self.forwarded {
            "forwarded"
        } else {
            "to or from this host"
        };
        let rule = match &self.rule {
            Some(rule) => format!("slot {}: {}", rule.slot, rule.matches),
            None => "no rule decided".to_owned(),
        };
        vec![format!("taken as {kind}"), rule]
    }
}

/// The programs in a network namespace of the calling thread; nothing is pinned or attached.
pub struct KernelEngine {
    kernel: Kernel,
    devices: Vec<u32>,
    loaded: Description,
    interfaces: Vec<(Arc<str>, u32)>,
    /// Those whose frames begin with the IP header.
    headerless: BTreeSet<u32>,
    /// Addresses of the case's interfaces.
    own: BTreeSet<IpAddr>,
    /// Addresses in the mirror of local addresses.
    local: BTreeSet<IpAddr>,
    /// Addresses, the lower first, and protocols of flows that the tables may hold.
    flows: HashSet<(IpAddr, IpAddr, u8)>,
}

impl KernelEngine {
    /// Loads the programs. The calling thread moves into a network namespace of its own and stays
    /// there.
    ///
    /// # Errors
    ///
    /// [`KernelEngineError`] without the needed privileges.
    pub fn new() -> Result<Self, KernelEngineError> {
        let devices = namespace::enter()?;
        let kernel = Kernel::open(&LoadOptions {
            pins: None,
            flows: FlowRoom::uniform(FLOWS),
            connections: Vec::new,
            interfaces: INTERFACES,
            log_level: LogLevel::Off,
            record_decisions: true,
        })?;
        Ok(Self {
            kernel,
            devices,
            loaded: Description::default(),
            interfaces: Vec::new(),
            headerless: BTreeSet::new(),
            own: BTreeSet::new(),
            local: BTreeSet::new(),
            flows: HashSet::new(),
        })
    }

    /// Interface indexes of the devices that represent a case's interfaces.
    #[must_use]
    pub fn devices(&self) -> &[u32] {
        &self.devices
    }

    /// Compiles a case and puts it in force.
    ///
    /// # Errors
    ///
    /// [`KernelEngineError`] if the compiler or the kernel refuses.
    pub fn load(&mut self, case: &LoadedCase) -> Result<(), KernelEngineError> {
        let mut generation = Self::compile(case)?;
        self.kernel.apply(&mut generation)?;
        self.kernel.clear_fragments()?;
        self.loaded = generation.description;
        self.own = case
            .interfaces
            .iter()
            .flat_map(|interface| interface.addresses.iter().copied())
            .collect();
        self.interfaces = case
            .interfaces
            .iter()
            .map(|interface| (Arc::clone(&interface.name), interface.ifindex))
            .collect();
        self.headerless = case
            .interfaces
            .iter()
            .filter(|interface| interface.link_layer == LinkLayer::None)
            .map(|interface| interface.ifindex)
            .collect();
        Ok(())
    }

    fn compile(case: &LoadedCase) -> Result<Generation, CompileError> {
        let long = u64::try_from(LONG.as_nanos()).unwrap_or(u64::MAX);
        let options = compile::Options {
            behaviour: case.options.behaviour,
            any_icmp: case.options.any_icmp,
            fragment_timeout: LONG,
            timeouts: Timeouts {
                tcp_syn_sent_ns: long,
                tcp_established_ns: long,
                tcp_fins_seen_ns: long,
                tcp_reset_seen_ns: long,
                udp_ns: long,
                icmp_ns: long,
                generic_ns: long,
            },
        };
        compile::compile(
            &case.snapshot,
            &case.node,
            &case.interfaces,
            &options,
            &Slots::default(),
        )
    }

    /// Runs packets through the programs, each as the first of a new flow.
    ///
    /// # Errors
    ///
    /// [`KernelEngineError`] if the kernel refuses to run one.
    pub fn judge(&mut self, packets: &[Packet]) -> Result<Vec<KernelVerdict>, KernelEngineError> {
        // What a case says about a packet has to be what the programs find out: at ingress by the
        // destination, at egress by the source. Changing the mirror of local addresses is slow, so
        // those packets come together that need addresses in it.
        let mut verdicts: Vec<Option<KernelVerdict>> = packets.iter().map(|_| None).collect();
        for kind in [Kind::Martian, Kind::In, Kind::Out, Kind::Other] {
            let of_kind = |packet: &&Packet| self.kind(packet) == kind;
            let here = packets.iter().filter(of_kind);
            let own: BTreeSet<IpAddr> = here.filter_map(|packet| kind.own(packet)).collect();
            // What comes from another packet's own address would be a martian beside that. (The mirror
            // has IPv4 addresses mapped.)
            let seen: BTreeSet<IpAddr> = own.iter().map(IpAddr::to_canonical).collect();
            let is_alone = |packet: &Packet| kind == Kind::In && seen.contains(&packet.source);
            for alone in [false, true] {
                for (packet, verdict) in packets.iter().zip(&mut verdicts) {
                    if self.kind(packet) != kind || is_alone(packet) != alone {
                        continue;
                    }
                    let needed = if alone {
                        kind.own(packet).into_iter().collect()
                    } else {
                        own.clone()
                    };
                    self.set_local(needed)?;
                    *verdict = Some(self.judge_one(packet)?);
                }
            }
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Which address of the packet must be in the mirror of local addresses.
    fn kind(&self, packet: &Packet) -> Kind {
        match packet.direction {
            Direction::Ingress if packet.source.is_ipv4() && self.own.contains(&packet.source) => {
                Kind::Martian
            }
            Direction::Ingress if !packet.forwarded && !is_for_everyone(packet.destination) => {
                Kind::In
            }
            Direction::Egress if !packet.forwarded => Kind::Out,
            Direction::Ingress | Direction::Egress => Kind::Other,
        }
    }

    fn set_local(&mut self, addresses: BTreeSet<IpAddr>) -> Result<(), KernelError> {
        if self.local != addresses {
            self.kernel.set_local(&addresses.clone().into())?;
            self.local = addresses;
        }
        Ok(())
    }

    /// Removes every flow to which the packet, or an ICMP error in it, could belong.
    fn forget_flows_of(&mut self, packet: &Packet) -> Result<(), KernelError> {
        let key = |protocol| {
            let (a, b) = (packet.source, packet.destination);
            (a.min(b), a.max(b), protocol)
        };
        let known = |protocol| self.flows.contains(&key(protocol));
        if known(packet.protocol) || known(EMBEDDED_PROTOCOL) || self.flows.len() > MOST_FLOWS {
            self.kernel.clear_flows()?;
            self.flows.clear();
        }
        self.flows.insert(key(packet.protocol));
        Ok(())
    }

    fn judge_one(&mut self, packet: &Packet) -> Result<KernelVerdict, KernelEngineError> {
        let ifindex = self
            .interfaces
            .iter()
            .find(|(name, _)| *name == packet.interface)
            .map(|(_, ifindex)| *ifindex)
            .ok_or_else(|| KernelEngineError::Interface(packet.interface.to_string()))?;
        let ingress_ifindex = match (packet.direction, packet.forwarded) {
            (Direction::Egress, true) => self.other_device(ifindex),
            (Direction::Ingress, _) | (Direction::Egress, false) => 0,
        };
        self.forget_flows_of(packet)?;
        let outcomes = frames(packet, self.headerless.contains(&ifindex))
            .iter()
            .map(|frame| {
                self.kernel
                    .test_run(packet.direction, ifindex, ingress_ifindex, frame)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (outcome, later_passes) = match &outcomes[..] {
            [first, later] => (first, Some(later.accepted)),
            [first, ..] => (first, None),
            [] => return Err(KernelEngineError::NoDecision),
        };
        let Some(decision) = outcome.decision else {
            // Where nothing is policed the programs look no further, and leave no record.
            return if outcome.accepted {
                Ok(KernelVerdict {
                    passes: true,
                    reason: Reason::Unpoliced,
                    forwarded: packet.forwarded,
                    rule: None,
                    later_passes,
                })
            } else {
                Err(KernelEngineError::NoDecision)
            };
        };
        Ok(KernelVerdict {
            passes: outcome.accepted,
            reason: Reason::try_from(decision.reason).map_err(KernelEngineError::Reason)?,
            forwarded: decision.forwarded != 0,
            rule: self.rule(decision.slot),
            later_passes,
        })
    }

    fn other_device(&self, ifindex: u32) -> u32 {
        let other = self.devices.iter().find(|device| **device != ifindex);
        other.copied().unwrap_or(ifindex)
    }

    fn rule(&self, slot: u32) -> Option<RuleDescription> {
        let rules = &self.loaded.rules;
        let found = rules.binary_search_by_key(&slot, |rule| rule.slot).ok()?;
        rules.get(found).map(|rule| RuleDescription::clone(rule))
    }
}

/// Which addresses of a packet must be in the mirror of local addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It comes from an address of the case's interfaces.
    Martian,
    /// It is for this host.
    In,
    /// This host sends it.
    Out,
    /// None.
    Other,
}

impl Kind {
    /// The address that must be in the mirror.
    const fn own(self, packet: &Packet) -> Option<IpAddr> {
        match self {
            Self::Martian | Self::Out => Some(packet.source),
            Self::In => Some(packet.destination),
            Self::Other => None,
        }
    }
}

/// Groups and the limited broadcast, which are local whatever the mirror holds (EV-095).
const fn is_for_everyone(destination: IpAddr) -> bool {
    match destination {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}
