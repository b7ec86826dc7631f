//! The loaded programs without the daemon: packets go through `BPF_PROG_TEST_RUN`.
//!
//! Resources are text and go the daemon's way: validated, compiled, loaded. Nothing is attached and
//! nothing pinned.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use hep_common::{Direction, counter::Reason, endpoint::QUICK_INTERFACES};
use hep_userspace::{
    compile::{self, Generation, Options, Slots},
    datapath::{Flow, FlowRoom, Kernel, LoadOptions, OwnAddresses},
    model::{Behaviour, Interface, LinkLayer, LogLevel},
};

use crate::{
    address::Net,
    age, chain,
    namespace::Entered,
    packet::Packet,
    policy::NODE,
    shared::{Lease, Pool},
    snapshot::resolve,
    topology::Topology,
};
pub use crate::{
    hook::{EGRESS, FORWARD_IN, FORWARD_OUT, Hook, INGRESS, INSIDE_INGRESS},
    snapshot::load,
};

/// The interfaces of the host.
const INTERFACES: [&str; 8] = [
    "lo", "eth0", "eth1", "cali1", "tun0", "vlan5", "ib0", "odd0",
];

/// A row of a table: its name, where, what, and the reason of its verdict.
pub type Row<'a> = (&'a str, Hook, Packet, Reason);

/// The programs, loaded for the network of the worked cases plus `cali1`, a workload's interface, `tun0`, a
/// link without Ethernet headers, and devices in place of VLAN 5, IP over InfiniBand and a link of unknown
/// type.
///
/// Loading takes seconds, so tests of one process that overlap in time share one set of programs, one after
/// the other; each starts without flows.
#[derive(Debug)]
pub struct Bench {
    revalidate: bool,
    nd_exempt: bool,
    // The thread returns before the namespaces may go.
    _entered: Entered,
    loaded: Lease<Loaded>,
}

/// The state that tests share.
#[derive(Debug)]
struct Loaded {
    kernel: Kernel,
    former: Option<Generation>,
    indexes: BTreeMap<&'static str, u32>,
    topology: Topology,
}

impl Loaded {
    fn new(record_decisions: bool) -> Self {
        let topology = Topology::new();
        // The workload's interface shares the place of `eth0` in the programs' table.
        let crowded = topology.host.ifindex("eth0") + QUICK_INTERFACES;
        topology.host.ip(&format!(
            "link add cali1 index {crowded} type veth peer name far1\n\
             link set cali1 up\nlink set far1 up\n\
             link add vlan5 type veth peer name ib0\nlink add odd0 type veth peer name far2\n\
             tuntap add dev tun0 mode tun\nlink set tun0 up\n\
             route add blackhole 198.18.0.0/15\nroute add blackhole 2001:db8:dead::/48"
        ));
        let _entered = topology.host.enter();
        let mut kernel = Kernel::open(&LoadOptions {
            pins: None,
            flows: FlowRoom::uniform(4096),
            connections: Vec::new,
            interfaces: 64,
            log_level: LogLevel::Off,
            record_decisions,
        })
        .unwrap_or_else(|error| panic!("load the programs (needs root): {}", chain(&error)));
        let own = Net::both()
            .iter()
            .flat_map(|net| [net.host, net.host_inside])
            .collect();
        let shared = ["192.0.2.255", "10.0.0.255"]
            .map(|text| -> IpAddr { text.parse().expect("a literal address") })
            .into();
        let local = OwnAddresses {
            own,
            shared,
            has_networks: false,
        };
        kernel
            .set_local(&local)
            .unwrap_or_else(|error| panic!("set local addresses: {}", chain(&error)));
        Self {
            kernel,
            former: None,
            indexes: INTERFACES
                .map(|name| (name, topology.host.ifindex(name)))
                .into(),
            topology,
        }
    }
}

impl Bench {
    /// Loads the programs with these resources in force, in both families.
    ///
    /// # Panics
    ///
    /// If the resources are not valid or the kernel refuses.
    #[track_caller]
    #[must_use]
    pub fn with(resources: &[String]) -> Self {
        static POOL: Pool<Loaded> = Pool::new();
        Self::start(&POOL, true, resources)
    }

    /// Loads the programs with these resources in force, without recording reasons, as in production: for
    /// counting packets.
    ///
    /// # Panics
    ///
    /// If the resources are not valid or the kernel refuses.
    #[track_caller]
    #[must_use]
    pub fn without_reasons(resources: &[String]) -> Self {
        static POOL: Pool<Loaded> = Pool::new();
        Self::start(&POOL, false, resources)
    }

    #[track_caller]
    fn start(pool: &Pool<Loaded>, record_decisions: bool, resources: &[String]) -> Self {
        let loaded = pool.borrow(|| Loaded::new(record_decisions));
        let mut bench = Self {
            revalidate: true,
            nd_exempt: true,
            _entered: loaded.topology.host.enter(),
            loaded,
        };
        bench.apply(resources);
        bench.forget_flows();
        bench
    }

    /// Keeps established flows when policy changes, from the next generation on.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.revalidate = false;
        self
    }

    /// Has policy judge neighbour discovery, from the next generation on.
    #[must_use]
    pub fn judge_neighbour_discovery(mut self) -> Self {
        self.nd_exempt = false;
        self
    }

    /// Brings a generation of these resources into force.
    ///
    /// # Panics
    ///
    /// If they are not valid or the kernel refuses.
    #[track_caller]
    pub fn apply(&mut self, resources: &[String]) {
        let snapshot = load(resources);
        let options = Options {
            behaviour: Behaviour {
                nd_exempt: self.nd_exempt,
                revalidate: self.revalidate,
                bypass_mark: 1 << 30,
                ..Behaviour::default()
            },
            any_icmp: false,
            fragment_timeout: snapshot
                .felix
                .fragment_timeout
                .unwrap_or(Duration::from_secs(30)),
            timeouts: resolve(&snapshot.felix.timeouts),
        };
        let interfaces = self.interfaces();
        let mut generation = match &self.loaded.former {
            Some(former) => compile::compile_after(&snapshot, NODE, &interfaces, &options, former),
            None => compile::compile(&snapshot, NODE, &interfaces, &options, &Slots::default()),
        }
        .unwrap_or_else(|error| panic!("compile: {}", chain(&error)));
        self.loaded
            .kernel
            .apply(&mut generation)
            .unwrap_or_else(|error| panic!("bring into force: {}", chain(&error)));
        self.loaded.former = Some(generation);
    }

    fn interfaces(&self) -> Vec<Interface> {
        let interface = |name: &str, addresses: Vec<IpAddr>, link_layer| Interface {
            name: name.into(),
            ifindex: self.index(name),
            addresses,
            link_layer,
            is_loopback: name == "lo",
            is_member: false,
            vlan_of: None,
            ..Interface::default()
        };
        let nets = Net::both();
        vec![
            interface("lo", Vec::new(), LinkLayer::Ethernet),
            interface("eth0", nets.map(|net| net.host).into(), LinkLayer::Ethernet),
            interface(
                "eth1",
                nets.map(|net| net.host_inside).into(),
                LinkLayer::Ethernet,
            ),
            interface("cali1", Vec::new(), LinkLayer::Ethernet),
            interface("tun0", Vec::new(), LinkLayer::None),
            Interface {
                own_vlan: Some(5),
                ..interface("vlan5", Vec::new(), LinkLayer::Ethernet)
            },
            interface("ib0", Vec::new(), LinkLayer::Infiniband),
            interface("odd0", Vec::new(), LinkLayer::Unknown),
        ]
    }

    fn index(&self, interface: &str) -> u32 {
        self.loaded
            .indexes
            .get(interface)
            .copied()
            .unwrap_or_else(|| panic!("no interface {interface}"))
    }

    /// Forgets all flows and fragments.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn forget_flows(&mut self) {
        self.loaded
            .kernel
            .clear_flows()
            .and_then(|()| self.loaded.kernel.clear_fragments())
            .unwrap_or_else(|error| panic!("clear flows: {}", chain(&error)));
    }

    /// Moves the last use of every stored flow back by this time.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn age_flows(&mut self, by: Duration) {
        age::age(self.loaded.kernel.program(Direction::Ingress), by);
    }

    /// The flows that are remembered.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    #[must_use]
    pub fn flows(&self) -> Vec<Flow> {
        self.loaded
            .kernel
            .maps()
            .flows()
            .unwrap_or_else(|error| panic!("read flows: {}", chain(&error)))
    }

    /// The reason of the verdict on one packet, which may depend on those before.
    ///
    /// # Panics
    ///
    /// If the kernel refuses the packet, or verdict and reason contradict each other.
    #[track_caller]
    #[must_use]
    pub fn judge(&self, hook: Hook, packet: &Packet) -> Reason {
        let frame = match hook.interface {
            "tun0" => packet.datagram(),
            _ => packet.frame(),
        };
        self.judge_frame(hook, &frame)
    }

    /// The reason of the verdict on the bytes of a frame, which may depend on those before.
    ///
    /// # Panics
    ///
    /// If the kernel refuses the frame, or verdict and reason contradict each other.
    #[track_caller]
    #[must_use]
    pub fn judge_frame(&self, hook: Hook, frame: &[u8]) -> Reason {
        let name = hook.label();
        let (accepted, reason) = self
            .run(hook, frame)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        // A program that finds no endpoint ends before it records anything.
        let reason = reason.unwrap_or(Reason::Unpoliced);
        assert_eq!(
            accepted,
            reason.allows(),
            "{name}: verdict and reason {} contradict each other",
            reason.name()
        );
        reason
    }

    /// Runs one frame and returns whether it passes, and why if that is recorded.
    ///
    /// # Errors
    ///
    /// The kernel's error, if it did not run the program.
    pub fn run(&self, hook: Hook, frame: &[u8]) -> Result<(bool, Option<Reason>), String> {
        let outcome = self
            .loaded
            .kernel
            .test_run(
                hook.direction,
                self.index(hook.interface),
                hook.came_in_by.map_or(0, |name| self.index(name)),
                frame,
            )
            .map_err(|error| chain(&error))?;
        let reason = outcome
            .decision
            .map(|decision| Reason::try_from(decision.reason).expect("the programs know reasons"));
        Ok((outcome.accepted, reason))
    }

    /// Judges every row as the first packet of its flow.
    ///
    /// # Panics
    ///
    /// If a verdict or reason differs, with all that do.
    #[track_caller]
    pub fn expect(&mut self, rows: &[Row<'_>]) {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                self.forget_flows();
                (row, self.judge(row.1, &row.2))
            })
            .collect();
        compare(&rows);
    }

    /// Judges the rows one after another, each after all those before.
    ///
    /// # Panics
    ///
    /// If a verdict or reason differs, with all that do.
    #[track_caller]
    pub fn expect_sequence(&mut self, rows: &[Row<'_>]) {
        self.forget_flows();
        self.continue_sequence(rows);
    }

    /// Judges the rows one after another, each after all those before and the flows already there.
    ///
    /// # Panics
    ///
    /// If a verdict or reason differs, with all that do.
    #[track_caller]
    pub fn continue_sequence(&mut self, rows: &[Row<'_>]) {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row, self.judge(row.1, &row.2)))
            .collect();
        compare(&rows);
    }
}

#[track_caller]
fn compare(rows: &[(&Row<'_>, Reason)]) {
    let differences: Vec<String> = rows
        .iter()
        .filter(|((_, _, _, wanted), got)| wanted != got)
        .map(|((name, hook, packet, wanted), got)| {
            format!(
                "{name} ({}, {} → {}): expected {}, got {}",
                hook.label(),
                packet.source(),
                packet.destination(),
                wanted.name(),
                got.name()
            )
        })
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
}
