//! How the programs are attached: by TCX where the kernel has it, by clsact filters elsewhere.

use hep_tests::{
    policy::{endpoint, felix},
    topology::Topology,
};

use crate::{allow_80, hooks, policed, probes};

/// The first kernel with TCX.
const TCX: (u32, u32) = (6, 6);

/// Major and minor number of the running kernel.
fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("read the release");
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    let mut next = || numbers.next().flatten().expect("a release starts 1.2.");
    (next(), next())
}

#[test]
fn the_programs_are_attached_by_the_best_hook_there_is() {
    let topology = Topology::new();
    let daemon = policed(&topology, "eth1");
    let wanted = if release() >= TCX { "tcx" } else { "clsact" };
    let found = hooks(&daemon);
    println!("report: attach = {}", found[0].1[0]);
    let sides = [wanted, wanted].map(str::to_owned);
    assert_eq!(found, [("eth1".to_owned(), sides)]);
}

/// `bpfAttachType: TC` is obeyed where TCX would do, and taken back without a gap.
#[test]
fn clsact_can_be_asked_for() {
    let topology = Topology::new();
    let mut daemon = policed(&topology, "eth1");
    let inside = || endpoint("inside", "interfaceName: eth1");
    daemon.replace(&[inside(), allow_80(), felix("bpfAttachType: TC")]);
    topology.expect("by clsact filters", &probes());
    let sides = ["clsact", "clsact"].map(str::to_owned);
    assert_eq!(hooks(&daemon), [("eth1".to_owned(), sides)]);
    daemon.replace(&[inside(), allow_80()]);
    topology.expect("by the best hook again", &probes());
}

/// A qdisc and filters of others stay, those of the daemon go.
#[test]
fn taking_down_leaves_others_filters() {
    let topology = Topology::new();
    let tc = |arguments: &str| {
        let arguments: Vec<_> = arguments.split(' ').collect();
        topology.host.command("tc", &arguments)
    };
    tc("qdisc add dev eth1 clsact");
    tc("filter add dev eth1 ingress priority 7 protocol ip matchall action continue");
    let before = tc("filter show dev eth1 ingress");
    let mut daemon = policed(&topology, "eth1");
    daemon.stop();
    drop(daemon.down().exits(0));
    assert_eq!(tc("filter show dev eth1 ingress"), before);
    assert_eq!(tc("filter show dev eth1 egress"), "");
}
