//! Real sockets and frames in network namespaces, the daemon as shipped.
//!
//! Every test shows first, without the daemon, that its probes get through.

mod binding;
mod changes;
mod coexistence;
mod control;
mod endpoints;
mod errors;
mod failsafe;
mod forwarding;
mod ground;
mod matching;
mod order;
mod scale;
mod stages;
mod state;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    probe::{Heard, Probe},
    site::Site,
};

/// Shows that all probes get through while no daemon runs, starts the daemon on `resources`, and
/// shows that the probes come to what `cases` says, in both families.
#[track_caller]
fn judge(resources: &[String], cases: impl Fn(&Net) -> Vec<(Probe, Heard)>) {
    let site = Site::new();
    let probes: Vec<_> = Net::both().iter().flat_map(cases).collect();
    pass_freely(&site, &probes);
    let _daemon = Daemon::start(&site.host, resources);
    site.expect("under policy", &probes);
}

/// Shows that all probes get through while no daemon runs.
#[track_caller]
fn pass_freely(site: &Site, probes: &[(Probe, Heard)]) {
    let freely: Vec<_> = probes
        .iter()
        .map(|(probe, _)| (*probe, Heard::Answer))
        .collect();
    site.expect("no daemon", &freely);
}
