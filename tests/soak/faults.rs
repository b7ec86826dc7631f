//! All or nothing: whichever system call of a load fails, a whole generation is in force, and the
//! next load succeeds.

use std::time::{Duration, Instant};

use fastrand::Rng;
use hep_tests::{daemon::Daemon, eventually, policy::endpoint, topology::Topology};

use crate::{
    chaos_dir,
    figure::Figures,
    reader::{COUNT, Open, Reader},
    states::States,
    tracer::{Calls, Fault},
};

/// How long a load may take on a busy machine, when each of its system calls is looked at.
const LIMIT: Duration = Duration::from_secs(20);
/// An interface that is added and removed.
const GUEST: &str = "guest0";

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Fail every Nth system call of a load, and of the attaching of an interface
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    step: u64,
    /// Starts of the daemon over a policy in force, with one system call that fails
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    starts: u64,
    /// Seed of the random system calls
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            step: 40,
            starts: 2,
            seed: fastrand::u64(..),
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon.directory().write("base.yaml", &chaos_dir::base());
    let guest = endpoint("guest", &format!("interfaceName: {GUEST}"));
    daemon.directory().write("guest.yaml", &guest);
    let mut fixture = Fixture {
        rng: Rng::with_seed(plan.seed),
        host: topology.host.clone(),
        states: States::default(),
        opens: 0,
    };
    fixture.next(&daemon);
    daemon.spawn();
    daemon.wait_for(1);
    let reader = Reader::new(topology, daemon.bpffs().to_owned());
    reader.during(|| {
        fixture.loads(plan, &daemon, &reader, figures);
        fixture.links(plan, &daemon, figures);
        fixture.starts(plan, &mut daemon, &reader, figures);
    });
    fixture.states.judge("all", &reader, figures);
}

struct Fixture {
    rng: Rng,
    host: hep_tests::namespace::Namespace,
    states: States,
    opens: Open,
}

impl Fixture {
    /// Writes another policy, which opens other ports.
    fn next(&mut self, daemon: &Daemon) {
        let former = self.opens;
        while self.opens == former {
            self.opens = 1 << self.rng.u16(..COUNT - 1) | 1 << self.rng.u16(..COUNT - 1);
        }
        self.states.add(self.opens, Instant::now());
        let text = chaos_dir::policy(0, self.opens);
        daemon.directory().write("p0.yaml", &text);
    }

    fn is_in_force(&self, reader: &Reader) -> bool {
        eventually(LIMIT, || reader.now() == self.opens)
    }

    /// One load for each system call that a load makes, with that one failing.
    fn loads(&mut self, plan: &Plan, daemon: &Daemon, reader: &Reader, figures: &mut Figures) {
        let fault = Fault::new(Calls::All);
        let process = daemon.process().expect("it runs");
        let (mut faults, mut survived, mut followed) = (0_u64, 0_u64, 0_u64);
        fault.during(process, || {
            for number in (0..).step_by(usize::try_from(plan.step).unwrap_or(1)) {
                let former = self.opens;
                fault.arm(number);
                self.next(daemon);
                eventually(LIMIT, || fault.has_struck() || reader.now() == self.opens);
                // A load that failed is over soon, and so is what follows one that did not.
                std::thread::sleep(Duration::from_millis(150));
                let is_whole = [former, self.opens].contains(&reader.now());
                if !fault.disarm() {
                    break;
                }
                faults += 1;
                survived += u64::from(is_whole);
                self.next(daemon);
                followed += u64::from(self.is_in_force(reader));
                self.states.last_is_in_force();
            }
        });
        figures.tell("loads with a system call that failed", faults);
        for (name, count) in fault.failed() {
            figures.tell(format!("  {name}"), count);
        }
        figures.exactly("of these, a whole generation in force", survived, faults);
        figures.exactly("of these, the next load succeeded", followed, faults);
        figures.exactly("loads failed, and there were calls", faults > 0, true);
    }

    /// Adds an interface for each system call that attaches it, with that one failing.
    fn links(&self, plan: &Plan, daemon: &Daemon, figures: &mut Figures) {
        let fault = Fault::new(Calls::Links);
        let process = daemon.process().expect("it runs");
        let (mut faults, mut attached) = (0_u64, 0_u64);
        fault.during(process, || {
            for number in (0..).step_by(usize::try_from(plan.step).unwrap_or(1)) {
                fault.arm(number);
                self.host.ip(&format!(
                    "link add {GUEST} type veth peer name far0\nlink set {GUEST} up"
                ));
                // Attached again by itself, if a call failed.
                let is_attached = eventually(LIMIT, || has_both_hooks(daemon));
                let has_struck = fault.disarm();
                self.host.ip(&format!("link del {GUEST}"));
                eventually(LIMIT, || !is_known(daemon));
                if !has_struck {
                    break;
                }
                faults += 1;
                attached += u64::from(is_attached);
            }
        });
        figures.tell("interfaces attached with a system call that failed", faults);
        for (name, count) in fault.failed() {
            figures.tell(format!("  {name}"), count);
        }
        figures.exactly("of these, attached at both hooks later", attached, faults);
    }

    /// Starts of the daemon, each with a random system call that fails.
    fn starts(&mut self, plan: &Plan, daemon: &mut Daemon, reader: &Reader, figures: &mut Figures) {
        let fault = Fault::new(Calls::All);
        let (mut faults, mut followed) = (0_u64, 0_u64);
        for _ in 0..plan.starts {
            daemon.crash();
            fault.arm(self.rng.u64(..700));
            self.next(daemon);
            daemon.spawn();
            let process = daemon.process().expect("it was started");
            fault.during(process, || {
                eventually(LIMIT, || {
                    fault.has_struck() || reader.now() == self.opens || daemon.process().is_none()
                });
                std::thread::sleep(Duration::from_millis(150));
            });
            faults += u64::from(fault.disarm());
            daemon.crash();
            daemon.spawn();
            followed += u64::from(self.is_in_force(reader));
            self.states.last_is_in_force();
        }
        figures.tell("starts with a system call that failed", faults);
        for (name, count) in fault.failed() {
            figures.tell(format!("  {name}"), count);
        }
        figures.exactly(
            "starts after which the next start succeeded",
            followed,
            plan.starts,
        );
    }
}

/// Whether that interface is on record.
fn is_known(daemon: &Daemon) -> bool {
    daemon.show("interfaces").to_string().contains(GUEST)
}

fn has_both_hooks(daemon: &Daemon) -> bool {
    let interfaces = daemon.show("interfaces");
    let interfaces = interfaces.as_array().expect("a list of interfaces");
    interfaces.iter().any(|interface| {
        interface["name"] == GUEST
            && interface["hooks"]["ingress"] != "missing"
            && interface["hooks"]["egress"] != "missing"
    })
}
