//! Events as they happen.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{eth0, felix, policy},
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
    schema,
    topology::Topology,
};
use serde_json::Value;

/// How long events are waited for on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// A running `hep monitor`, and what it has printed; killed on drop.
struct Monitor {
    child: Child,
    printed: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Monitor {
    fn start(daemon: &Daemon, options: &[&str]) -> Self {
        let mut command = daemon.command(&["monitor"]);
        command.args(options).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = daemon.namespace().run(|| command.spawn());
        let mut child = child.expect("run hep monitor");
        let output = child.stdout.take().expect("it is a pipe");
        let printed = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&printed);
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                lines.lock().expect("nobody panics with it").push(line);
            }
        });
        Self {
            child,
            printed,
            reader: Some(reader),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.printed.lock().expect("nobody panics with it").clone()
    }

    /// Repeats `traffic` until the output is enough. Events of earlier traffic come first: a sender without
    /// an answer sends again. So the number of events proves nothing.
    #[track_caller]
    fn until(&self, is_enough: impl Fn(&[String]) -> bool, traffic: impl Fn()) -> Vec<String> {
        let start = Instant::now();
        while !is_enough(&self.lines()) {
            assert!(start.elapsed() < LIMIT, "{:#?}", self.lines());
            traffic();
        }
        self.lines()
    }

    /// Its exit code once it ends by itself, all that it printed, and its standard error.
    #[track_caller]
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let mut code = None;
        let ended = eventually(LIMIT, || {
            let status = self.child.try_wait().expect("ask for its status");
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        assert!(ended, "it goes on: {:#?}", self.lines());
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading does not panic");
        }
        let mut said = String::new();
        let errors = self.child.stderr.as_mut().expect("it is a pipe");
        errors.read_to_string(&mut said).expect("it is text");
        (code, self.lines(), said)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn parse(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).expect("one object in each line");
    let is_event = event.get("lost").is_none();
    schema::check(if is_event { "monitor" } else { "monitor-lost" }, &event);
    event
}

/// EV-135: matches of Log rules and, if configured, denials are printed with verdict, tier, policy, rule,
/// file and line; rules have budgets of their own (RS-197).
#[test]
fn logged_and_denied_packets_are_told_with_the_rule() {
    let topology = Topology::new();
    let rules = policy(
        "web",
        "types: [Ingress], ingress: [{action: Log, protocol: TCP, destination: {ports: [80]}}, \
         {action: Allow, protocol: TCP, destination: {ports: [80]}}, \
         {action: Deny, protocol: TCP, destination: {ports: [81]}}]",
    );
    let daemon = Daemon::start_with(&topology.host, &[eth0(), rules], &["--deny-events"]);
    let traffic = || {
        for net in Net::both() {
            let to = |port| tcp(net.client, net.host, port);
            topology.expect(
                "policy",
                &[(to(80), Answer), (to(81), Nothing), (to(82), Nothing)],
            );
        }
    };
    let by_target = |lines: &[String]| {
        let events = lines.iter().map(|line| parse(line));
        let told = events.filter_map(|event| {
            let source = event["src"].as_str()?.to_owned();
            Some(((source, event["dstPort"].as_u64()?), event))
        });
        told.collect::<BTreeMap<(String, u64), Value>>()
    };
    let is_told = |lines: &[String]| {
        let told = by_target(lines);
        let wanted = Net::each(|net| [80, 81, 82].map(|port| (net.client.to_string(), port)));
        wanted.iter().all(|target| told.contains_key(target))
    };
    let json = Monitor::start(&daemon, &["-o", "json"]);
    let told = by_target(&json.until(is_told, traffic));
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
    let is_logged = eventually(LIMIT, || {
        daemon
            .log()
            .contains("log=default/GlobalNetworkPolicy/web/ingress[0]")
    });
    let log = daemon.log();
    assert!(is_logged, "{log}");
    assert!(
        !log.contains("policy_deny"),
        "denials are for listeners: {log}"
    );
    let text = Monitor::start(&daemon, &[]);
    let is_placed = |line: &String| line.contains("Z ") && line.contains(" at=");
    let _lines = text.until(|lines| lines.iter().any(is_placed), traffic);
}

/// `--count` ends it after this many events of any kind.
#[test]
fn a_monitor_ends_after_as_many_events_as_asked_for() {
    let topology = Topology::new();
    let rule = policy("web", "types: [Ingress], ingress: [{action: Log}]");
    let daemon = Daemon::start(&topology.host, &[eth0(), rule]);
    let net = Net::both()[0];
    let counting = Monitor::start(&daemon, &["--count", "2"]);
    let _lines = counting.until(
        |lines| lines.len() >= 2,
        || topology.expect("policy", &[(tcp(net.client, net.host, 80), Nothing)]),
    );
    let (code, lines, said) = counting.end();
    assert_eq!((code, lines.len()), (Some(0), 2), "{lines:#?} {said}");
}

/// RS-197, RS-198: without `--deny-events` a denial is no event; a rule's budget limits its events
/// in the kernel, and what is over it is counted.
#[test]
fn events_are_limited_in_the_kernel() {
    let topology = Topology::new();
    let rules = policy(
        "web",
        "types: [Ingress], ingress: [{action: Log, protocol: TCP, destination: {ports: [80]}}, \
         {action: Deny}]",
    );
    let limit = felix("logActionRateLimit: 30/minute, logActionRateLimitBurst: 1");
    let daemon = Daemon::start(&topology.host, &[eth0(), rules, limit]);
    let net = Net::both()[0];
    let traffic = || {
        let to = |port| (tcp(net.client, net.host, port), Nothing);
        topology.expect("policy", &[to(80), to(81)]);
    };
    // Each CPU has a budget of its own, so four of these are from one, the last 6 s after the first;
    // they are told a moment after they happened.
    let cpus = thread::available_parallelism()
        .expect("there are CPUs")
        .get();
    let count = 3 * cpus + 1;
    let limited = Monitor::start(&daemon, &["-o", "json", "--count", &count.to_string()]);
    let _lines = limited.until(|lines| lines.len() >= count, traffic);
    let (_, lines, said) = limited.end();
    assert!(said.contains("--deny-events"), "{said}");
    let times: Vec<u64> = lines
        .iter()
        .map(|line| {
            let event = parse(line);
            assert_eq!(event["dstPort"], 80, "{event:#}");
            event["unixMs"].as_u64().expect("a time")
        })
        .collect();
    assert!(times[3 * cpus] - times[0] > 3000, "{times:?}");
}

/// The end of the daemon is the end of its events; where none runs there are none.
#[test]
fn monitor_ends_with_the_daemon() {
    let topology = Topology::new();
    let rule = policy("web", "types: [Ingress], ingress: [{action: Log}]");
    let mut daemon = Daemon::start(&topology.host, &[eth0(), rule]);
    let net = Net::both()[1];
    let listening = Monitor::start(&daemon, &[]);
    // It listens once it has told of something.
    let _lines = listening.until(
        |lines| !lines.is_empty(),
        || topology.expect("policy", &[(tcp(net.client, net.host, 80), Nothing)]),
    );
    daemon.stop();
    let (code, _, said) = listening.end();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the daemon has stopped"), "{said}");
    drop(daemon.hep(&["monitor"]).exits(4).says("no daemon listens"));
}
