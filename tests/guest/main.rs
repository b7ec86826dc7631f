//! Tests that need a kernel with modules: `cargo xtask kernels` runs them in guests, plain `cargo test`
//! leaves them out.
//!
//! Figures for the table that ends a run are printed as `report: KEY = VALUE`.

mod hooks;
mod links;
mod sctp;
mod tunnels;
mod verifier;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{endpoint, policy},
    probe::{
        Heard::{self, Answer, Nothing},
        Probe, tcp, udp,
    },
    topology::Topology,
};

/// Lets TCP to port 80 in, and nothing else.
fn allow_80() -> String {
    policy(
        "allow-80",
        "types: [Ingress, Egress], \
         ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}], \
         egress: [{action: Allow, protocol: TCP, destination: {ports: [443]}}]",
    )
}

/// Probes between the host and the inside machine, with what [`allow_80`] makes of them.
fn probes() -> Vec<(Probe, Heard)> {
    Net::each(|net| {
        [
            (tcp(net.inner, net.host_inside, 80), Answer),
            (tcp(net.inner, net.host_inside, 81), Nothing),
            (udp(net.inner, net.host_inside, 80), Nothing),
            (tcp(net.host_inside, net.inner, 443), Answer),
            (tcp(net.host_inside, net.inner, 444), Nothing),
        ]
    })
}

/// Shows that everything passes between host and inside machine without the daemon, and only what
/// [`allow_80`] allows with an endpoint at `interface`, named or a wildcard.
#[track_caller]
fn policed(topology: &Topology, interface: &str) -> Daemon {
    let probes = probes();
    let freely: Vec<_> = probes.iter().map(|(probe, _)| *probe).collect();
    topology.expect_all("no daemon", Answer, &freely);
    let resources = [
        endpoint("inside", &format!("interfaceName: '{interface}'")),
        allow_80(),
    ];
    let daemon = Daemon::start(&topology.host, &resources);
    topology.expect("under policy", &probes);
    daemon
}

/// The interfaces on record, each with its hooks at ingress and egress.
fn hooks(daemon: &Daemon) -> Vec<(String, [String; 2])> {
    let shown = daemon.show("interfaces");
    let interfaces = shown.as_array().expect("a list of interfaces");
    interfaces
        .iter()
        .map(|interface| {
            let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
            let sides = ["ingress", "egress"].map(|side| text(&interface["hooks"][side]));
            (text(&interface["name"]), sides)
        })
        .collect()
}

/// The names of the interfaces that have programs.
fn attached(daemon: &Daemon) -> Vec<String> {
    let mut names: Vec<_> = hooks(daemon).into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}
