//! How programs come onto interfaces and off them again: TCX links, clsact filters, records.

use std::fs;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{endpoint, eth0, felix},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, Probe, tcp,
    },
    topology::Topology,
};

/// The probes that default deny lets through: those to the failsafe port.
fn probes() -> Vec<(Probe, hep_tests::probe::Heard)> {
    Net::each(|net| {
        [
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.host, 80), Nothing),
        ]
    })
}

fn filters(topology: &Topology) -> String {
    ["ingress", "egress"]
        .map(|side| {
            topology
                .host
                .command("tc", &["filter", "show", "dev", "eth0", side])
        })
        .concat()
}

fn qdiscs(topology: &Topology) -> String {
    topology
        .host
        .command("tc", &["qdisc", "show", "dev", "eth0"])
}

fn hooks(daemon: &Daemon) -> String {
    daemon.status()["interfaces"][0]["hooks"]["ingress"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// RS-177: `TC` forces clsact filters; a change back to `TCX` removes all of them.
#[test]
fn rs_177_filters_where_asked_and_links_otherwise() {
    let topology = Topology::new();
    let tc = felix("bpfAttachType: TC");
    let mut daemon = Daemon::start(&topology.host, &[eth0(), tc.clone()]);
    assert_eq!(hooks(&daemon), "clsact");
    let text = filters(&topology);
    assert!(
        text.contains("hep_ingress") && text.contains("hep_egress"),
        "{text}"
    );
    topology.expect("filters", &probes());

    daemon.replace(&[eth0(), felix("bpfAttachType: TCX")]);
    assert!(
        eventually(PATIENCE, || hooks(&daemon) == "tcx"),
        "{}",
        daemon.log()
    );
    assert!(
        eventually(PATIENCE, || filters(&topology).is_empty()),
        "{}",
        filters(&topology)
    );
    assert!(
        !qdiscs(&topology).contains("clsact"),
        "{}",
        qdiscs(&topology)
    );
    topology.expect("links", &probes());

    daemon.replace(&[eth0(), tc]);
    assert!(
        eventually(PATIENCE, || hooks(&daemon) == "clsact"),
        "{}",
        daemon.log()
    );
    topology.expect("filters again", &probes());
    daemon.stop();
    topology.expect("filters, no daemon", &probes());
    let _said = daemon.down().exits(0);
    assert_eq!(filters(&topology), "");
    assert!(
        !qdiscs(&topology).contains("clsact"),
        "{}",
        qdiscs(&topology)
    );
}

/// A clsact qdisc that was there before is not ours to remove.
#[test]
fn a_clsact_qdisc_of_somebody_else_stays() {
    let topology = Topology::new();
    topology
        .host
        .command("tc", &["qdisc", "add", "dev", "eth0", "clsact"]);
    let mut daemon = Daemon::start(&topology.host, &[eth0(), felix("bpfAttachType: TC")]);
    topology.expect("filters", &probes());
    daemon.stop();
    let _said = daemon.down().exits(0);
    assert_eq!(filters(&topology), "");
    assert!(
        qdiscs(&topology).contains("clsact"),
        "{}",
        qdiscs(&topology)
    );
}

/// Packets that the programs of an interface have seen.
fn counted(daemon: &Daemon, interface: &str) -> u64 {
    let counters = daemon.show("counters");
    let rows = counters.as_array().into_iter().flatten();
    rows.filter(|row| row["interface"] == interface)
        .filter_map(|row| row["packets"].as_u64())
        .sum()
}

/// EV-018: a pin of an interface that is gone is not used for another that got its number.
#[test]
fn ev_018_a_reused_interface_number_gets_links_of_its_own() {
    let topology = Topology::new();
    let add = "link add index 77 name eth7 type veth peer name peer7\nlink set eth7 up";
    topology.host.ip(add);
    let resources = [eth0(), endpoint("h1-eth7", "interfaceName: eth7")];
    let mut daemon = Daemon::start(&topology.host, &resources);
    let links = daemon
        .bpffs()
        .join(format!("v{}/links", hep_common::ABI_VERSION));
    assert!(links.join("77-ingress").exists());
    daemon.stop();
    topology.host.ip("link del eth7");
    topology.host.ip(add);
    daemon.spawn();
    daemon.wait_for(2);
    // Both ends up: multicast listener reports go both ways, and are counted if judged.
    let before = counted(&daemon, "eth7");
    topology.host.ip("link set peer7 up");
    let is_judged = eventually(PATIENCE, || counted(&daemon, "eth7") > before);
    assert!(is_judged, "{}", daemon.log());
    topology.host.ip("link del eth7");
    let names = || {
        fs::read_dir(&links)
            .expect("links are pinned")
            .flatten()
            .map(|entry| entry.file_name())
            .collect::<Vec<_>>()
    };
    let is_gone = eventually(PATIENCE, || {
        names()
            .iter()
            .all(|name| !name.to_string_lossy().starts_with("77-"))
    });
    assert!(is_gone, "{:?}", names());
}
