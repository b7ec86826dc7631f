//! Events as they happen.

use std::{collections::BTreeMap, thread};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    hep::Said,
    policy::{eth0, felix, policy},
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
    site::Site,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// Runs `hep monitor` while `traffic` is repeated, until it has told of `count` events.
fn monitor(daemon: &Daemon, count: usize, options: &[&str], traffic: impl Fn()) -> Said {
    let count = count.to_string();
    let mut arguments = vec!["monitor", "--count", &count];
    arguments.extend(options);
    thread::scope(|scope| {
        let heard = scope.spawn(|| daemon.hep(&arguments));
        while !heard.is_finished() {
            traffic();
        }
        heard.join().expect("hep monitor runs")
    })
}

/// EV-135: Log rules and, if asked for, denials are told with verdict, tier, policy, rule, file and
/// line; rules have budgets of their own (RS-197).
#[test]
fn logged_and_denied_packets_are_told_with_the_rule() {
    let site = Site::new();
    let rules = policy(
        "web",
        "types: [Ingress], ingress: [{action: Log, protocol: TCP, destination: {ports: [80]}}, \
         {action: Allow, protocol: TCP, destination: {ports: [80]}}, \
         {action: Deny, protocol: TCP, destination: {ports: [81]}}]",
    );
    let daemon = Daemon::start_with(&site.host, &[eth0(), rules], &["--deny-events"]);
    let traffic = || {
        for net in Net::both() {
            let to = |port| tcp(net.client, net.host, port);
            site.expect(
                "policy",
                &[(to(80), Answer), (to(81), Nothing), (to(82), Nothing)],
            );
        }
    };
    let said = monitor(&daemon, 12, &["-o", "json"], traffic).exits(0);
    let mut told: BTreeMap<(String, u64), Value> = BTreeMap::new();
    for line in said.stdout.lines() {
        let event: Value = serde_json::from_str(line).expect("one object in each line");
        let source = event["src"].as_str().unwrap_or_default().to_owned();
        let port = event["dstPort"].as_u64().unwrap_or_default();
        told.insert((source, port), event);
    }
    for net in Net::both() {
        let of = |port| &told[&(net.client.to_string(), port)];
        let logged = of(80);
        assert_eq!(logged["verdict"], "allow");
        assert_eq!(logged["by"]["rule"], "ingress[1]");
        assert_eq!(logged["logged"][0]["rule"], "ingress[0]");
        assert_eq!(logged["protocol"], "TCP");
        let denied = of(81);
        assert_eq!(denied["verdict"], "deny");
        assert_eq!(denied["reason"], "policy_deny");
        assert_eq!(denied["by"]["tier"], "default");
        assert_eq!(denied["by"]["policy"], "GlobalNetworkPolicy/web");
        assert_eq!(denied["by"]["rule"], "ingress[2]");
        assert_eq!(denied["by"]["line"], 3);
        assert_eq!(denied["logged"], serde_json::json!([]));
        let by_default = of(82);
        assert_eq!(by_default["reason"], "tier_default");
        assert_eq!(by_default["interface"], "eth0");
        assert_eq!(by_default["direction"], "ingress");
    }
    let log = daemon.log();
    assert!(log.contains("log=default/GlobalNetworkPolicy/web/ingress[0]"));
    assert!(
        !log.contains("policy_deny"),
        "denials are for listeners: {log}"
    );
    let said = monitor(&daemon, 1, &[], traffic).exits(0);
    assert!(
        said.stdout.contains("Z ") && said.stdout.contains(" at="),
        "{said:#?}"
    );
}

/// RS-197, RS-198: without `--deny-events` a denial is no event; a rule's budget limits its events
/// in the kernel, and what is over it is counted.
#[test]
fn events_are_limited_in_the_kernel() {
    let site = Site::new();
    let rules = policy(
        "web",
        "types: [Ingress], ingress: [{action: Log, protocol: TCP, destination: {ports: [80]}}, \
         {action: Deny}]",
    );
    let limit = felix("logActionRateLimit: 30/minute, logActionRateLimitBurst: 1");
    let daemon = Daemon::start(&site.host, &[eth0(), rules, limit]);
    let net = Net::both()[0];
    let traffic = || {
        let to = |port| (tcp(net.client, net.host, port), Nothing);
        site.expect("policy", &[to(80), to(81)]);
    };
    // Each CPU has a budget of its own, so four of these are from one, the last 6 s after the first;
    // they are told a moment after they happened.
    let cpus = thread::available_parallelism()
        .expect("there are CPUs")
        .get();
    let said = monitor(&daemon, 3 * cpus + 1, &["-o", "json"], traffic).says("--deny-events");
    let times: Vec<u64> = said
        .stdout
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("one object in each line");
            assert_eq!(event["dstPort"], 80, "{event:#}");
            event["unixMs"].as_u64().expect("a time")
        })
        .collect();
    assert!(times[3 * cpus] - times[0] > 3000, "{times:?}");
}

/// The end of the daemon is the end of its events; where none runs there are none.
#[test]
fn monitor_ends_with_the_daemon() {
    let site = Site::new();
    let rule = policy("web", "types: [Ingress], ingress: [{action: Log}]");
    let mut daemon = Daemon::start(&site.host, &[eth0(), rule]);
    let pid = daemon.status()["daemon"]["pid"].as_i64().expect("it runs");
    let pid = i32::try_from(pid).expect("process ids fit");
    let net = Net::both()[1];
    let said = monitor(&daemon, 1000, &[], || {
        site.expect("policy", &[(tcp(net.client, net.host, 80), Nothing)]);
        let told = kill(Pid::from_raw(pid), Signal::SIGTERM);
        assert!(told.is_ok(), "not waited for, so still there: {told:?}");
    });
    drop(said.exits(4).says("the daemon has stopped"));
    daemon.stop();
    drop(daemon.hep(&["monitor"]).exits(4).says("no daemon listens"));
}
