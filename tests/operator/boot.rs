//! `hep boot`: the policy that was in force last, before anything else is there.

use std::{
    fs,
    process::{Child, Stdio},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{endpoint, policy},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::Topology,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{directory, expect_only, only, path};

/// A running `hep boot`; ended on drop.
struct Boot(Child);

impl Boot {
    #[track_caller]
    fn start(topology: &Topology, daemon: &Daemon) -> Self {
        let mut command = daemon.command(&["boot"]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let child = topology.host.run(|| command.spawn()).expect("run hep boot");
        let boot = Self(child);
        let status = || daemon.hep(&["status", "-o", "json"]);
        let ready = eventually(PATIENCE * 6, || status().stdout.contains("\"ready\": true"));
        assert!(ready, "{:#?}", status());
        boot
    }

    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        eventually(PATIENCE, || {
            status = self.0.try_wait().expect("ask for its status");
            status.is_some()
        });
        status?.code()
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        let id = i32::try_from(self.0.id()).expect("process ids fit");
        if kill(Pid::from_raw(id), Signal::SIGTERM).is_err() {
            eprintln!("hep boot has ended");
        }
        drop(self.0.wait());
    }
}

/// The endpoint of every interface, and clients at port 80.
fn everywhere() -> Vec<String> {
    let web =
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]";
    vec![
        endpoint("h1-all", "interfaceName: '*'"),
        policy("only", web),
    ]
}

/// After a restart of the host the last good policy is in force without the policy directory, also on
/// interfaces that appear; the daemon takes over, flows continue.
#[test]
fn the_last_policy_is_in_force_before_the_daemon_and_handed_over() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &everywhere());
    daemon.stop();
    // What a restart leaves: no pins and no programs. The directory is not there yet.
    fs::remove_dir_all(daemon.bpffs()).expect("they are there");
    let own = daemon.directory().path().to_path_buf();
    let away = own.with_extension("away");
    fs::rename(&own, &away).expect("is there");

    let mut boot = Boot::start(&topology, &daemon);
    expect_only(&topology, "boot", 80);
    topology
        .host
        .ip("link add late type veth peer name far\nlink set late up");
    let follows = eventually(PATIENCE, || {
        let interfaces = daemon.show("interfaces").to_string();
        interfaces.contains("late")
    });
    assert!(follows, "{}", daemon.show("interfaces"));
    let new = directory(&only(81));
    let _said = daemon
        .hep(&["try", "--policy-dir", &path(&new)])
        .exits(5)
        .says("hep boot");
    let mut connections: Vec<Connection> = Net::both()
        .iter()
        .map(|net| Connection::open(&topology, net.client, net.host, 80))
        .collect();

    fs::rename(&away, &own).expect("is there");
    let before = daemon.generation();
    daemon.spawn();
    daemon.wait_for(before + 1);
    assert_eq!(boot.end(), Some(0));
    expect_only(&topology, "the daemon", 80);
    for connection in &mut connections {
        assert!(connection.forth(PATIENCE) && connection.back(PATIENCE));
    }
}

/// A panic lasts over a restart of the host.
#[test]
fn boot_keeps_a_panic() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    let _said = daemon.hep(&["panic"]).exits(0);
    daemon.stop();
    fs::remove_dir_all(daemon.bpffs()).expect("they are there");
    let _boot = Boot::start(&topology, &daemon);
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.host, 80), Nothing),
        ]
    });
    topology.expect("panic", &probes);
    let _said = daemon.hep(&["resume"]).exits(0);
    expect_only(&topology, "resumed", 80);
}

/// A daemon is not handed over to another, and boot needs a policy from before.
#[test]
fn boot_refuses_where_a_daemon_runs_or_nothing_was_in_force() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let _said = daemon
        .hep(&["boot"])
        .exits(1)
        .says("belongs to a running hep daemon");
    let other = Daemon::prepare(&topology.host, &[]);
    let _said = other.hep(&["boot"]).exits(1).says("holds no policy");
}
