//! No lock-out: the previous policy comes back in time, whatever dies during `hep try`.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use hep_tests::{daemon::Daemon, eventually, program::program, topology::Topology};
use tempfile::TempDir;

use crate::{
    chaos_dir,
    figure::Figures,
    reader::{Open, Reader},
};

/// Ports that the policy in force opens, and those of the one on trial.
const OPENS: [Open; 2] = [0b01, 0b10];
/// How long a service manager waits before it starts what has died.
const RESTART: Duration = Duration::from_millis(500);
/// The file with the command's output.
const SAID: &str = "said";
/// How long anything may take before it counts as never.
const LIMIT: Duration = Duration::from_secs(30);

/// The process or session that dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// The command that attends the trial.
    Client,
    /// Its terminal, as when an SSH connection ends.
    Session,
    /// The daemon, which is started again.
    Daemon,
    /// The daemon, which is not.
    DaemonForGood,
    /// The daemon and the command; the daemon is started again.
    Both,
    /// Both, the network namespace, and what was pinned: a reboot.
    Namespace,
}

const VICTIMS: [Victim; 6] = [
    Victim::Client,
    Victim::Session,
    Victim::Daemon,
    Victim::DaemonForGood,
    Victim::Both,
    Victim::Namespace,
];

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Trials per victim
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    rounds: u64,
    /// Duration of each trial in seconds
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    timeout: u64,
    /// Limit in milliseconds for a late return of the previous policy
    #[arg(long, value_name = "NUMBER", default_value_t = 2000)]
    grace_ms: u64,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            rounds: 1,
            timeout: 8,
            // A debug build on a busy machine starts slowly.
            grace_ms: 20_000,
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    let timeout = Duration::from_secs(plan.timeout);
    for victim in VICTIMS {
        let mut latest = Duration::ZERO;
        let mut in_time = 0;
        for number in 0..plan.rounds {
            // At once, and in the middle.
            let delay = timeout / 2 * u32::from(number % 2 == 1);
            let late = round(victim, timeout, delay).saturating_sub(timeout);
            latest = latest.max(late);
            in_time += u64::from(late < Duration::from_millis(plan.grace_ms));
        }
        figures.exactly(
            format!("{victim:?} dies: the policy before back in time"),
            in_time,
            plan.rounds,
        );
        figures.tell(
            format!("{victim:?} dies: latest after the timeout, ms"),
            latest.as_millis(),
        );
    }
}

/// One trial whose victim dies `delay` after it came into force; returns the time from its start until the
/// previous policy is in force again.
fn round(victim: Victim, timeout: Duration, delay: Duration) -> Duration {
    let topology = new_topology();
    let (mut daemon, tries) = prepare(&topology);
    let reader = Reader::new(topology, daemon.bpffs().to_owned());
    let (mut client, start) = reader.during(|| {
        assert!(eventually(LIMIT, || reader.now() == OPENS[0]), "{victim:?}");
        let start = Instant::now();
        let client = begin(&daemon, victim, &tries, timeout);
        assert!(
            eventually(LIMIT, || reader.now() == OPENS[1]),
            "{victim:?}: the policy on trial is not in force:\n{}",
            daemon.log()
        );
        (client, start)
    });
    thread::sleep(delay);
    if victim != Victim::Daemon && victim != Victim::DaemonForGood {
        client.kill().expect("kill the command");
    }
    let reader = after_death(victim, &mut daemon, reader);
    // Not what was read before.
    reader.forget();
    let is_back = reader.during(|| eventually(LIMIT, || reader.now() == OPENS[0]));
    let time = start.elapsed();
    assert!(
        is_back,
        "{victim:?}: it never comes back; the daemon said:\n{}\nthe command said:\n{}",
        daemon.log(),
        fs::read_to_string(tries.path().join(SAID)).unwrap_or_default()
    );
    drop(client.kill());
    client.wait().expect("the command ends");
    time
}

/// A daemon with the first policy in force, and the directory of the one to try.
fn prepare(topology: &Topology) -> (Daemon, TempDir) {
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon.directory().write("base.yaml", &chaos_dir::base());
    let [before, tried] = OPENS.map(|opens| chaos_dir::policy(0, opens));
    daemon.directory().write("p0.yaml", &before);
    let tries = tempfile::tempdir().expect("make a directory");
    fs::write(tries.path().join("base.yaml"), chaos_dir::base()).expect("write a file");
    fs::write(tries.path().join("p0.yaml"), tried).expect("write a file");
    daemon.spawn();
    daemon.wait_for(1);
    (daemon, tries)
}

/// Ends the daemon if it is among the victims, and starts it again if that is what follows; returns the
/// reader of the topology that it is in then.
fn after_death(victim: Victim, daemon: &mut Daemon, reader: Reader) -> Reader {
    match victim {
        Victim::Client | Victim::Session => reader,
        Victim::Daemon | Victim::Both => {
            daemon.crash();
            thread::sleep(RESTART);
            daemon.spawn();
            reader
        }
        Victim::DaemonForGood => {
            daemon.crash();
            reader
        }
        Victim::Namespace => {
            daemon.crash();
            daemon.unpin();
            drop(reader);
            let topology = new_topology();
            daemon.move_to(&topology.host);
            daemon.spawn();
            assert!(
                eventually(LIMIT, || daemon.generation() > 0),
                "the daemon does not come up:\n{}",
                daemon.log()
            );
            Reader::new(topology, daemon.bpffs().to_owned())
        }
    }
}

fn new_topology() -> Topology {
    let topology = Topology::new();
    topology.pin_neighbours();
    topology
}

/// Starts `hep try`, on a terminal of its own if the victim is that.
fn begin(daemon: &Daemon, victim: Victim, tries: &TempDir, timeout: Duration) -> Child {
    let seconds = timeout.as_secs().to_string();
    let directory = tries.path().to_string_lossy().into_owned();
    let mut command = daemon.command(&["try", "--policy-dir", &directory, "--timeout", &seconds]);
    if victim == Victim::Session {
        let words: Vec<_> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        command = program("script");
        command.args([
            "--quiet",
            "--return",
            "--command",
            &words.join(" "),
            "/dev/null",
        ]);
    }
    let said = File::create(tries.path().join(SAID)).expect("make a file");
    // Whoever runs this may have come by SSH.
    command
        .env_remove("SSH_CONNECTION")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said);
    daemon
        .namespace()
        .run(|| command.spawn())
        .unwrap_or_else(|error| panic!("run {command:?}: {error}"))
}
