//! The daemon's own life: one per instance, the generated endpoint, records of `Log` rules.

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    hep::{Output, SHOWN, binary},
    namespace::Namespace,
    policy::{eth0, felix, policy},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    program::program,
    topology::Topology,
};
use serde_json::Value;

/// A second daemon of one instance is refused and disturbs nothing; so is `hep down`.
#[test]
fn a_second_daemon_is_refused_and_down_refuses_while_one_runs() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &[eth0()]);
    let directory = daemon.directory().path().to_string_lossy().into_owned();
    let said = daemon.hep(&["run", "--policy-dir", &directory]).exits(1);
    let _said = said.says("belongs to a running hep daemon");
    let _said = daemon.down().exits(5).says("stop it first");
    for net in Net::both() {
        topology.expect(
            "still enforced",
            &[
                (tcp(net.client, net.host, 22), Answer),
                (tcp(net.client, net.host, 80), Nothing),
            ],
        );
    }
    assert_eq!(daemon.status()["ready"], Value::Bool(true));
}

fn endpoint_named<'a>(endpoints: &'a Value, name: &str) -> Option<&'a Value> {
    endpoints
        .as_array()?
        .iter()
        .find(|endpoint| endpoint["name"] == name)
}

/// EV-012, EV-013: the generated endpoint covers what no written one does, allows by default, has
/// the node's labels, and follows the host's addresses.
#[test]
fn the_generated_endpoint_takes_what_no_written_one_does() {
    let topology = Topology::new();
    let options = ["--auto-host-endpoint", "--node-label", "env=prod"];
    let no_ssh = policy(
        "no-http",
        "selector: env == 'prod', types: [Ingress], ingress: [{action: Deny, protocol: TCP, \
         destination: {ports: [81]}}, {action: Allow}]",
    );
    let daemon = Daemon::start_with(&topology.host, &[eth0(), no_ssh], &options);
    let endpoints = daemon.show("endpoints");
    let generated = endpoint_named(&endpoints, "h1-auto-hep").expect("it is shown");
    assert_eq!(generated["generated"], Value::Bool(true));
    assert_eq!(generated["interfaces"], serde_json::json!(["eth1"]));
    let addresses = |endpoint: &Value| endpoint["expectedIps"].to_string();
    for net in Net::both() {
        assert!(
            addresses(generated).contains(&net.host.to_string()),
            "{generated}"
        );
        topology.expect(
            "eth0 is written, eth1 generated",
            &[
                (tcp(net.client, net.host, 80), Nothing),
                (tcp(net.inner, net.host_inside, 80), Answer),
                (tcp(net.inner, net.host_inside, 81), Nothing),
                (tcp(net.host_inside, net.inner, 443), Answer),
            ],
        );
    }
    topology.host.ip("address add 192.0.2.99/32 dev eth0");
    let follows = eventually(PATIENCE, || {
        let endpoints = daemon.show("endpoints");
        endpoint_named(&endpoints, "h1-auto-hep")
            .is_some_and(|endpoint| addresses(endpoint).contains("192.0.2.99"))
    });
    assert!(follows, "{}", daemon.log());
}

/// EV-135, EV-136, RS-196: one line per flow, with prefix, final verdict and deciding rule; a
/// `Log` rule decides nothing.
#[test]
fn ev_135_a_log_rule_leaves_a_line_with_prefix_and_final_verdict() {
    let topology = Topology::new();
    let web = policy(
        "web",
        "types: [Ingress], ingress: [{action: Log, protocol: TCP, destination: {ports: [80, 81]}}, \
         {action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    let prefix = felix("logPrefix: 'hep %t %k %n'");
    let daemon = Daemon::start(&topology.host, &[eth0(), web, prefix]);
    for net in Net::both() {
        topology.expect(
            "the Log rule decides nothing",
            &[
                (tcp(net.client, net.host, 80), Answer),
                (tcp(net.client, net.host, 81), Nothing),
            ],
        );
        for (verdict, port) in [
            ("allow reason=policy_allow", 80),
            ("deny reason=tier_default", 81),
        ] {
            let is_told = eventually(PATIENCE, || {
                daemon.log().lines().any(|line| {
                    line.contains("hep default gnp web: ")
                        && line.contains(verdict)
                        && line.contains(&format!("src={} dst={} ", net.client, net.host))
                        && line.contains(&format!("dpt={port} "))
                })
            });
            assert!(is_told, "{verdict} {port}:\n{}", daemon.log());
        }
    }
}

/// `hep down` unmounts the bpffs that hep mounted where it customarily is, unless somebody else keeps
/// something in it.
#[test]
fn down_unmounts_the_file_system_that_hep_mounted() {
    let script = r#"
        while umount -l /sys/fs/bpf 2> /dev/null; do :; done
        own="--bpffs /sys/fs/bpf/heptest --socket $DIR/s --state-dir $DIR/state"
        is_mounted() { grep -q '^hep /sys/fs/bpf bpf ' /proc/self/mounts; }
        trap 'kill $pid 2> /dev/null' EXIT
        round() {
            $HEP run --policy-dir $DIR/policy --node h1 $own 2> $DIR/log & pid=$!
            until $HEP status $own | grep -q 'in force for'; do sleep 0.1; done
            is_mounted || exit 7
            kill $pid; wait $pid
            test -z "$1" || mkdir $1
            $HEP down $own || exit 8
        }
        mkdir $DIR/policy
        round
        is_mounted && exit 9
        round /sys/fs/bpf/others
        is_mounted || exit 10
    "#;
    let directory = tempfile::tempdir().expect("make a directory");
    let namespace = Namespace::new("bpffs");
    let mut command = program("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .env("HEP", binary())
        .env("DIR", directory.path());
    let _said = namespace.run(|| Output::by(&mut command)).exits(0);
}

/// All output of `hep show` and `hep status` comes from the kernel: as JSON, and after the daemon's death.
#[test]
fn everything_is_shown_without_a_daemon() {
    let topology = Topology::new();
    let rule = policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, source: {selector: role == 'host'}}]",
    );
    let mut daemon = Daemon::start(&topology.host, &[eth0(), rule]);
    for net in Net::both() {
        let ssh = tcp(net.client, net.host, 22);
        topology.expect("a flow", &[(ssh, Answer)]);
    }
    daemon.crash();
    for what in SHOWN {
        let shown = daemon.show(what);
        assert!(
            shown.as_array().is_some_and(|items| !items.is_empty()),
            "{what}: {shown:#}"
        );
        let text = daemon.hep(&["show", what]).exits(0).stdout;
        assert!(text.lines().count() > 1, "{what}: {text}");
    }
    let status = daemon.status();
    let tables = status["tables"].as_array().expect("a list");
    let tables: Vec<_> = tables
        .iter()
        .map(|table| (table["table"].as_str(), table["family"].as_u64()))
        .collect();
    let known = [
        (Some("assuredTcp"), Some(4)),
        (Some("assuredTcp"), Some(6)),
        (Some("assured"), Some(4)),
        (Some("assured"), Some(6)),
        (Some("unassured"), None),
        (Some("fragments"), None),
    ];
    assert_eq!(tables, known);
    assert!(status["daemon"].is_null(), "{status:#}");
}
