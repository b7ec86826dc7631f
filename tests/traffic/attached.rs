//! Attachment is verified: programs that somebody removes come back, and the output shows what the kernel
//! has (EV-265).

use std::fs;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{eth0, felix},
    probe::{
        Heard::{self, Answer, Nothing},
        PATIENCE, Probe, tcp,
    },
    topology::Topology,
};
use serde_json::Value;

/// The probes that default deny lets through: those to the failsafe port.
fn probes() -> Vec<(Probe, Heard)> {
    Net::each(|net| {
        [
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.host, 80), Nothing),
        ]
    })
}

fn tc(topology: &Topology, arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    topology.host.command("tc", &arguments)
}

/// How `eth0` has its programs: ingress, egress, and whether one was ever found gone.
fn hooks(daemon: &Daemon) -> (String, String, bool) {
    told(&daemon.show("interfaces")[0])
}

fn told(interface: &Value) -> (String, String, bool) {
    let hooks = &interface["hooks"];
    let text = |side: &str| hooks[side].as_str().unwrap_or_default().to_owned();
    let was_missing = hooks["lastMissingUnixMs"] != Value::Null;
    (text("ingress"), text("egress"), was_missing)
}

fn both(hook: &str, was_missing: bool) -> (String, String, bool) {
    (hook.to_owned(), hook.to_owned(), was_missing)
}

/// Has `take_away` done to programs that are attached so, and shows that they come back: they are shown
/// as missing while nobody puts them back, and a daemon notices what is done to it.
fn come_back(hook: &str, options: &str, take_away: impl Fn(&Topology, &Daemon)) {
    let topology = Topology::new();
    let felix = felix(&format!("interfaceRefreshInterval: 1s{options}"));
    let mut daemon = Daemon::start(&topology.host, &[eth0(), felix]);
    topology.expect("policed", &probes());
    assert_eq!(hooks(&daemon), both(hook, false));

    take_away(&topology, &daemon);
    let is_noted = eventually(PATIENCE, || hooks(&daemon) == both(hook, true));
    assert!(is_noted, "{:?}\n{}", hooks(&daemon), daemon.log());
    assert!(daemon.log().contains("hep's program was gone, and is back"));
    topology.expect("put back", &probes());

    daemon.crash();
    take_away(&topology, &daemon);
    let gone = both("missing", true);
    assert_eq!(hooks(&daemon), gone, "nobody puts them back");
    assert_eq!(told(&daemon.status()["interfaces"][0]), gone);
    topology.expect_all(
        "really gone",
        Answer,
        &Net::both().map(|net| tcp(net.client, net.host, 80)),
    );
    daemon.spawn();
    daemon.wait_for(2);
    assert_eq!(hooks(&daemon), both(hook, true));
    topology.expect("put back at the start", &probes());
}

/// EV-265: filters go with their qdisc without a word about them.
#[test]
fn ev_265_filters_that_go_with_their_qdisc_come_back() {
    come_back("clsact", ", bpfAttachType: TC", |topology, _| {
        tc(topology, "qdisc del dev eth0 clsact");
    });
}

/// EV-265.
#[test]
fn ev_265_filters_that_are_deleted_come_back() {
    come_back("clsact", ", bpfAttachType: TC", |topology, _| {
        for side in ["ingress", "egress"] {
            tc(topology, &format!("filter del dev eth0 {side}"));
        }
    });
}

/// EV-265: the kernel sends no notification about links; they are checked at the refresh interval.
#[test]
fn ev_265_links_that_are_detached_come_back() {
    let probe = Topology::new();
    let has_links = hooks(&Daemon::start(&probe.host, &[eth0()])).0 == "tcx";
    if !has_links {
        println!("skipped: TCX links need Linux 6.6");
        return;
    }
    come_back("tcx", "", |topology, daemon| {
        let version = format!("v{}/links", hep_common::ABI_VERSION);
        let links = fs::read_dir(daemon.bpffs().join(version)).expect("links are pinned");
        for link in links.flatten().filter(|link| link.path().is_file()) {
            let path = link.path().to_string_lossy().into_owned();
            topology
                .host
                .command("bpftool", &["link", "detach", "pinned", &path]);
        }
    });
}

/// EV-265: an `ingress` qdisc that was there first blocks clsact. The ingress program is attached to it,
/// that of the other side by a link, or, where the kernel has none, the operator gets advice.
#[test]
fn ev_265_an_ingress_qdisc_in_the_way_leaves_no_side_open_without_a_word() {
    let topology = Topology::new();
    tc(&topology, "qdisc add dev eth0 ingress");
    let felix = felix("bpfAttachType: TC");
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon.write_all(&[eth0(), felix]);
    daemon.spawn();
    let is_in_force = eventually(PATIENCE * 10, || daemon.generation() > 0);
    assert!(is_in_force, "{}", daemon.log());
    let is_attached = eventually(PATIENCE, || hooks(&daemon).0 == "clsact");
    assert!(is_attached, "{:?}\n{}", hooks(&daemon), daemon.log());
    topology.expect("policed", &probes());
    if hooks(&daemon).1 == "missing" {
        let told = daemon.status()["degraded"].to_string();
        assert!(
            told.contains("ingress qdisc") && told.contains("NOT policed"),
            "{told}"
        );
        assert!(told.contains("tc qdisc del dev eth0 ingress"), "{told}");
    } else {
        assert_eq!(hooks(&daemon).1, "tcx");
    }
    assert!(tc(&topology, "qdisc show dev eth0").contains("ingress"));

    tc(&topology, "qdisc del dev eth0 ingress");
    let is_mended = eventually(PATIENCE, || {
        let (ingress, egress, _) = hooks(&daemon);
        (&*ingress, &*egress) == ("clsact", "clsact") && daemon.status()["ready"] == true
    });
    assert!(is_mended, "{:?}\n{}", hooks(&daemon), daemon.log());
    topology.expect("policed on clsact", &probes());
    daemon.stop();
    drop(daemon.down().exits(0));
    assert!(!tc(&topology, "qdisc show dev eth0").contains("clsact"));
}

/// EV-265: an `ingress` qdisc of somebody else is still there after `hep down`.
#[test]
fn an_ingress_qdisc_of_somebody_else_stays() {
    let topology = Topology::new();
    tc(&topology, "qdisc add dev eth0 ingress");
    let mut daemon = Daemon::prepare(&topology.host, &[]);
    daemon.write_all(&[eth0(), felix("bpfAttachType: TC")]);
    daemon.spawn();
    let is_attached = eventually(PATIENCE * 10, || {
        daemon.generation() > 0 && hooks(&daemon).0 == "clsact"
    });
    assert!(is_attached, "{}", daemon.log());
    daemon.stop();
    drop(daemon.down().exits(0));
    assert!(tc(&topology, "qdisc show dev eth0").contains("ingress"));
    assert_eq!(tc(&topology, "filter show dev eth0 ingress"), "");
}
