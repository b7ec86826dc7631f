//! `hep history` and `hep rollback`.

use std::fs;

use hep_tests::{
    daemon::Daemon, eventually, policy::documents, probe::PATIENCE, topology::Topology,
};
use serde_json::Value;

use crate::{expect_only, generation_of, history, only, row};

/// A rollback brings the previous policy back at once; the directory is not followed until its content
/// changes, not even by a restarted daemon. A second rollback goes further back.
#[test]
fn a_rollback_holds_the_directory_until_it_changes() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    daemon.replace(&only(81));
    daemon.replace(&only(82));
    let _said = daemon.hep(&["rollback"]).exits(0).says("is back");
    expect_only(&topology, "one back", 81);
    let _said = daemon.hep(&["rollback"]).exits(0);
    expect_only(&topology, "two back", 80);
    let _said = daemon.hep(&["rollback"]).exits(1).says("no earlier policy");
    let _said = daemon
        .hep(&["status"])
        .exits(0)
        .says("frozen: generation 1");
    daemon.stop();
    daemon.spawn();
    daemon.wait_for(6);
    expect_only(&topology, "after a restart", 80);
    assert_eq!(daemon.status()["frozen"]["generation"], 1);
    let status = daemon.status();
    assert_eq!(status["held"], status["frozen"], "its name until now");
    daemon.apply("all.yaml", &documents(&only(83)));
    expect_only(&topology, "the directory changed", 83);
    assert_eq!(daemon.status()["frozen"], Value::Null);
    assert_eq!(
        history(&daemon),
        [
            row("directory change", "applied", true),
            row("rollback to 1", "applied", false),
            row("rollback to 2", "rolled back", false),
            row("directory change", "rolled back", false),
            row("directory change", "applied", false),
            row("directory change", "applied", false),
        ]
    );
}

/// A rollback to a generation by number, and `hep resume`.
#[test]
fn resume_follows_the_directory_again() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    daemon.replace(&only(81));
    daemon.replace(&only(82));
    let first = generation_of(&daemon, 2);
    let _said = daemon.hep(&["rollback", "99"]).exits(1).says("is not kept");
    let _said = daemon.hep(&["rollback", &first]).exits(0);
    expect_only(&topology, "the first", 80);
    let _said = daemon.hep(&["resume"]).exits(0).says("is followed again");
    expect_only(&topology, "the directory's", 82);
    let _said = daemon.hep(&["resume"]).exits(0).says("is followed");
    assert_eq!(history(&daemon)[0], row("resume", "applied", true));
}

/// A rollback works while no daemon runs, and lasts.
#[test]
fn a_rollback_needs_no_daemon() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    daemon.replace(&only(81));
    daemon.stop();
    let _said = daemon.hep(&["rollback"]).exits(0).says("is back");
    expect_only(&topology, "without a daemon", 80);
    let _said = daemon
        .hep(&["status"])
        .exits(0)
        .says("frozen: generation 1");
    daemon.spawn();
    daemon.wait_for(4);
    expect_only(&topology, "with one", 80);
}

/// The configured number of good policies is kept.
#[test]
fn the_last_policies_are_kept() {
    let topology = Topology::new();
    let mut daemon = Daemon::start_with(&topology.host, &only(80), &["--keep-generations", "2"]);
    for port in 81..=83 {
        daemon.replace(&only(port));
    }
    let kept = daemon.hep(&["history", "-o", "json"]).exits(0);
    let kept = kept.document("history");
    let generations: Vec<_> = kept["items"].as_array().expect("a list").iter().collect();
    assert_eq!(generations.len(), 2, "{kept}");
    let _said = daemon.hep(&["rollback"]).exits(0);
    expect_only(&topology, "the one before", 82);
}

/// RS-006: a restart over a broken directory brings back the last good policy; if that is damaged, the one
/// before, and reports it.
#[test]
fn a_damaged_snapshot_is_skipped() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    daemon.replace(&only(81));
    let newest = daemon
        .state_dir()
        .join("snapshots")
        .join(generation_of(&daemon, 0));
    daemon.stop();
    daemon.directory().write("all.yaml", "kind: nothing\n");
    daemon.spawn();
    daemon.wait_for(3);
    expect_only(&topology, "the last good one", 81);
    let status = daemon.status();
    assert!(status["degraded"].is_string(), "{status}");

    daemon.crash();
    let mut body = fs::read(&newest).expect("it is kept");
    body.truncate(body.len() / 2);
    fs::write(&newest, body).expect("can be written");
    let _said = daemon.hep(&["history"]).exits(0).says("damaged");
    daemon.spawn();
    daemon.wait_for(4);
    expect_only(&topology, "the one before", 80);
    let log = daemon.log();
    assert!(log.contains("is damaged"), "{log}");

    // The directory is followed again as soon as it is mended.
    daemon.directory().write("all.yaml", &documents(&only(82)));
    let mended = eventually(PATIENCE, || daemon.status()["degraded"] == Value::Null);
    assert!(mended, "{}", daemon.log());
    expect_only(&topology, "mended", 82);
}
