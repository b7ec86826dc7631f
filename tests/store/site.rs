//! A host whose policy is in etcd.

use std::time::{Duration, Instant};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{eth0_default_allow, policy},
    probe::{Heard, Probe, tcp},
    server::{
        etcd::{EtcdOptions, EtcdServer, EtcdVersion},
        place::Place,
    },
    topology::Topology,
};
use serde_json::{Value, json};

/// Start of the keys of all resources.
pub(crate) const PREFIX: &str = "/calico/resources/v3/projectcalico.org/";
/// How long a change, or the end of a fault, may take to be in force.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A host that follows etcd, which is in its own namespace.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    pub(crate) etcd: EtcdServer,
    pub(crate) topology: Topology,
}

impl Site {
    /// Starts etcd and the daemon, with an endpoint on `eth0` and a policy that lets in TCP 80.
    pub(crate) fn start() -> Self {
        Self::start_with(|options| options, &[])
    }

    /// The same with other options of etcd, and lines of the daemon's configuration.
    pub(crate) fn start_with(
        change: impl FnOnce(EtcdOptions) -> EtcdOptions,
        configuration: &[(&str, &str)],
    ) -> Self {
        let mut site = Self::prepare(change, configuration);
        site.seed();
        site.daemon.spawn();
        site.daemon.wait_for(1);
        site
    }

    /// Starts etcd alone.
    pub(crate) fn prepare(
        change: impl FnOnce(EtcdOptions) -> EtcdOptions,
        configuration: &[(&str, &str)],
    ) -> Self {
        let topology = Topology::new();
        let place = Place::inside(&topology.host, Place::here().address());
        let etcd = EtcdServer::start(&change(EtcdOptions {
            place,
            ..EtcdOptions::new(EtcdVersion::V3_4)
        }));
        let daemon = daemon(&topology, &etcd, configuration);
        Self {
            daemon,
            etcd,
            topology,
        }
    }

    /// Writes what every test begins with.
    pub(crate) fn seed(&self) {
        self.lock(false);
        self.put("hostendpoints", &eth0_default_allow());
        self.allow("web", 80);
    }

    /// Sets the ready flag.
    pub(crate) fn lock(&self, is_locked: bool) {
        let cluster = json!({
            "kind": "ClusterInformation", "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": "default"}, "spec": {"datastoreReady": !is_locked},
        });
        self.put("clusterinformations", &cluster.to_string());
    }

    /// Writes a resource.
    pub(crate) fn put(&self, plural: &str, resource: &str) {
        let value: Value = serde_yaml::from_str(resource).expect("the test writes YAML");
        let name = value["metadata"]["name"].as_str().expect("it has a name");
        self.etcd.put(&key(plural, name), &value.to_string());
    }

    /// Writes a policy that lets in one TCP port.
    pub(crate) fn allow(&self, name: &str, port: u16) {
        self.put("globalnetworkpolicies", &allow(name, port));
    }

    /// Sends probes to ports of the host, in both families: who gets in.
    #[track_caller]
    pub(crate) fn expect(&self, what: &str, open: &[u16], closed: &[u16]) {
        for (ports, heard) in [(open, Heard::Answer), (closed, Heard::Nothing)] {
            let probes: Vec<Probe> = Net::both()
                .iter()
                .flat_map(|net| ports.iter().map(|port| tcp(net.client, net.host, *port)))
                .collect();
            self.topology.expect_all(what, heard, &probes);
        }
    }

    /// Waits until the store is in this state; how long that took.
    #[track_caller]
    pub(crate) fn wait_for_state(&self, state: &str) -> Duration {
        let start = Instant::now();
        let mut found = Value::Null;
        let reached = eventually(SOON, || {
            found = self.daemon.status();
            found["store"]["state"] == state
        });
        assert!(reached, "{state} is not reached: {found}");
        start.elapsed()
    }

    /// Waits until this many objects of a kind are known and in force.
    #[track_caller]
    pub(crate) fn wait_for_objects(&self, kind: &str, number: u64) {
        let mut found = Value::Null;
        let reached = eventually(SOON, || {
            found = self.daemon.status();
            found["resources"][kind] == number && found["ready"] == true
        });
        assert!(
            reached,
            "no {number} {kind}: {found}\n{}",
            self.daemon.log()
        );
    }
}

/// A daemon that follows etcd.
pub(crate) fn daemon(
    topology: &Topology,
    etcd: &EtcdServer,
    configuration: &[(&str, &str)],
) -> Daemon {
    let file = etcd.scratch("calicoctl.cfg");
    let mut spec = json!({
        "datastoreType": "etcdv3", "etcdEndpoints": etcd.endpoints().join(","),
    });
    for (name, value) in configuration {
        spec[*name] = (*value).into();
    }
    let text = json!({
        "apiVersion": "projectcalico.org/v3", "kind": "CalicoAPIConfig", "spec": spec,
    });
    std::fs::write(&file, text.to_string()).expect("write the configuration");
    let file = file.to_str().expect("a path of letters");
    Daemon::prepare(&topology.host, &["--datastore", "etcdv3", "--config", file])
}

/// A policy that lets in one TCP port.
pub(crate) fn allow(name: &str, port: u16) -> String {
    policy(
        name,
        &format!(
            "tier: default, selector: all(), types: [Ingress], ingress: [{{action: Allow, \
             protocol: TCP, destination: {{ports: [{port}]}}}}]"
        ),
    )
}

/// The key of a resource.
pub(crate) fn key(plural: &str, name: &str) -> String {
    format!("{PREFIX}{plural}/{name}")
}
