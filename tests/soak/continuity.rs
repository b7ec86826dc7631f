//! No gap: traffic continues while policies are swapped, and daemons killed, upgraded and downgraded.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use hep_tests::{daemon::Daemon, hep, topology::Topology};

use crate::{figure::Figures, policies, traffic::Traffic};

/// Least rate of the traffic, packets a second.
const RATE: f64 = 20_000.0;

/// Numbers of operations.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Policies applied
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    swaps: u64,
    /// Number of times to kill the daemon (SIGKILL) at a random moment and restart it
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    kills: u64,
    /// Number of takeovers by another build
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    upgrades: u64,
    /// Binary of the other build
    #[arg(long, value_name = "PATH", env = "HEP_OTHER_BUILD")]
    other_build: Option<PathBuf>,
    /// Number of takeovers by a build with another `ABI_VERSION`, or from it
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    abis: u64,
    /// Seed of the random moments
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Required packets per second; 0 on a machine with other load
    #[arg(long, value_name = "NUMBER", default_value_t = RATE)]
    rate: f64,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            swaps: 5,
            kills: 3,
            upgrades: 2,
            abis: 2,
            rate: 0.0,
            ..self
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    let mut number = 0;
    daemon.directory().write(FILE, &policies::variant(number));
    let start = Instant::now();
    daemon.spawn();
    daemon.wait_for(1);
    let startup = start.elapsed();
    let mut traffic = Traffic::open(&topology);
    let mut next = || {
        number += 1;
        policies::variant(number)
    };

    if plan.swaps > 0 {
        let (longest, outcome) = traffic.during(|| {
            (0..plan.swaps)
                .map(|_| daemon.apply(FILE, &next()))
                .max()
                .unwrap_or_default()
        });
        figures.exactly("swaps", plan.swaps, plan.swaps);
        figures.tell("swaps: longest until in force, ms", longest.as_millis());
        outcome.report("swaps", plan.rate, figures);
    }
    if plan.kills > 0 {
        let mut rng = Rng::with_seed(plan.seed);
        let ((), outcome) = traffic.during(|| {
            for _ in 0..plan.kills {
                // Half of the daemons die while they load, or start.
                if rng.bool() {
                    daemon.directory().write(FILE, &next());
                }
                thread::sleep(startup.mul_f64(rng.f64() * 1.5));
                daemon.crash();
                daemon.spawn();
            }
            settle(&mut daemon, &next());
        });
        figures.exactly("kills", plan.kills, plan.kills);
        outcome.report("kills", plan.rate, figures);
    }
    let builds = [
        ("upgrades", plan.upgrades, plan.other_build.as_deref()),
        ("ABI changes", plan.abis, Some(hep::other_abi())),
    ];
    for (part, count, other) in builds {
        let Some(other) = other.filter(|_| count > 0) else {
            continue;
        };
        let ((), outcome) = traffic.during(|| take_turns(&mut daemon, other, count, &mut next));
        figures.exactly(part, count, count);
        outcome.report(part, plan.rate, figures);
    }
    let pins = std::fs::read_dir(daemon.bpffs()).map_or(0, Iterator::count);
    figures.exactly("directories of pins in the end", pins, 1);
}

/// The file that is swapped.
const FILE: &str = "all.yaml";

/// Starts `other` and the usual build in turn, each taking over from the one before; ends with the
/// usual one.
fn take_turns(daemon: &mut Daemon, other: &Path, count: u64, next: &mut impl FnMut() -> String) {
    for turn in (0..count).rev() {
        daemon.stop();
        daemon.install(if turn % 2 == 0 { hep::binary() } else { other });
        daemon.spawn();
        settle(daemon, &next());
    }
}

/// Waits for the daemon that was started last, and has it bring a policy into force.
fn settle(daemon: &mut Daemon, policy: &str) {
    let process = daemon.process().expect("it was started");
    let is_ready = hep_tests::eventually(Duration::from_secs(60), || {
        let said = daemon.hep(&["status", "-o", "json"]);
        let status: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_default();
        status["ready"] == true && status["daemon"]["pid"] == process.as_raw()
    });
    assert!(is_ready, "the daemon does not come up:\n{}", daemon.log());
    daemon.apply(FILE, policy);
}
