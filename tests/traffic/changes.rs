//! Policy that changes while traffic runs (section 15; EV-160, EV-248), and the daemon's own life.

use std::{fs, time::Duration};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    hep::Output,
    policy::{eth0, policy},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, SILENCE, tcp, time_until,
    },
    program::program,
    topology::Topology,
};

/// Longer than a file is waited for that may still be written to.
const SETTLED: Duration = Duration::from_millis(500);

fn allow(port: u16) -> String {
    policy(
        "web",
        &format!(
            "types: [Ingress, Egress], ingress: [{{action: Allow, protocol: TCP, \
             destination: {{ports: [{port}]}}}}], egress: [{{action: Allow}}]"
        ),
    )
}

/// Adding, changing and deleting a file changes the verdict on new flows, sooner than the directory is
/// read without a notification. How soon is a figure of the bench.
#[test]
fn a_file_that_is_added_changed_or_deleted_takes_effect() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &[eth0()]);
    for net in Net::both() {
        let until = |port: u16, open: bool| {
            let took = time_until(&topology, net.client, net.host, port, open);
            assert!(took < PATIENCE, "{port} {open}: {took:?}\n{}", daemon.log());
        };
        topology.expect_all("nothing allowed", Nothing, &[tcp(net.client, net.host, 80)]);
        daemon.directory().write("web.yaml", &allow(80));
        until(80, true);
        daemon.directory().write("web.yaml", &allow(81));
        until(80, false);
        until(81, true);
        daemon.directory().remove("web.yaml");
        until(81, false);
    }
}

/// RS-006: a file with an error changes nothing and the error is reported, until it is fixed; also for a
/// daemon that starts with it.
#[test]
fn a_broken_file_changes_nothing_and_says_why() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0()]);
    daemon.apply("web.yaml", &allow(80));
    let generation = daemon.generation();
    daemon
        .directory()
        .write("web.yaml", &allow(81).replace("Allow", "allow"));
    daemon.directory().write("other.yaml", &allow(82));
    let reported = eventually(PATIENCE, || {
        let status = daemon.status().to_string();
        status.contains("web.yaml") && status.contains("Allow")
    });
    assert!(reported, "{:#}", daemon.status());
    assert_eq!(daemon.generation(), generation);
    let in_force: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
            (tcp(net.client, net.host, 82), Nothing),
        ]
    });
    topology.expect("the last good policy", &in_force);

    daemon.stop();
    daemon.spawn();
    let adopted = eventually(6 * PATIENCE, || {
        daemon.status()["problems"].to_string().contains("web.yaml")
    });
    assert!(adopted, "{:#}\n{}", daemon.status(), daemon.log());
    topology.expect("restarted over a broken file", &in_force);

    let generation = daemon.generation();
    daemon.directory().remove("other.yaml");
    daemon.directory().write("web.yaml", &allow(81));
    daemon.wait_for(generation + 1);
    topology.expect_all(
        "mended",
        Answer,
        &[tcp(Net::both()[0].client, Net::both()[0].host, 81)],
    );
}

/// At a cold start over a broken directory the daemon ends with an error and attaches nothing
/// (RS-006).
#[test]
fn a_first_start_over_a_broken_directory_attaches_nothing() {
    let topology = Topology::new();
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon.directory().write(
        "all.yaml",
        &eth0().replace("interfaceName", "interfacename"),
    );
    daemon.spawn();
    let said = eventually(PATIENCE, || daemon.log().contains("interfacename"));
    assert!(said, "{}", daemon.log());
    let net = Net::both()[0];
    topology.expect_all("nothing attached", Answer, &[tcp(net.client, net.host, 80)]);
}

/// EV-248, EV-160: after a change that denies them, flows stop within one packet in both
/// directions, and others lose nothing.
#[test]
fn ev_248_denied_flows_stop_at_once_and_others_go_on() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0(), both(80, 81)]);
    let mut flows: Vec<_> = Net::both()
        .iter()
        .map(|net| [80, 81].map(|port| Connection::open(&topology, net.client, net.host, port)))
        .collect();
    for [cut, kept] in &mut flows {
        assert!(cut.forth(PATIENCE) && cut.back(PATIENCE));
        assert!(kept.forth(PATIENCE) && kept.back(PATIENCE));
    }
    daemon.replace(&[eth0(), both(81, 81)]);
    for [cut, kept] in &mut flows {
        assert!(!cut.forth(SILENCE), "from the client");
        assert!(!cut.back(SILENCE), "from the host");
        assert!(!cut.forth(SILENCE), "again from the client");
        for _ in 0..20 {
            assert!(kept.forth(PATIENCE) && kept.back(PATIENCE));
        }
    }
    daemon.replace(&[eth0(), both(80, 81)]);
    for [cut, _] in &mut flows {
        assert!(cut.forth(PATIENCE), "allowed again by a later generation");
    }
}

/// EV-248 with the first packet after the change from the host.
#[test]
fn ev_248_the_hosts_own_packets_find_the_flow_denied_too() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0(), both(80, 81)]);
    let mut flows = Net::both().map(|net| Connection::open(&topology, net.client, net.host, 80));
    daemon.replace(&[eth0(), both(81, 81)]);
    for flow in &mut flows {
        assert!(!flow.back(SILENCE), "from the host");
        assert!(!flow.forth(SILENCE), "from the client");
    }
}

/// EV-248 with `keep`: established flows outlive the change, new ones meet the new policy.
#[test]
fn ev_248_with_keep_established_flows_go_on() {
    let topology = Topology::new();
    let mut daemon = Daemon::start_with(
        &topology.host,
        &[eth0(), both(80, 80)],
        &["--on-policy-change", "keep"],
    );
    let mut flows = Net::both().map(|net| Connection::open(&topology, net.client, net.host, 80));
    daemon.replace(&[eth0(), both(81, 81)]);
    for flow in &mut flows {
        assert!(flow.forth(PATIENCE) && flow.back(PATIENCE) && flow.forth(PATIENCE));
    }
    for net in Net::both() {
        topology.expect(
            "new flows",
            &[
                (tcp(net.client, net.host, 80), Nothing),
                (tcp(net.client, net.host, 81), Answer),
            ],
        );
    }
}

/// Ingress to two ports and all egress allowed.
fn both(first: u16, second: u16) -> String {
    policy(
        "web",
        &format!(
            "types: [Ingress, Egress], ingress: [{{action: Allow, protocol: TCP, \
             destination: {{ports: [{first}, {second}]}}}}], egress: [{{action: Allow}}]"
        ),
    )
}

/// EV-191, EV-158: a daemon that is killed leaves the last policy in force; the next one adopts it
/// with its flows.
#[test]
fn enforcement_outlives_the_daemon_and_the_next_one_adopts_it() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0(), both(80, 81)]);
    let mut flows = Net::both().map(|net| Connection::open(&topology, net.client, net.host, 80));
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 82), Nothing),
        ]
    });
    topology.expect("daemon runs", &probes);
    daemon.crash();
    topology.expect("daemon killed", &probes);
    let status = daemon.hep(&["status", "-o", "json"]).json();
    assert_eq!(
        status["generation"], 1,
        "readable without the daemon: {status:#}"
    );
    assert!(daemon.show("rules").to_string().contains("web"));
    for flow in &mut flows {
        assert!(flow.forth(PATIENCE) && flow.back(PATIENCE));
    }
    daemon.spawn();
    daemon.wait_for(2);
    for flow in &mut flows {
        assert!(flow.forth(PATIENCE) && flow.back(PATIENCE), "flow adopted");
    }
    topology.expect("adopted", &probes);
    daemon.stop();
    topology.expect("stopped", &probes);
}

/// A directory that vanishes or turns empty at once is held, not obeyed.
#[test]
fn a_policy_directory_that_turns_empty_is_held() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0(), both(80, 81)]);
    let probes: Vec<_> = Net::both()
        .map(|net| (tcp(net.client, net.host, 82), Nothing))
        .into();
    daemon.directory().remove("all.yaml");
    let is_held = eventually(PATIENCE, || {
        let held = &daemon.status()["untrusted"];
        held.as_str()
            .is_some_and(|text| text.contains("turned empty"))
    });
    assert!(is_held, "{}\n{}", daemon.status(), daemon.log());
    let status = daemon.status();
    assert_eq!(status["holding"], status["untrusted"], "its name until now");
    topology.expect("emptied", &probes);
    daemon.replace(&[eth0(), both(80, 82)]);
    topology.expect_all(
        "filled again",
        Answer,
        &[tcp(Net::both()[0].client, Net::both()[0].host, 82)],
    );
}

/// `hep down` removes programs, links, maps and directories, and traffic flows freely again.
#[test]
fn hep_down_leaves_nothing() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0()]);
    let probes: Vec<_> = Net::both()
        .iter()
        .map(|net| tcp(net.client, net.host, 80))
        .collect();
    topology.expect_all("default deny", Nothing, &probes);
    assert!(daemon.bpffs().exists());
    let programs = program_ids(&daemon);
    assert!(!programs.is_empty(), "programs are attached");
    daemon.stop();
    let said = daemon.down().exits(0);
    assert!(!daemon.bpffs().exists(), "{said:?}");
    topology.expect_all("no policy", Answer, &probes);
    assert_eq!(
        topology
            .host
            .command("tc", &["filter", "show", "dev", "eth0", "ingress"]),
        ""
    );
    let qdiscs = topology
        .host
        .command("tc", &["qdisc", "show", "dev", "eth0"]);
    assert!(!qdiscs.contains("clsact"), "{qdiscs}");
    let gone = eventually(PATIENCE, || {
        let loaded = topology.host.command("bpftool", &["prog", "list", "-j"]);
        programs
            .iter()
            .all(|id| !loaded.contains(&format!("\"id\":{id},")))
    });
    assert!(gone, "programs {programs:?} are still loaded");
    assert!(
        daemon.hep(&["status"]).code != 0,
        "nothing is in force: {:?}",
        daemon.hep(&["status"])
    );
}

/// Ids of the programs whose links this instance has pinned, and of those in filters at `eth0`.
fn program_ids(daemon: &Daemon) -> Vec<u64> {
    let mut ids = Vec::new();
    for side in ["ingress", "egress"] {
        let host = daemon.namespace();
        let said = host.command("tc", &["-j", "filter", "show", "dev", "eth0", side]);
        let filters: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        let filters = filters.as_array().into_iter().flatten();
        ids.extend(filters.filter_map(|filter| filter["options"]["prog"]["id"].as_u64()));
    }
    let mut folders = vec![daemon.bpffs().to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let said = Output::by(
                program("bpftool")
                    .args(["-j", "link", "show", "pinned"])
                    .arg(path),
            );
            let link: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_default();
            ids.extend(link["prog_id"].as_u64());
        }
    }
    ids
}

/// A file that is still being written is not read: it counts after its writer closed it.
#[test]
fn a_half_written_file_is_not_obeyed() {
    use std::io::Write as _;
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &[eth0()]);
    let net = Net::both()[0];
    let mut file = fs::File::create(daemon.directory().path().join("web.yaml")).expect("create");
    file.write_all(allow(80).as_bytes()).expect("write");
    file.flush().expect("flush");
    std::thread::sleep(SETTLED);
    topology.expect_all("still open", Nothing, &[tcp(net.client, net.host, 80)]);
    drop(file);
    let took = time_until(&topology, net.client, net.host, 80, true);
    // Sooner than the directory is read without a notification.
    assert!(took < PATIENCE / 2, "closed: {took:?}\n{}", daemon.log());
}
