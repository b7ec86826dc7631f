//! Warnings of the daemon about a policy in force.

use hep_tests::{
    daemon::Daemon,
    eventually,
    policy::{documents, endpoint, eth0_default_allow, policy},
    probe::PATIENCE,
    topology::Topology,
};
use serde_json::Value;

fn problems(daemon: &Daemon) -> Vec<Value> {
    let status = daemon.status();
    status["problems"].as_array().expect("a list").clone()
}

/// EV-011, EV-016, EV-018: an endpoint without an interface, one that another keeps from its own, and one
/// on the port of a bridge are reported with file and line, until the interfaces change.
#[test]
fn endpoints_that_the_interfaces_make_odd_are_told() {
    let topology = Topology::new();
    topology
        .host
        .ip("link add br0 type bridge\nlink set eth1 master br0\nlink set br0 up");
    let open = |name: &str, interface: &str| {
        let profiles = "profiles: [projectcalico-default-allow]";
        endpoint(name, &format!("interfaceName: {interface}, {profiles}"))
    };
    let resources = [
        eth0_default_allow(),
        open("later", "eth0"),
        open("missing", "eth9"),
        open("port", "eth1"),
    ];
    let daemon = Daemon::start(&topology.host, &resources);
    let told = || {
        let mut told: Vec<_> = problems(&daemon)
            .iter()
            .map(|problem| {
                let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
                (
                    text("code"),
                    text("name"),
                    problem["line"].as_u64().unwrap_or(0),
                )
            })
            .collect();
        told.sort();
        told
    };
    let problem = |code: &str, name: &str, line| (code.to_owned(), name.to_owned(), line);
    let member = problem("W-MEMBER", "port", 7);
    let later = problem("W-UNBOUND", "later", 3);
    let missing = problem("W-UNBOUND", "missing", 5);
    let all = [member, later.clone(), missing];
    assert!(eventually(PATIENCE, || told() == all), "{:#?}", told());
    drop(daemon.hep(&["status"]).says("all.yaml:5"));
    topology
        .host
        .ip("link set eth1 nomaster\nlink add eth9 type bridge\nlink set eth9 up");
    assert!(
        eventually(PATIENCE, || told() == [later.clone()]),
        "{:#?}",
        told()
    );
}

/// The log holds the first problems of a load and how many more there are; `hep status` holds all.
#[test]
fn of_many_problems_the_log_holds_the_first() {
    const MANY: usize = 60;
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0_default_allow()]);
    let idle: Vec<String> = (0..MANY)
        .map(|number| policy(&format!("p{number}"), "selector: has(nothing)"))
        .collect();
    daemon.apply("idle.yaml", &documents(&idle));
    let is_told = |number: usize| daemon.log().contains(&format!("Policy/p{number}: "));
    assert!(eventually(PATIENCE, || problems(&daemon).len() == MANY));
    assert!(daemon.log().contains("more problems; see `hep status`"));
    assert!(is_told(0) && !is_told(MANY - 1), "{}", daemon.log());
    let generation = daemon.generation();
    daemon.directory().write(
        "broken.yaml",
        &policy("x", "ingress: [{action: Allw}, {action: Dny}]"),
    );
    let both = || is_logged(&daemon, "Allw") && is_logged(&daemon, "Dny");
    assert!(eventually(PATIENCE, both), "every error: {}", daemon.log());
    assert_eq!(daemon.generation(), generation);
}

fn is_logged(daemon: &Daemon, word: &str) -> bool {
    let log = daemon.log();
    log.lines()
        .any(|line| line.starts_with("error: ") && line.contains(word) && line.contains(":1:"))
}
