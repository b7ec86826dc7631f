//! `hep try` and its end: confirmed, rejected, forgotten.

use std::{fs, os::unix::fs::symlink, time::Duration};

use hep_tests::{
    daemon::Daemon,
    eventually, hep,
    policy::{Directory, documents},
    probe::PATIENCE,
    topology::Topology,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    client::{Client, left},
    directory, expect_only, history, only, path, row, wait_for_end,
};

/// Time of a trial that is to end by itself; longer than a busy machine takes to see it.
const SHORT: Duration = Duration::from_secs(15);
/// Time of a trial that is ended sooner.
const LONG: Duration = Duration::from_secs(600);

/// A trial that nobody confirms ends by itself, and the client reports it (exit 6).
#[test]
fn an_unconfirmed_policy_goes_again() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    expect_only(&topology, "before", 80);
    let new = directory(&only(81));
    let mut client = Client::start(&topology, &daemon, &new, SHORT);
    let status = daemon.status();
    assert_eq!(status["trial"]["policyDir"], path(&new).as_str());
    assert!(left(&daemon) <= SHORT);
    let _said = daemon.hep(&["status"]).exits(0).says("trial: generation 2");
    expect_only(&topology, "on trial", 81);
    assert_eq!(client.code(), 6, "{}", client.said());
    assert!(client.said().contains("rolled back"), "{}", client.said());
    wait_for_end(&daemon);
    expect_only(&topology, "after", 80);
    assert_eq!(
        history(&daemon),
        [
            row("try", "rolled back", false),
            row("directory change", "applied", true)
        ]
    );
}

/// A confirmed policy stays, and the policy directory holds it, and nothing else of it changed.
#[test]
fn a_confirmed_policy_is_what_the_directory_holds() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    let own = daemon.directory().path().to_path_buf();
    fs::write(own.join("README"), "no policy").expect("can be written");
    let new = directory(&only(81));
    let mut client = Client::start(&topology, &daemon, &new, LONG);
    let _said = daemon.hep(&["confirm"]).exits(0).says("is confirmed");
    assert_eq!(client.code(), 0, "{}", client.said());
    expect_only(&topology, "confirmed", 81);
    let mut names: Vec<_> = fs::read_dir(&own)
        .expect("is there")
        .map(|entry| entry.expect("is there").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["README", "policy.yaml"]);
    let text = fs::read_to_string(own.join("policy.yaml")).expect("is there");
    assert_eq!(text, documents(&only(81)));
    let file = own.join("policy.yaml");
    let rules = daemon.show("rules").to_string();
    assert!(rules.contains(&*file.to_string_lossy()), "{rules}");
    drop(new);
    daemon.stop();
    daemon.spawn();
    daemon.wait_for(1);
    expect_only(&topology, "after a restart", 81);
    assert_eq!(
        history(&daemon),
        [
            row("try", "confirmed", true),
            row("directory change", "applied", false)
        ]
    );
}

/// SIGUSR1 confirms, SIGINT rejects, as with netplan.
#[test]
fn signals_to_the_client_confirm_and_reject() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let mut client = Client::start(&topology, &daemon, &directory(&only(81)), LONG);
    client.signal(Signal::SIGINT);
    assert_eq!(client.code(), 6, "{}", client.said());
    expect_only(&topology, "rejected", 80);
    let mut client = Client::start(&topology, &daemon, &directory(&only(81)), LONG);
    client.signal(Signal::SIGUSR1);
    assert_eq!(client.code(), 0, "{}", client.said());
    expect_only(&topology, "confirmed", 81);
}

/// A daemon that is stopped in order does not leave a trial to nobody.
#[test]
fn the_trial_ends_when_the_daemon_is_stopped() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    let new = directory(&only(81));
    let arguments = ["try", "--policy-dir", &path(&new), "--detach"];
    let _said = daemon.hep(&arguments).exits(0);
    expect_only(&topology, "on trial", 81);
    daemon.stop();
    expect_only(&topology, "stopped", 80);
    let _said = daemon.hep(&["status"]).exits(0);
    assert_eq!(daemon.status()["trial"], Value::Null);
}

/// On a terminal there is a countdown; Enter confirms, q rejects.
#[test]
fn enter_on_a_terminal_confirms_and_q_rejects() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    for (typed, code, open) in [("q\n", 6, 80), ("\n", 0, 81)] {
        let new = directory(&only(81));
        let mut client = Client::start_on_terminal(&topology, &daemon, &new, LONG);
        let counts = eventually(PATIENCE, || client.said().contains(" s left"));
        assert!(counts, "{}", client.said());
        client.write(typed);
        assert_eq!(client.code(), code, "{typed:?}: {}", client.said());
        expect_only(&topology, typed, open);
    }
}

/// A policy with errors is reported as by `hep validate` (exit 3), and nothing changes.
#[test]
fn an_invalid_policy_is_not_tried() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let new = Directory::new();
    new.write("policy.yaml", "kind: HostEndpoint\n");
    let arguments = ["validate", &path(&new), "--node", "h1", "-o", "json"];
    let validated = hep::run(&arguments).exits(3).document("validate");
    let arguments = ["try", "--policy-dir", &path(&new), "-o", "json"];
    let tried = daemon.hep(&arguments).exits(3);
    let failure = tried.document("error");
    assert_eq!(failure["error"]["kind"], "invalid");
    assert_eq!(failure["error"]["problems"], validated["problems"]);
    let first = validated["problems"][0]["text"].as_str().expect("a text");
    let _said = tried.says(first);
    assert_eq!(daemon.generation(), 1);
}

/// Trials that the daemon refuses up front (exit 5), with advice.
#[test]
fn a_trial_that_could_not_be_confirmed_is_refused() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let own = daemon.directory().path().to_path_buf();
    let attempt = |directory: &str, what: &str| {
        let said = daemon.hep(&["try", "--policy-dir", directory, "--timeout", "600s"]);
        let _said = said.exits(5).says(what);
        assert_eq!(daemon.status()["trial"], Value::Null);
    };
    attempt(&own.to_string_lossy(), "is the policy directory itself");
    attempt(&path(&Directory::new()), "holds no policy file");
    let new = directory(&only(81));
    // As a mounted ConfigMap has it.
    fs::create_dir(own.join("..data")).expect("can be made");
    fs::rename(own.join("all.yaml"), own.join("..data/all.yaml")).expect("is there");
    symlink("..data/all.yaml", own.join("all.yaml")).expect("can be made");
    attempt(&path(&new), "is a symbolic link");
    expect_only(&topology, "unchanged", 80);
}

/// A second trial is refused while one runs, and `hep rollback` ends it.
#[test]
fn one_trial_at_a_time_and_rollback_ends_it() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let new = directory(&only(81));
    let _said = daemon
        .hep(&["confirm"])
        .exits(1)
        .says("no policy is on trial");
    let arguments = [
        "try",
        "--policy-dir",
        &path(&new),
        "--timeout",
        "600s",
        "--detach",
    ];
    let _said = daemon.hep(&arguments).exits(0).says("hep confirm");
    let _said = daemon.hep(&arguments).exits(5).says("is on trial");
    expect_only(&topology, "on trial", 81);
    let _said = daemon.hep(&["rollback"]).exits(0).says("is back");
    expect_only(&topology, "ended", 80);
}

/// While a trial runs, changes of the policy directory are noted and not followed; confirming over
/// them takes `--force`, and after the trial they count.
#[test]
fn changes_of_the_directory_wait_for_the_end_of_the_trial() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let new = directory(&only(81));
    let arguments = [
        "try",
        "--policy-dir",
        &path(&new),
        "--timeout",
        "600s",
        "--detach",
    ];
    let _said = daemon.hep(&arguments).exits(0);
    daemon.directory().write("all.yaml", &documents(&only(82)));
    let noted = eventually(PATIENCE, || daemon.status()["directoryChanged"] == true);
    assert!(noted, "{}", daemon.log());
    expect_only(&topology, "still on trial", 81);
    let _said = daemon
        .hep(&["confirm"])
        .exits(5)
        .says("changed since the trial began");
    let _said = daemon.hep(&["rollback"]).exits(0);
    let followed = eventually(PATIENCE, || daemon.status()["directoryChanged"] == false);
    assert!(followed, "{}", daemon.log());
    expect_only(&topology, "the directory's", 82);

    let _said = daemon.hep(&arguments).exits(0);
    daemon.directory().write("all.yaml", &documents(&only(83)));
    let noted = eventually(PATIENCE, || daemon.status()["directoryChanged"] == true);
    assert!(noted, "{}", daemon.log());
    let _said = daemon.hep(&["confirm", "--force"]).exits(0);
    expect_only(&topology, "confirmed over the change", 81);
    assert!(!daemon.directory().path().join("all.yaml").exists());
}
