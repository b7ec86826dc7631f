//! Protection of operators from their own change: trials, history, rollback, panic, boot.

mod boot;
mod client;
mod death;
mod history;
mod host_side;
mod panic;
mod preflight;
mod ready;
mod record;
mod trial;
mod units;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{Directory, documents, eth0, policy},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::Topology,
};
use serde_json::Value;

/// The endpoint, and a policy that lets clients in at this port alone (and at failsafes).
fn only(port: u16) -> Vec<String> {
    let rule = format!(
        "types: [Ingress], ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [{port}]}}}}]"
    );
    vec![eth0(), policy("only", &rule)]
}

/// A directory with these resources.
fn directory(resources: &[String]) -> Directory {
    let directory = Directory::new();
    directory.write("policy.yaml", &documents(resources));
    directory
}

fn path(directory: &Directory) -> String {
    directory.path().to_string_lossy().into_owned()
}

/// Asserts that of ports 80 to 83 this one is open to clients of both families, and no other.
#[track_caller]
fn expect_only(topology: &Topology, what: &str, open: u16) {
    let probes: Vec<_> = Net::both()
        .iter()
        .flat_map(|net| {
            (80..=83).map(|port| {
                let heard = if port == open { Answer } else { Nothing };
                (tcp(net.client, net.host, port), heard)
            })
        })
        .collect();
    topology.expect(what, &probes);
}

/// Waits until no policy is on trial.
#[track_caller]
fn wait_for_end(daemon: &Daemon) {
    let ended = eventually(PATIENCE, || daemon.status()["trial"] == Value::Null);
    assert!(ended, "{}", daemon.log());
}

/// `hep history`, newest first, as (cause, outcome, in force).
fn history(daemon: &Daemon) -> Vec<(String, String, bool)> {
    let history = daemon.hep(&["history", "-o", "json"]).document("history");
    let rows = history["items"].as_array().expect("a list").iter();
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().expect("a text").to_owned();
        (text("cause"), text("outcome"), row["inForce"] == true)
    })
    .collect()
}

fn row(cause: &str, outcome: &str, in_force: bool) -> (String, String, bool) {
    (cause.to_owned(), outcome.to_owned(), in_force)
}

/// Generation of the entry of the history with this index, newest first.
fn generation_of(daemon: &Daemon, index: usize) -> String {
    let history = daemon.hep(&["history", "-o", "json"]).document("history");
    history["items"][index]["generation"].to_string()
}
