//! Every policy that came into force is on record, whenever the daemon died.

use std::{fs, path::PathBuf};

use hep_tests::{daemon::Daemon, eventually, probe::PATIENCE, topology::Topology};

use crate::{expect_only, history, only, row};

/// An obstacle in the place of a file or directory of the state directory; removed on drop.
struct Obstacle {
    place: PathBuf,
    aside: PathBuf,
}

impl Obstacle {
    /// Puts a file where a directory belongs, or a directory where a file does.
    fn new(daemon: &Daemon, name: &str, is_file: bool) -> Self {
        let place = daemon.state_dir().join(name);
        let aside = place.with_extension("aside");
        if place.exists() {
            fs::rename(&place, &aside).expect("move it aside");
        }
        if is_file {
            fs::write(&place, "").expect("write a file");
        } else {
            fs::create_dir(&place).expect("make a directory");
        }
        Self { place, aside }
    }
}

impl Drop for Obstacle {
    fn drop(&mut self) {
        if self.place.is_dir() {
            fs::remove_dir(&self.place).expect("remove it");
        } else {
            fs::remove_file(&self.place).expect("remove it");
        }
        if self.aside.exists() {
            fs::rename(&self.aside, &self.place).expect("put it back");
        }
    }
}

/// Brings port 81 into force in place of 80, kills the daemon before that is on record, and starts it
/// over a broken directory.
fn broken_after_death(topology: &Topology, obstacles: &[(&str, bool)]) -> Daemon {
    let mut daemon = Daemon::start(&topology.host, &only(80));
    expect_only(topology, "before", 80);
    let obstacles: Vec<_> = obstacles
        .iter()
        .map(|(name, is_file)| Obstacle::new(&daemon, name, *is_file))
        .collect();
    daemon.replace(&only(81));
    expect_only(topology, "changed", 81);
    daemon.crash();
    drop(obstacles);
    daemon.directory().write("broken.yaml", "spec: [");
    daemon.spawn();
    daemon
}

/// A daemon that dies right after a policy came into force, and before that is on record, leaves a note of
/// it: the next one continues with that policy, and not with the one before (EV-191).
#[test]
fn what_came_into_force_before_the_daemon_died_is_what_the_next_goes_on_with() {
    let topology = Topology::new();
    let mut daemon = broken_after_death(&topology, &[("snapshots", true)]);
    daemon.wait_for(3);
    expect_only(&topology, "after the death", 81);
    assert_eq!(
        history(&daemon),
        [
            row("directory change", "applied", true),
            row("directory change", "applied", false)
        ],
        "{}",
        daemon.log()
    );
}

/// Where nothing can be written, such as on a full disk, a daemon that starts later cannot identify the
/// policy in force; it keeps that rather than go back to an earlier one (EV-191).
#[test]
fn what_could_not_be_written_down_stays_in_force() {
    let topology = Topology::new();
    let obstacles = [("snapshots", true), ("coming.new", false)];
    let daemon = broken_after_death(&topology, &obstacles);
    let is_left = eventually(PATIENCE, || {
        daemon
            .log()
            .contains("the policy that a former daemon left stays in force")
    });
    assert!(is_left, "{}", daemon.log());
    expect_only(&topology, "after the death", 81);
}
