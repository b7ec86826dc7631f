//! Real sockets and frames in network namespaces, the daemon as shipped.
//!
//! Every test shows first, without the daemon, that its probes get through.

mod addresses;
mod atomic;
mod attached;
mod binding;
mod changes;
mod coexistence;
mod control;
mod daemon_attach;
mod daemon_life;
mod endpoints;
mod errors;
mod explain;
mod failsafe;
mod figures;
mod fixture;
mod forwarding;
mod interfaces;
mod large;
mod matching;
mod monitor;
mod newcomers;
mod node_name;
mod oracle;
mod order;
mod preview;
mod restart;
mod scale;
mod sender;
mod stages;
mod state;
mod takeover;
mod translated;
mod warnings;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::tier,
    probe::{Heard, Probe},
    shared::{Lease, Pool},
    topology::Topology,
};

/// A topology whose host runs the daemon, for tests that change nothing but policy.
struct Fixture {
    // Ends before the namespaces do.
    daemon: Daemon,
    topology: Topology,
}

/// Waits for the fixture; it has no endpoint, so nothing is policed.
fn fixture() -> Lease<Fixture> {
    static POOL: Pool<Fixture> = Pool::new();
    let mut fixture = POOL.borrow(|| {
        let topology = Topology::new();
        let daemon = Daemon::start(&topology.host, &no_endpoint());
        Fixture { daemon, topology }
    });
    fixture.daemon.replace(&no_endpoint());
    fixture
}

/// Resources that police nothing.
fn no_endpoint() -> Vec<String> {
    vec![tier("unused", "order: 1")]
}

/// Shows that all probes get through while no endpoint is configured, applies `resources`, and shows that
/// the probes get as far as in `cases`, in both families.
#[track_caller]
fn judge(resources: &[String], cases: impl Fn(&Net) -> Vec<(Probe, Heard)>) {
    let probes: Vec<_> = Net::each(cases);
    let mut fixture = fixture();
    pass_freely(&fixture.topology, &probes);
    fixture.daemon.replace(resources);
    fixture.topology.expect("under policy", &probes);
}

/// Shows that all probes get through while nothing is policed.
#[track_caller]
fn pass_freely(topology: &Topology, probes: &[(Probe, Heard)]) {
    let freely: Vec<_> = probes
        .iter()
        .map(|(probe, _)| (*probe, Heard::Answer))
        .collect();
    topology.expect("no policy", &freely);
}
