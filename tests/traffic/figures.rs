//! Metrics, health checks, and how full the tables are.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    link::Link,
    packet,
    policy::{Directory, documents, eth0, felix, policy, staged_policy},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};

/// The status line and the whole answer to `GET PATH` at a port of the host's loopback interface.
fn get(topology: &Topology, port: u16, path: &str) -> Option<(u16, String)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = topology.host.run(|| TcpStream::connect(address)).ok()?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("set a timeout");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("send the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read the answer");
    let code = answer.split(' ').nth(1)?.parse().ok()?;
    Some((code, answer))
}

/// The value of the metric whose line starts so.
fn metric(text: &str, start: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(start))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Packets, rules, loads and tables are exported to Prometheus at the address in the option.
#[test]
fn metrics_tell_of_traffic_policies_loads_and_tables() {
    let topology = Topology::new();
    let rules = "types: [Ingress], ingress: [{action: Allow, protocol: TCP, \
                 destination: {ports: [80]}}]";
    let resources = [eth0(), policy("web", rules), staged_policy("plan", rules)];
    let options = ["--metrics-listen", "127.0.0.1:9191", "--memory-total", "1"];
    let daemon = Daemon::start_with(&topology.host, &resources, &options);
    for net in Net::both() {
        let to = |port| tcp(net.client, net.host, port);
        topology.expect("policy", &[(to(80), Answer), (to(81), Nothing)]);
    }
    let page = || {
        let (code, text) = get(&topology, 9191, "/metrics").expect("it listens");
        assert_eq!(code, 200, "{text}");
        text
    };
    let text = page();
    assert!(text.contains("application/openmetrics-text") && text.ends_with("# EOF\n"));
    let ingress = "hep_packets_total{interface=\"eth0\",direction=\"ingress\"";
    for (start, least) in [
        (
            format!("{ingress},verdict=\"allow\",reason=\"policy_allow\"}}"),
            2.0,
        ),
        (
            format!("{ingress},verdict=\"deny\",reason=\"tier_default\"}}"),
            2.0,
        ),
        (
            format!("{ingress},verdict=\"allow\",reason=\"established\"}}"),
            2.0,
        ),
    ] {
        assert!(
            metric(&text, &start).is_some_and(|count| count >= least),
            "{start}\n{text}"
        );
    }
    for (start, value) in [
        (
            "hep_policy_packets_total{tier=\"default\",policy=\"GlobalNetworkPolicy/web\",\
             action=\"Allow\",staged=\"false\"}",
            2.0,
        ),
        (
            "hep_policy_packets_total{tier=\"default\",policy=\"StagedGlobalNetworkPolicy/plan\",\
             action=\"Allow\",staged=\"true\"}",
            2.0,
        ),
        ("hep_generation ", 1.0),
        ("hep_ready ", 1.0),
        ("hep_last_load_success ", 1.0),
        ("hep_problems{severity=\"error\"}", 0.0),
        (
            "hep_table_capacity{table=\"assuredTcp\",family=\"6\"}",
            capacity(&daemon, "assuredTcp", Some(6)).into(),
        ),
    ] {
        assert_eq!(metric(&text, start), Some(value), "{start}\n{text}");
    }
    // A connection that has ended is no longer among the assured.
    let flows = [
        "assuredTcp\",family=\"4",
        "assuredTcp\",family=\"6",
        "unassured",
    ]
    .map(|table| metric(&text, &format!("hep_table_entries{{table=\"{table}\"")));
    assert_eq!(flows.iter().flatten().sum::<f64>(), 2.0, "{text}");

    daemon.directory().write("broken.yaml", "kind: nonsense");
    let told = eventually(PATIENCE, || {
        metric(&page(), "hep_last_load_success ") == Some(0.0)
    });
    let text = page();
    assert!(told, "{text}");
    assert!(metric(&text, "hep_problems{severity=\"error\"}") >= Some(1.0));
    assert_eq!(metric(&text, "hep_generation "), Some(1.0));
    let readiness = get(&topology, 9191, "/readiness").map(|(code, _)| code);
    assert_eq!(readiness, Some(200), "what was last good is enforced");
    let missing = get(&topology, 9191, "/").map(|(code, _)| code);
    assert_eq!(missing, Some(404));
}

/// Operators' decisions beside the policy directory are exported, and the entries that a load wrote.
#[test]
fn metrics_tell_of_trials_holds_panics_and_what_a_load_wrote() {
    let topology = Topology::new();
    let options = ["--metrics-listen", "127.0.0.1:9191"];
    let mut daemon = Daemon::start_with(&topology.host, &[eth0()], &options);
    // Figures are kept for a moment, and longer where reading them takes long.
    let becomes = |start: &str, wanted: Option<f64>| {
        let mut last = None;
        let came = eventually(PATIENCE, || {
            let (_, text) = get(&topology, 9191, "/metrics").expect("it listens");
            last = metric(&text, start);
            last == wanted
        });
        assert!(came, "{start}is {last:?}, not {wanted:?}");
    };
    let states = |trial, hold, panic| {
        becomes("hep_trial ", trial);
        becomes("hep_frozen ", hold);
        becomes("hep_rollback_hold ", hold);
        becomes("hep_panic ", panic);
    };
    let [none, one] = [Some(0.0), Some(1.0)];
    states(none, none, none);
    let written = |daemon: &Daemon| daemon.status()["daemon"]["lastLoad"]["written"].as_f64();
    let first = written(&daemon);
    assert!(first > Some(0.0));
    becomes("hep_last_load_entries_written ", first);
    let web = "types: [Ingress], ingress: [{action: Allow, protocol: TCP, \
               destination: {ports: [80]}}]";
    daemon.replace(&[eth0(), policy("web", web)]);
    let second = written(&daemon);
    assert!(
        second > Some(0.0) && second < first,
        "{first:?}, {second:?}"
    );
    becomes("hep_last_load_entries_written ", second);

    let new = Directory::new();
    new.write("policy.yaml", &documents(&[eth0()]));
    let path = new.path().to_string_lossy().into_owned();
    let order = |words: &[&str]| drop(daemon.hep(words).exits(0));
    order(&["try", "--policy-dir", &path, "--timeout", "1h", "--detach"]);
    states(one, none, none);
    let (_, text) = get(&topology, 9191, "/metrics").expect("it listens");
    let [end, start] = ["hep_trial_end_time_seconds ", "hep_start_time_seconds "]
        .map(|start| metric(&text, start));
    assert!(end > start && start.is_some(), "{end:?}, {start:?}");
    order(&["rollback"]);
    states(none, none, none);
    becomes("hep_trial_end_time_seconds ", None);
    order(&["rollback", "1"]);
    states(none, one, none);
    order(&["resume"]);
    order(&["panic"]);
    states(none, none, one);
    order(&["resume"]);
    states(none, none, none);
}

/// RS-200, RS-201, RS-202, RS-206: metrics and health checks are where the FelixConfiguration puts them,
/// from the load that sets it to the load that does not.
#[test]
fn metrics_and_health_checks_follow_the_configuration() {
    let topology = Topology::new();
    let both = felix(
        "prometheusMetricsEnabled: true, prometheusMetricsHost: 127.0.0.1, \
         prometheusMetricsPort: 9292, healthEnabled: true, healthHost: 127.0.0.1",
    );
    let mut daemon = Daemon::start(&topology.host, &[eth0()]);
    let code = |port: u16, path: &str| get(&topology, port, path).map(|(code, _)| code);
    assert_eq!(
        (code(9292, "/metrics"), code(9099, "/liveness")),
        (None, None)
    );
    daemon.replace(&[eth0(), both]);
    assert!(eventually(PATIENCE, || code(9292, "/metrics") == Some(200)));
    for path in ["/liveness", "/readiness"] {
        assert_eq!(code(9099, path), Some(200), "{path}");
    }
    assert_eq!(code(9099, "/metrics"), Some(404));
    daemon.replace(&[eth0()]);
    let gone = || code(9292, "/metrics").is_none() && code(9099, "/liveness").is_none();
    assert!(eventually(PATIENCE, gone));
}

/// How many flows fit into a table, as `hep status` has it.
fn capacity(daemon: &Daemon, table: &str, family: Option<u8>) -> u32 {
    let status = daemon.status();
    let tables = status["tables"].as_array().expect("a list");
    let found = tables
        .iter()
        .find(|found| found["table"] == table && found["family"] == serde_json::json!(family));
    let capacity = found.and_then(|found| found["capacity"].as_u64());
    let capacity = capacity.expect("the table is listed");
    u32::try_from(capacity).expect("below the limit")
}

/// EV-159: a table that is four fifths full is reported by `hep status`, in the log and in the metrics.
#[test]
fn a_table_that_gets_full_is_told() {
    let topology = Topology::new();
    let allow = policy(
        "all",
        "types: [Ingress], ingress: [{action: Allow, protocol: UDP}]",
    );
    let daemon = Daemon::start_with(&topology.host, &[eth0(), allow], &["--memory-total", "1"]);
    let pressing = || {
        let status = daemon.status();
        let tables = status["tables"].as_array().expect("a list").clone();
        let pressing = tables.iter().filter(|table| table["pressing"] == true);
        pressing
            .map(|table| table["table"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(pressing(), Vec::<serde_json::Value>::new());
    let link = Link::open(&topology.outside, "eth0");
    let net = Net::both()[0];
    for flow in 0..capacity(&daemon, "unassured", None) {
        let [_, second, third, fourth] = flow.to_be_bytes();
        let from = IpAddr::from([10, 200 + second, third, fourth]);
        let frame = packet::udp(from, net.host).sport(5000).dport(5001);
        link.send(&frame.ethernet(OUTSIDE_MAC, HOST_MAC).frame());
    }
    assert!(
        eventually(PATIENCE, || pressing() == ["unassured"]),
        "{:#}",
        daemon.status()
    );
    drop(
        daemon
            .hep(&["status"])
            .says("warning: unassured flows: the table is "),
    );
    let logged = || daemon.log().contains("unassured flows: the table is ");
    assert!(eventually(PATIENCE, logged), "{}", daemon.log());
}

/// Clients that hold connections open without a request delay neither a health check nor a scrape, and are
/// disconnected after five seconds.
#[test]
fn idle_clients_delay_nobody() {
    let topology = Topology::new();
    let options = ["--metrics-listen", "127.0.0.1:9191"];
    let daemon = Daemon::start_with(&topology.host, &[eth0()], &options);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9191));
    let idle = |count: usize| -> Vec<TcpStream> {
        let connect = || TcpStream::connect(address).expect("it listens");
        topology
            .host
            .run(|| (0..count).map(|_| connect()).collect())
    };
    for count in [33, 500] {
        let clients = idle(count);
        for page in ["/liveness", "/readiness", "/metrics"] {
            let started = Instant::now();
            let code = get(&topology, 9191, page).map(|(code, _)| code);
            assert_eq!(code, Some(200), "{page} beside {count}");
            let took = started.elapsed();
            assert!(
                took < Duration::from_secs(1),
                "{page} beside {count}: {took:?}"
            );
        }
        drop(clients);
    }
    let mut last = idle(1).pop().expect("one was asked for");
    let slow = b"GET /metrics HTTP/1.1\r\nHost: ";
    last.write_all(slow).expect("can be written");
    last.set_read_timeout(Some(PATIENCE)).expect("can be set");
    let started = Instant::now();
    let mut answer = String::new();
    last.read_to_string(&mut answer).expect("it is closed");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}, {answer}");
    assert!(!answer.contains(" 200 "), "{answer}");
    drop(daemon);
}
