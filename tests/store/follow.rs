//! Policy from etcd on real traffic: what changes, and what stays while the store is not well.

use std::time::Duration;

use hep_tests::{
    eventually,
    policy::{felix, tier},
    probe::Heard,
    server::{
        certificates::{EXPIRED, VALID},
        etcd::{EtcdOptions, Transport},
        etcdctl::{Access, User},
        place::Place,
    },
};
use nix::sys::signal::{Signal, kill};

use crate::site::{PREFIX, SOON, Site, allow, key};

/// The longest that following again may take after the end of a fault (this machine may be busy).
const BACK: Duration = Duration::from_secs(10);

/// Spec DS-027, DS-035, DS-062, DS-226, DS-227, DS-242.
#[test]
fn what_is_written_to_etcd_is_in_force() {
    let site = Site::start();
    site.expect("one policy", &[80], &[81]);
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    site.expect("another policy", &[80, 81], &[82]);
    site.put("globalnetworkpolicies", &allow("more", 82));
    assert!(eventually(SOON, || site.daemon.generation() >= 3));
    site.expect("it is changed", &[80, 82], &[81]);
    assert!(site.etcd.delete(&key("globalnetworkpolicies", "more")));
    site.wait_for_objects("GlobalNetworkPolicy", 1);
    site.expect("it is deleted", &[80], &[81, 82]);
    site.put(
        "hostendpoints",
        "{kind: HostEndpoint, apiVersion: projectcalico.org/v3, metadata: {name: h1-eth0}, \
         spec: {node: elsewhere, interfaceName: eth0}}",
    );
    assert!(eventually(SOON, || {
        let status = site.daemon.status();
        status["interfaces"].as_array().is_some_and(Vec::is_empty)
    }));
    site.expect("the endpoint is another node's", &[80, 81], &[]);
}

/// Spec DS-091, DS-092, DS-224, EX-35.
#[test]
fn a_locked_store_is_not_followed_and_listed_again_when_it_is_ready() {
    let site = Site::start();
    site.lock(true);
    site.wait_for_state("not-ready");
    assert!(site.etcd.delete(&key("globalnetworkpolicies", "web")));
    site.allow("more", 81);
    std::thread::sleep(Duration::from_secs(1));
    site.expect("locked", &[80], &[81]);
    site.lock(false);
    site.wait_for_state("in-sync");
    assert!(eventually(SOON, || site.daemon.generation() >= 2));
    site.expect("unlocked", &[81], &[80]);
    assert!(site.etcd.delete(&key("clusterinformations", "default")));
    site.wait_for_state("not-ready");
    site.expect("absent is not ready", &[81], &[80]);
}

/// Spec DS-066, DS-312, DS-319, EX-16.
#[test]
fn a_bad_value_keeps_its_last_good_version_and_stops_nothing_else() {
    let mut site = Site::start();
    site.etcd
        .put(&key("globalnetworkpolicies", "web"), "{\"kind\":");
    let degraded = |site: &Site| {
        let status = site.daemon.status();
        let text = status["degraded"].as_str().unwrap_or_default();
        text.contains("globalnetworkpolicies/web") && text.contains("stays in force")
    };
    assert!(
        eventually(SOON, || degraded(&site)),
        "{}",
        site.daemon.status()
    );
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    site.expect("others go into force", &[80, 81], &[82]);
    site.daemon.stop();
    site.daemon.spawn();
    site.daemon.wait_for(1);
    site.wait_for_state("in-sync");
    site.expect("after a restart", &[80, 81], &[82]);
    assert!(
        eventually(SOON, || degraded(&site)),
        "{}",
        site.daemon.status()
    );
    site.allow("web", 82);
    assert!(eventually(SOON, || {
        site.daemon.status()["degraded"].is_null()
    }));
    site.expect("repaired", &[81, 82], &[80]);
}

/// Spec DS-068, DS-069, DS-237, DS-309, EX-33.
#[test]
fn a_dead_or_silent_server_changes_nothing_and_is_followed_again_at_once() {
    let mut site = Site::start();
    site.etcd.kill();
    site.wait_for_state("unreachable");
    site.expect("dead", &[80], &[81]);
    site.etcd.launch();
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    assert!(site.wait_for_state("in-sync") < BACK);
    site.etcd.pause();
    site.wait_for_state("unreachable");
    site.expect("paused", &[80, 81], &[82]);
    site.etcd.resume();
    assert!(site.wait_for_state("in-sync") < BACK);
    site.allow("more", 82);
    assert!(eventually(SOON, || site.daemon.generation() >= 3));
    site.expect("back", &[80, 82], &[81]);
}

/// Spec DS-067, DS-235, DS-252, EX-31.
#[test]
fn what_was_compacted_away_meanwhile_is_listed() {
    let mut site = Site::start();
    site.etcd.kill();
    site.wait_for_state("unreachable");
    // Nothing sees these changes.
    let process = site.daemon.process().expect("the daemon runs");
    kill(process, Signal::SIGSTOP).expect("stop it");
    site.etcd.launch();
    assert!(site.etcd.delete(&key("globalnetworkpolicies", "web")));
    for port in 81..90 {
        site.allow("more", port);
    }
    site.etcd.compact();
    kill(process, Signal::SIGCONT).expect("let it go on");
    assert!(eventually(SOON, || site.daemon.generation() >= 2));
    site.wait_for_state("in-sync");
    site.expect("listed", &[89], &[80, 81]);
}

/// Spec DS-321.
#[test]
fn a_store_that_went_back_is_followed_when_it_stays_the_same() {
    let mut site = Site::start();
    let backup = site.etcd.save("backup");
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    site.etcd.restore(&backup);
    site.wait_for_state("went-back");
    site.expect("went back", &[80, 81], &[82]);
    let settled = eventually(Duration::from_secs(60), || {
        site.daemon.status()["resources"]["GlobalNetworkPolicy"] == 1
    });
    assert!(settled, "{}", site.daemon.status());
    site.expect("settled", &[80], &[81]);
}

/// Spec DS-144, DS-309, DS-318.
#[test]
fn an_emptied_store_takes_no_policy_off() {
    let mut site = Site::start();
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    assert!(site.etcd.delete_all(PREFIX) > 3);
    site.wait_for_state("not-ready");
    site.expect("every key is deleted", &[80, 81], &[82]);
    site.etcd.wipe();
    std::thread::sleep(Duration::from_secs(2));
    site.lock(false);
    let state = || site.daemon.status()["store"]["state"].clone();
    assert!(
        eventually(SOON, || ["kind-emptied", "went-back"]
            .iter()
            .any(|it| state() == *it)),
        "{}",
        state()
    );
    site.expect("a new, empty server", &[80, 81], &[82]);
}

/// Spec DS-309.
#[test]
fn a_kind_that_went_away_unseen_stays_until_resume_takes_the_store_as_it_is() {
    let mut site = Site::start();
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    site.etcd.kill();
    site.wait_for_state("unreachable");
    let process = site.daemon.process().expect("the daemon runs");
    kill(process, Signal::SIGSTOP).expect("stop it");
    site.etcd.launch();
    for name in ["web", "more"] {
        assert!(site.etcd.delete(&key("globalnetworkpolicies", name)));
    }
    site.etcd.compact();
    kill(process, Signal::SIGCONT).expect("let it go on");
    site.wait_for_state("kind-emptied");
    site.expect("all policies went away unseen", &[80, 81], &[82]);
    assert_eq!(site.daemon.hep(&["resume"]).code, 0);
    site.wait_for_objects("GlobalNetworkPolicy", 0);
}

/// Spec DS-225, DS-251, DS-223.
#[test]
fn a_host_that_boots_without_its_store_enforces_and_goes_on_from_there() {
    let mut site = Site::start();
    site.daemon.stop();
    site.daemon.unpin();
    site.etcd.stop();
    site.daemon.spawn();
    site.daemon.wait_for(1);
    site.expect("without the store", &[80], &[81]);
    site.etcd.launch();
    assert!(site.etcd.delete(&key("globalnetworkpolicies", "web")));
    site.allow("more", 81);
    site.wait_for_state("in-sync");
    assert!(eventually(SOON, || site.daemon.generation() >= 2));
    site.expect("followed again", &[81], &[80]);
}

/// Spec DS-223.
#[test]
fn a_first_start_waits_for_the_store() {
    let mut site = Site::prepare(|options| options, &[]);
    site.seed();
    site.etcd.stop();
    site.daemon.spawn();
    assert!(eventually(SOON, || {
        site.daemon
            .hep(&["status", "-o", "json"])
            .stdout
            .contains("unreachable")
    }));
    site.expect("nothing is there yet", &[80, 81], &[]);
    site.etcd.launch();
    site.daemon.wait_for(1);
    site.expect("the store is there", &[80], &[81]);
}

/// Spec DS-253.
#[test]
fn tokens_that_the_server_forgot_are_renewed_and_a_permission_that_is_taken_freezes() {
    let mut site = Site::prepare(
        |options| options,
        &[("etcdUsername", "reader"), ("etcdPassword", "secret")],
    );
    site.seed();
    let reader = User {
        name: "reader",
        password: "secret",
        prefix: PREFIX,
        access: Access::Read,
    };
    site.etcd.require_users(&[reader]);
    site.daemon.spawn();
    site.daemon.wait_for(1);
    site.etcd.stop();
    site.etcd.launch();
    site.allow("more", 81);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    site.expect("with a new token", &[80, 81], &[82]);
    site.etcd.revoke(&reader);
    site.etcd.stop();
    site.etcd.launch();
    site.allow("more", 82);
    site.wait_for_state("unauthorized");
    site.expect("permission is taken", &[80, 81], &[82]);
    site.etcd.grant(&reader);
    site.wait_for_state("in-sync");
    assert!(eventually(SOON, || site.daemon.generation() >= 3));
    site.expect("permission is back", &[80, 82], &[81]);
}

/// Spec DS-016.
#[test]
fn certificates_that_were_replaced_are_read_again() {
    let mut site = Site::prepare(
        |options| EtcdOptions {
            transport: Transport::MutualTls,
            ..options
        },
        &[],
    );
    site.seed();
    let client = site.etcd.authority().client("hep", &VALID);
    let authority = site.etcd.authority().certificate();
    let text = |path: &std::path::Path| path.to_str().expect("a path of letters").to_owned();
    site.daemon = crate::site::daemon(
        &site.topology,
        &site.etcd,
        &[
            ("etcdCACertFile", &text(&authority)),
            ("etcdCertFile", &text(&client.certificate)),
            ("etcdKeyFile", &text(&client.key)),
        ],
    );
    site.daemon.spawn();
    site.daemon.wait_for(1);
    site.expect("by TLS", &[80], &[81]);
    site.etcd.stop();
    site.etcd.authority().client("hep", &EXPIRED);
    site.etcd.launch();
    site.wait_for_state("unreachable");
    site.allow("more", 81);
    std::thread::sleep(Duration::from_secs(4));
    site.expect("an expired certificate", &[80], &[81]);
    site.etcd.authority().client("hep", &VALID);
    site.wait_for_objects("GlobalNetworkPolicy", 2);
    site.expect("a valid one", &[80, 81], &[82]);
}

/// Spec DS-320.
#[test]
fn a_change_that_would_cut_the_host_from_its_store_is_held() {
    let site = Site::prepare(|options| options, &[]);
    let net = &hep_tests::address::Net::both()[0];
    let outside = Place::inside(&site.topology.outside, net.peer);
    let mut site = Site {
        etcd: hep_tests::server::etcd::EtcdServer::start(&EtcdOptions {
            place: outside,
            ..EtcdOptions::new(hep_tests::server::etcd::EtcdVersion::V3_4)
        }),
        ..site
    };
    site.daemon = crate::site::daemon(&site.topology, &site.etcd, &[]);
    site.seed();
    site.put(
        "felixconfigurations",
        &felix("failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []"),
    );
    site.daemon.spawn();
    site.daemon.wait_for(1);
    let cut = "{kind: GlobalNetworkPolicy, apiVersion: projectcalico.org/v3, metadata: {name: cut}, \
               spec: {tier: default, selector: all(), types: [Egress], egress: [{action: Deny}]}}";
    site.put("globalnetworkpolicies", cut);
    let held = || {
        let status = site.daemon.status();
        let text = status["degraded"].as_str().unwrap_or_default();
        text.contains("cut this host from its store")
    };
    assert!(eventually(SOON, held), "{}", site.daemon.status());
    site.put("tiers", &tier("late", "order: 7"));
    std::thread::sleep(Duration::from_secs(1));
    assert!(held(), "a later change is judged with it");
    assert!(site.etcd.delete(&key("globalnetworkpolicies", "cut")));
    site.wait_for_objects("Tier", 4);
    assert!(eventually(SOON, || site.daemon.status()["degraded"].is_null()));
    let probe = hep_tests::probe::tcp(net.host, net.client, 443);
    site.topology.expect_all("not cut", Heard::Answer, &[probe]);
}
