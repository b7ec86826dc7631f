//! The servers of etcd themselves, as the harness runs them.

use std::time::Duration;

use hep_tests::{
    eventually,
    hep::Output,
    namespace::Namespace,
    server::{
        certificates::{EXPIRED, VALID},
        etcd::{EtcdOptions, EtcdServer, EtcdVersion, Tokens, Transport},
        etcdctl::{Access, User},
        place::Place,
    },
};

/// How long an election may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const KEY: &str = "/calico/resources/v3/projectcalico.org/tiers/default";

fn each(test: impl Fn(EtcdOptions)) {
    for version in EtcdVersion::ALL {
        test(EtcdOptions::new(version));
    }
}

#[test]
fn what_is_written_is_read_at_its_revision_also_after_a_death() {
    each(|options| {
        let mut server = EtcdServer::start(&options);
        let first = server.put(KEY, "{\"kind\":\"Tier\"}");
        let second = server.put(KEY, "line\nand \u{e9}\n");
        assert_eq!((first + 1, server.revision()), (second, second));
        assert_eq!(server.modified(KEY), Some(second));
        server.kill();
        server.launch();
        assert_eq!(server.get(KEY).as_deref(), Some("line\nand \u{e9}\n"));
        assert_eq!(server.keys("/calico/"), [KEY]);
        server.compact();
        assert!(server.delete(KEY) && !server.delete(KEY));
        assert_eq!(server.get(KEY), None);
        server.put("/calico/a", "1");
        server.wipe();
        assert_eq!(server.keys("/").len(), 0);
    });
}

#[test]
fn a_snapshot_takes_revisions_back() {
    each(|options| {
        let mut server = EtcdServer::start(&options);
        let before = server.put(KEY, "old");
        let snapshot = server.save("snapshot");
        server.put(KEY, "new");
        server.restore(&snapshot);
        assert_eq!(server.get(KEY).as_deref(), Some("old"));
        assert_eq!(server.revision(), before);
    });
}

#[test]
fn a_paused_member_is_silent_until_it_continues() {
    let server = EtcdServer::start(&EtcdOptions::new(EtcdVersion::V3_4));
    server.put(KEY, "1");
    server.pause();
    let mut get = server.etcdctl(&["--command-timeout=300ms", "get", KEY]);
    assert_ne!(Output::by(&mut get).code, 0);
    server.resume();
    assert_eq!(server.get(KEY).as_deref(), Some("1"));
}

#[test]
fn a_cluster_serves_without_one_member_and_not_without_two() {
    let mut server = EtcdServer::start(&EtcdOptions {
        members: 3,
        ..EtcdOptions::new(EtcdVersion::V3_6)
    });
    server.put(KEY, "1");
    let is_written = |server: &EtcdServer, value| {
        Output::by(&mut server.etcdctl(&["put", KEY, value])).code == 0
    };
    server.member(2).kill();
    // The two that are left elect a leader first, if it is gone.
    assert!(eventually(PATIENCE, || is_written(&server, "2")));
    server.member(1).kill();
    let mut put = server.etcdctl(&["--command-timeout=1s", "put", KEY, "3"]);
    assert_ne!(Output::by(&mut put).code, 0);
    server.member(1).launch();
    server.member(1).wait();
    assert!(eventually(PATIENCE, || is_written(&server, "4")));
    assert_eq!(server.get(KEY).as_deref(), Some("4"));
}

#[test]
fn only_clients_of_the_authority_are_served_and_expired_certificates_are_refused() {
    each(|options| {
        let server = EtcdServer::start(&EtcdOptions {
            transport: Transport::MutualTls,
            ..options
        });
        server.put(KEY, "1");
        let stranger = server.authority().client("stranger", &EXPIRED);
        let mut get = server.etcdctl(&["--command-timeout=1s", "get", KEY]);
        get.arg("--cert").arg(&stranger.certificate);
        get.arg("--key").arg(&stranger.key);
        assert_ne!(Output::by(&mut get).code, 0);
        server.renew(&EXPIRED);
        let get = ["--command-timeout=1s", "get", KEY];
        assert_ne!(Output::by(&mut server.etcdctl(&get)).code, 0);
        server.renew(&VALID);
        assert_eq!(server.get(KEY).as_deref(), Some("1"));
    });
}

#[test]
fn users_read_below_their_prefix_and_write_only_if_they_may() {
    for tokens in [Tokens::Simple, Tokens::Jwt(60)] {
        each(|options| {
            let mut server = EtcdServer::start(&EtcdOptions { tokens, ..options });
            server.put(KEY, "1");
            let reader = User {
                name: "reader",
                password: "secret",
                prefix: "/calico/",
                access: Access::Read,
            };
            server.require_users(&[reader]);
            assert_eq!(server.get(KEY).as_deref(), Some("1"));
            let by_reader = |arguments: &[&str]| {
                let mut command = server.etcdctl(arguments);
                command.args(["--user", "reader:secret"]);
                Output::by(&mut command).code
            };
            assert_eq!(by_reader(&["get", KEY]), 0);
            assert_ne!(by_reader(&["get", "/other"]), 0);
            assert_ne!(by_reader(&["put", KEY, "2"]), 0);
            server.revoke(&reader);
            assert_ne!(by_reader(&["get", KEY]), 0);
            server.grant(&reader);
            assert_eq!(by_reader(&["get", KEY]), 0);
        });
    }
}

#[test]
fn a_server_in_a_namespace_is_reached_there_alone() {
    let namespace = Namespace::new("store");
    let place = Place::inside(&namespace, Place::here().address());
    let server = EtcdServer::start(&EtcdOptions {
        place,
        ..EtcdOptions::new(EtcdVersion::V3_4)
    });
    server.put(KEY, "1");
    let endpoint = server.endpoints().remove(0);
    let address = endpoint.trim_start_matches("http://").parse();
    let address = address.expect("an address with a port");
    let limit = Duration::from_secs(1);
    assert!(std::net::TcpStream::connect_timeout(&address, limit).is_err());
}
