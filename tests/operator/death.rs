//! The previous policy comes back in time, whatever dies during a trial.

use std::time::{Duration, Instant};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::Directory,
    probe::{PATIENCE, time_until},
    topology::Topology,
};
use hep_userspace::daemon::{
    mode::{Basis, Mode},
    state::StateDirectory,
};

use crate::{
    client::{Client, left},
    directory, expect_only, only, wait_for_end,
};

/// Longer than a busy machine takes to load the programs again.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait beyond that. The delay until the previous policy is back on a machine without other load is
/// a figure of the soak `try`.
const LIMIT: Duration = Duration::from_secs(60);

/// A daemon with a policy on trial.
struct Scene {
    topology: Topology,
    daemon: Daemon,
    client: Client,
    /// The trial is not over before.
    due: Instant,
    _new: Directory,
}

impl Scene {
    #[track_caller]
    fn new(is_terminal: bool) -> Self {
        Self::lasting(TIMEOUT, is_terminal)
    }

    #[track_caller]
    fn lasting(timeout: Duration, is_terminal: bool) -> Self {
        let topology = Topology::new();
        let daemon = Daemon::start(&topology.host, &only(80));
        expect_only(&topology, "before", 80);
        let new = directory(&only(81));
        let begin = if is_terminal {
            Client::start_on_terminal
        } else {
            Client::start
        };
        let client = begin(&topology, &daemon, &new, timeout);
        let asked = Instant::now();
        let due = asked + left(&daemon);
        expect_only(&topology, "on trial", 81);
        Self {
            topology,
            daemon,
            client,
            due,
            _new: new,
        }
    }

    /// Asserts that the policy before comes back, and not before the trial is over.
    #[track_caller]
    fn comes_back(&self, what: &str) {
        let net = &Net::both()[0];
        let is_open = || time_until(&self.topology, net.client, net.host, 80, true) < PATIENCE;
        while !is_open() && Instant::now() < self.due + LIMIT {}
        let back = Instant::now();
        println!(
            "{what}: back {:.1} s after its time",
            back.saturating_duration_since(self.due).as_secs_f64()
        );
        assert!(
            back >= self.due && back < self.due + LIMIT,
            "{what}: {:?} too early\n{}",
            self.due.saturating_duration_since(back),
            self.daemon.log()
        );
        wait_for_end(&self.daemon);
        expect_only(&self.topology, what, 80);
    }
}

/// The client is killed.
#[test]
fn the_policy_before_comes_back_when_the_client_dies() {
    let mut scene = Scene::new(false);
    scene.client.kill_session();
    scene.comes_back("client killed");
}

/// The terminal hangs up, as when an SSH session breaks.
#[test]
fn the_policy_before_comes_back_when_the_session_dies() {
    let mut scene = Scene::new(true);
    scene.client.kill_session();
    scene.comes_back("session killed");
}

/// The daemon is killed and started again during the trial.
#[test]
fn the_policy_before_comes_back_when_the_daemon_dies() {
    let mut scene = Scene::new(false);
    scene.daemon.crash();
    expect_only(&scene.topology, "nobody is there", 81);
    scene.daemon.spawn();
    scene.comes_back("daemon killed");
    assert_eq!(scene.client.code(), 6, "{}", scene.client.said());
}

/// Everything dies, and the daemon starts when the trial should have ended: the previous policy is in force
/// before it reports that it is ready.
#[test]
fn a_daemon_that_starts_too_late_brings_the_policy_before_back_first() {
    let mut scene = Scene::new(false);
    scene.client.kill_session();
    scene.daemon.crash();
    let over = scene.due + Duration::from_secs(1);
    std::thread::sleep(over.saturating_duration_since(Instant::now()));
    expect_only(&scene.topology, "nobody is there", 81);
    scene.daemon.spawn();
    scene.daemon.wait_for(3);
    expect_only(&scene.topology, "ready", 80);
    let log = scene.daemon.log();
    assert!(log.contains("not confirmed in time"), "{log}");
}

/// While no daemon runs, the client itself brings the policy before back.
#[test]
fn the_client_goes_back_if_no_daemon_does() {
    let mut scene = Scene::new(false);
    scene.daemon.crash();
    assert_eq!(scene.client.code(), 6, "{}", scene.client.said());
    expect_only(&scene.topology, "daemon killed for good", 80);
    let said = scene.client.said();
    assert!(said.contains("no daemon runs"), "{said}");
}

/// The network namespace goes with all that is in it, as when a container is restarted.
#[test]
fn the_policy_before_comes_back_when_the_namespace_dies() {
    let Scene {
        topology,
        mut daemon,
        mut client,
        due,
        _new,
    } = Scene::new(false);
    client.kill_session();
    daemon.crash();
    drop(topology);
    let topology = Topology::new();
    daemon.move_to(&topology.host);
    daemon.spawn();
    daemon.wait_for(3);
    let scene = Scene {
        topology,
        daemon,
        client,
        due,
        _new,
    };
    scene.comes_back("namespace killed");
}

/// A restart of the host ends the trial at once: the policy before is in force from the start, also
/// if the time is not over.
#[test]
fn a_restart_of_the_host_ends_the_trial() {
    let mut scene = Scene::lasting(Duration::from_secs(600), false);
    scene.client.kill_session();
    scene.daemon.crash();
    // What a restart leaves: no pins, no programs, and another name for the kernel's run.
    let state = StateDirectory::open(&scene.daemon.state_dir(), 10);
    let another = state.expect("no daemon runs").update(|journal| {
        let Mode::Calm(Basis::Trial(trial)) = &mut journal.mode else {
            panic!("it runs: {:?}", journal.mode);
        };
        trial.began.boot_id = "another".to_owned();
    });
    another.expect("can be written");
    std::fs::remove_dir_all(scene.daemon.bpffs()).expect("they are there");
    scene.daemon.spawn();
    scene.daemon.wait_for(3);
    expect_only(&scene.topology, "after the restart", 80);
}
